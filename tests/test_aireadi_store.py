"""Features are read once, kept for their owner alone, and survive a kill."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
from aireadi_release import crowd, path_of, write_participants, write_person, write_release, write_visits

from sensecf_bench.datasets.aireadi import gathering, participant
from sensecf_bench.datasets.aireadi.collecting import collect
from sensecf_bench.datasets.aireadi.store import FeatureStore
from sensecf_bench.errors import DataError

PEOPLE = 6


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_release(tmp_path_factory.mktemp("store") / "dataset", crowd(PEOPLE))


@pytest.fixture
def root(written, tmp_path):
    return shutil.copytree(written, tmp_path / "dataset")


@pytest.fixture
def read(monkeypatch):
    """Ids of the participants whose files are read, as they are."""
    ids = []

    def counted(someone):
        ids.append(someone.person_id)
        return participant.summarise(someone)

    monkeypatch.setattr(gathering, "summarise", counted)
    return ids


def same(one, other):
    pd.testing.assert_frame_equal(one.people, other.people)
    pd.testing.assert_frame_equal(one.days, other.days)
    assert (one.problems, one.quirks) == (other.problems, other.quirks)


def test_what_was_read_is_not_read_again_and_is_the_same(root, tmp_path, read):
    first = collect(root, tmp_path / "cache")
    assert read == [f"{900001 + i}" for i in range(PEOPLE)]
    again = collect(root, tmp_path / "cache")
    assert len(read) == PEOPLE
    same(first, again)
    same(first, collect(root, None))


def test_an_updated_file_is_read_again_and_nobody_else_s(root, tmp_path, read):
    collect(root, tmp_path / "cache")
    who = crowd(PEOPLE)[3]
    who.stress = 77
    write_person(root, who)
    read.clear()
    people = collect(root, tmp_path / "cache").people
    assert read == [who.person_id]
    assert people.loc[who.person_id, "mean_stress"] == 77
    read.clear()
    assert collect(root, tmp_path / "cache").people.loc[who.person_id, "mean_stress"] == 77
    assert not read


def test_a_file_that_comes_or_goes_is_noticed(root, tmp_path, read):
    collect(root, tmp_path / "cache")
    gone = path_of(root, "900002", "stress", "stress")
    gone.rename(tmp_path / "away.json")
    read.clear()
    assert np.isnan(collect(root, tmp_path / "cache").people.loc["900002", "mean_stress"])
    (tmp_path / "away.json").rename(gone)
    assert collect(root, tmp_path / "cache").people.loc["900002", "mean_stress"] == 36
    assert read == ["900002", "900002"]


def test_the_visit_s_tables_are_read_again_when_they_change(root, tmp_path):
    assert collect(root, tmp_path / "cache").people["bmi_kg_m2"].iloc[0] == 29.5
    people = crowd(PEOPLE)
    people[0].measurement["bmi_vsorres, BMI"] = 33.25
    write_visits(root, people)
    assert collect(root, tmp_path / "cache").people["bmi_kg_m2"].iloc[0] == 33.25


def test_age_and_split_are_never_stale(root, tmp_path, read):
    collect(root, tmp_path / "cache")
    people = crowd(PEOPLE)
    people[0].age, people[0].split = 71, "test"
    write_participants(root, people)
    read.clear()
    row = collect(root, tmp_path / "cache").people.iloc[0]
    assert (row["age_years"], row["recommended_split"]) == (71, "test")
    assert not read


def test_changed_code_reads_everything_again(root, tmp_path, read, monkeypatch):
    collect(root, tmp_path / "cache")
    monkeypatch.setattr(participant, "_code", lambda: "another")
    read.clear()
    collect(root, tmp_path / "cache")
    assert len(read) == PEOPLE


def test_the_modules_whose_code_counts_are_those_that_reading_loads():
    """A module that reading uses and the key leaves out would leave stale features behind."""
    package = "sensecf_bench.datasets.aireadi."
    code = f"import sys, {package}participant, {package}daily, {package}features; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    used = {name.removeprefix(package) for name in loaded if name.startswith(package)}
    registered = {"dataset", "synthetic"}  # what the package of datasets loads to register them
    assert used - registered == {*participant.DECIDING, *participant.READING}


def test_problems_are_kept_too(root, tmp_path, read):
    broken = path_of(root, "900001", "stress", "stress")
    broken.write_bytes(broken.read_bytes()[:5000])
    first = collect(root, tmp_path / "cache")
    read.clear()
    again = collect(root, tmp_path / "cache")
    assert not read and first.problems == again.problems
    assert len(again.problems) == 1 and str(broken) in again.problems[0]
    with pytest.raises(DataError, match=str(broken)):
        collect(root, tmp_path / "cache", strict=True)


@pytest.mark.parametrize("damage", [b"", b"PAR1 no more", None])
def test_a_damaged_store_is_read_past(root, tmp_path, read, damage):
    first = collect(root, tmp_path / "cache")
    for part in (tmp_path / "cache").rglob("*.*"):
        part.write_bytes(part.read_bytes()[:-40] if damage is None else damage)
    read.clear()
    same(first, collect(root, tmp_path / "cache"))
    assert len(read) == PEOPLE


def test_two_releases_do_not_share_their_people(root, tmp_path, read):
    collect(root, tmp_path / "cache")
    other = shutil.copytree(root, tmp_path / "other")
    read.clear()
    collect(other, tmp_path / "cache")
    assert len(read) == PEOPLE


def test_the_store_is_its_owner_s_alone_and_ends_as_one_file(root, tmp_path, monkeypatch):
    monkeypatch.setattr(gathering, "BATCH", 2)
    collect(root, tmp_path / "cache")
    (folder,) = (tmp_path / "cache").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(list(folder.glob("people-*.parquet"))) == 1
    assert not list(folder.glob(".tmp-*"))


def test_what_a_killed_run_was_writing_is_swept(tmp_path):
    (tmp_path / ".tmp-half.parquet").touch()
    with FeatureStore(tmp_path).open():
        assert not list(tmp_path.glob(".tmp-*"))


def test_two_at_once_read_everybody_once(root, tmp_path):
    """Whoever comes second waits, and finds what the first has read."""
    reading = """
        import sys
        from pathlib import Path
        from sensecf_bench.datasets.aireadi.collecting import collect

        collect(Path(sys.argv[1]), Path(sys.argv[2]), progress=lambda done, total: print("read"))
    """
    command = [sys.executable, "-c", textwrap.dedent(reading), str(root), str(tmp_path / "cache")]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    assert sorted(process.communicate(timeout=120)[0].count(b"read") for process in both) == [0, PEOPLE]


def test_a_store_that_cannot_be_written_is_an_error_with_a_way_out(root, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(DataError, match="cannot keep features") as caught:
        collect(root, tmp_path / "cache")
    assert "--cache" in caught.value.fix


def test_two_processes_give_what_one_gives(root, tmp_path):
    same(collect(root, None), collect(root, tmp_path / "cache", jobs=2))


def test_progress_is_told_of_everybody(root):
    told = []
    collect(root, None, progress=lambda done, total: told.append((done, total)))
    assert told == [(i + 1, PEOPLE) for i in range(PEOPLE)]


KILLED = """
    import sys, time
    from pathlib import Path
    from sensecf_bench.datasets.aireadi import gathering
    from sensecf_bench.datasets.aireadi.collecting import collect

    def told(done, total):
        print(done, flush=True)
        time.sleep(60 * (done == 3))

    gathering.BATCH = 1  # no guard: the script must not be run again by the processes that read
    collect(Path(sys.argv[1]), Path(sys.argv[2]), jobs=int(sys.argv[3]), progress=told)
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_run_goes_on_where_it_was_and_leaves_nobody_behind(root, tmp_path, read, jobs):
    """Killed with the third person in hand: the first two are kept, and only the others are read again."""
    script = tmp_path / "reading.py"
    script.write_text(textwrap.dedent(KILLED))
    command = [sys.executable, str(script), str(root), str(tmp_path / "cache"), str(jobs)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    for line in process.stdout:
        if line.strip() == b"3":
            break
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL
    # The pipe closes when the last process that holds it is gone.
    assert process.stdout.read() == b""
    process.stdout.close()
    resumed = collect(root, tmp_path / "cache")
    assert len(read) == PEOPLE - 2
    if jobs == 1:
        assert read == [f"{900001 + i}" for i in range(2, PEOPLE)]
    same(resumed, collect(root, None))


def test_what_is_kept_holds_no_reading(root, tmp_path):
    """Days and people are kept, and not the minutes they came from."""
    collect(root, tmp_path / "cache")
    kept = sum(f.stat().st_size for f in (tmp_path / "cache").rglob("*") if f.is_file())
    raw = sum(f.stat().st_size for f in root.rglob("*.json"))
    assert kept < raw / 20
    assert json.loads(next((tmp_path / "cache").rglob("clinical.json")).read_text())["people"]
