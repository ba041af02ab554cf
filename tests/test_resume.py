"""A run that is killed and resumed ends where an unbroken one ends; runs repeat, and seeds matter."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from sensecf_bench import api

MOMENTS = 10
WORKERS = 2
PATIENCE = 120.0


def command(folder, plugins, *more):
    settings = ["--generators", "slow-random,identity,nearest-opposite", "--datasets", "breast-cancer"]
    settings += ["--classifiers", "svm,xgboost", "--plugin", str(plugins / "slow_and_random.py"), "--resamples", "200"]
    settings += ["--config", str(plugins / "small_shards.yaml"), "--jobs", str(WORKERS)]
    return [sys.executable, "-m", "sensecf_bench", "run", *settings, "--out", str(folder), *more]


def essence(folder):
    """A results document without what depends on the clock."""
    document = json.loads((folder / "results.json").read_text())
    timed = {name for name, metric in document["metrics"].items() if metric["timing"]}
    for entry in document["rows"] + document["summary"]:
        for name in timed:
            entry["metrics"].pop(name)
        if entry.get("fit"):
            entry["fit"].pop("seconds")
    del document["timing"], document["provenance"]["date"]
    return document


def files_in(folder):
    return sum(not name.startswith(".") for _, _, names in os.walk(folder) for name in names)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, single_file_plugins):
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    subprocess.run(command(folder, single_file_plugins), check=True, capture_output=True)
    return folder


def heed_interrupts():
    """A shell starts its background jobs deaf to SIGINT, and all that they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Hold:
    """Keeps runs from their end, so that on however busy a machine nothing comes too late to them: `slow-random` waits at
    a late query in either of its cells, until both workers stand still."""

    def __init__(self, folder, unbroken):
        queries = api.load(unbroken).queries
        mine = queries[queries["cf_generator"] == "slow-random"]
        one, other = (part["query_id"] for _, part in mine.groupby("cf_classifier"))
        folder.mkdir()
        self._file = folder / "hold"
        self._file.write_text([query_id for query_id in one if query_id in set(other)][-1])

    def start(self, command_line, **more):
        for mark in self._marks():
            mark.unlink()
        environment = {**os.environ, "SLOW_RANDOM_HOLD": str(self._file)}
        return subprocess.Popen(command_line, env=environment, preexec_fn=heed_interrupts, **more)

    def is_reached(self):
        return len(self._marks()) >= WORKERS

    def _marks(self):
        return list(self._file.parent.glob("hold-*"))


@pytest.fixture
def hold(tmp_path, unbroken):
    return Hold(tmp_path / "held", unbroken)


def wait_until(condition, process):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, "the run ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.002)


def kill_when(hold, command_line, folder, written):
    """Start a run and kill it as soon as so many files have been written since, or it gets no further."""
    before = files_in(folder)
    process = hold.start(command_line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_until(lambda: files_in(folder) - before >= written or hold.is_reached(), process)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_a_run_killed_at_ten_moments_ends_like_an_unbroken_one(tmp_path, unbroken, hold, single_file_plugins):
    folder = tmp_path / "run"
    folder.mkdir()
    for written in range(1, MOMENTS + 1):
        kill_when(hold, command(folder, single_file_plugins), folder, written)
    assert not (folder / "results.json").exists()
    finished = subprocess.run(command(folder, single_file_plugins), check=True, capture_output=True, text=True)
    assert "6 cells done" in finished.stdout
    assert essence(folder) == essence(unbroken)


def test_nobody_is_left_behind_by_a_kill(tmp_path, hold, single_file_plugins):
    folder = tmp_path / "run"
    folder.mkdir()
    kill_when(hold, command(folder, single_file_plugins), folder, 3)
    deadline = time.monotonic() + 20
    while left := survivors(str(folder)):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def survivors(folder):
    """Processes that work in the folder or have a file open there."""
    found = []
    for process in psutil.process_iter():
        try:
            places = [process.cwd(), *(f.path for f in process.open_files())]
        except psutil.Error:
            continue
        found += [process for place in places if place.startswith(folder)]
    return found


def test_an_interrupt_keeps_finished_work_and_says_so(tmp_path, unbroken, hold, single_file_plugins):
    folder = tmp_path / "run"
    process = hold.start(
        command(folder, single_file_plugins), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_until(hold.is_reached, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "finished work is kept" in errors
    assert "Traceback" not in errors
    assert list(folder.glob("cells/*/shard-*.bin")) + list(folder.glob("cells/*/record.json"))
    subprocess.run(command(folder, single_file_plugins), check=True, capture_output=True)
    assert essence(folder) == essence(unbroken)


def test_the_same_seed_repeats_and_sharding_and_jobs_change_nothing(tmp_path, unbroken, single_file_plugins):
    subprocess.run(command(tmp_path / "again", single_file_plugins, "--jobs", "1"), check=True, capture_output=True)
    again, before = essence(tmp_path / "again"), essence(unbroken)
    again["config"].pop("jobs"), before["config"].pop("jobs")
    assert again == before


def test_another_seed_gives_other_results(tmp_path, unbroken, single_file_plugins):
    subprocess.run(command(tmp_path / "other", single_file_plugins, "--seeds", "1"), check=True, capture_output=True)
    assert essence(tmp_path / "other")["rows"] != essence(unbroken)["rows"]
    other, before = api.load(tmp_path / "other"), api.load(unbroken)
    assert set(other.queries["query_id"]) != set(before.queries["query_id"])


def test_a_finished_run_is_not_computed_again(unbroken, single_file_plugins):
    written = {p: p.stat().st_mtime_ns for p in (unbroken / "cells").rglob("*.parquet")}
    again = subprocess.run(command(unbroken, single_file_plugins), check=True, capture_output=True, text=True)
    assert "6 cells were stored already" in again.stderr
    assert {p: p.stat().st_mtime_ns for p in (unbroken / "cells").rglob("*.parquet")} == written
