"""The results folder: who may write to it, and what happens to what is not whole."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from sensecf_bench import api
from sensecf_bench.errors import RunFolderError


@pytest.fixture
def tampered(small_run, tmp_path):
    """A copy of a finished run, to be damaged."""
    return shutil.copytree(small_run.folder, tmp_path / "run")


class Heard(api.Quiet):
    def __init__(self):
        self.warnings, self.reused = [], {}

    def warn(self, message):
        self.warnings.append(message)

    def cell_finished(self, cell, record, reused):
        self.reused[cell.generator.name] = reused


def run_again(config, folder):
    heard = Heard()
    return api.run(config, folder, heard), heard


def cell_of(folder, generator):
    (cell,) = (folder / "cells").glob(f"*--{generator}--*")
    return cell


@pytest.mark.parametrize(
    "damage", ["truncated record", "no json", "other bytes", "missing table", "a field gone", "another key"]
)
def test_a_corrupt_record_is_named_set_aside_and_computed_again(tampered, small_config, small_run, damage):
    cell = cell_of(tampered, "random-opposite")
    record = cell / "record.json"
    content = json.loads(record.read_text())
    if damage == "truncated record":
        record.write_text(record.read_text()[:100])
    elif damage == "no json":
        record.write_bytes(b"\xff\x00garbage")
    elif damage == "other bytes":
        table = cell / "rows.parquet"
        table.write_bytes(table.read_bytes()[:-1] + b"x")
    elif damage == "missing table":
        (cell / "rows.parquet").unlink()
    elif damage == "a field gone":
        del content["outcomes"]
        record.write_text(json.dumps(content))
    else:
        record.write_text(json.dumps({**content, "key": "0" * 64}))
    again, heard = run_again(small_config, tampered)
    assert heard.reused == {"identity": True, "nearest-opposite": True, "random-opposite": False}
    (warning,) = heard.warnings
    assert cell.name in warning
    assert "set aside" in warning
    assert (tampered / "cells" / f"{cell.name}.corrupt-1").is_dir()
    for now, before in zip(again.document["rows"], small_run.document["rows"], strict=True):
        for name in set(now["metrics"]) - {"cost-seconds"}:
            assert now["metrics"][name] == before["metrics"][name]


def test_half_written_files_of_a_killed_run_are_cleared_away(tampered, small_config):
    half = cell_of(tampered, "identity") / ".tmp-1234-rows.parquet"
    half.write_bytes(b"PAR1")
    run_again(small_config, tampered)
    assert not half.exists()


def test_a_corrupt_shard_is_computed_again(tampered, small_config, small_run):
    cell = cell_of(tampered, "random-opposite")
    shutil.rmtree(cell)
    cell.mkdir()
    (cell / "shard-0000.bin").write_bytes(b"the beginning of a shard, and then nothing")
    again, heard = run_again(small_config, tampered)
    assert any("corrupt shard" in line and cell.name in line for line in heard.warnings)
    stored = again.counterfactuals.drop(columns="cf_generator")
    assert stored.equals(small_run.counterfactuals.drop(columns="cf_generator"))


def test_another_configuration_is_refused_and_the_difference_named(tampered, small_config):
    with pytest.raises(RunFolderError, match=r"another configuration \(queries: 12 → 13\)"):
        api.run(small_config.model_copy(update={"queries": 13}), tampered)


def test_settings_that_change_no_answer_may_differ(tampered, small_config):
    _, heard = run_again(small_config.model_copy(update={"jobs": 1, "resamples": 300}), tampered)
    assert all(heard.reused.values())


def test_a_foreign_folder_is_left_alone(tmp_path, small_config):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunFolderError, match="not a results folder"):
        api.run(small_config, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"thesis.tex"}


def test_an_unwritable_place_is_said(tmp_path, small_config):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot write"):
        api.run(small_config, tmp_path / "file" / "run")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_said(tmp_path, small_config):
    tmp_path.chmod(0o500)
    with pytest.raises(RunFolderError, match="cannot write"):
        api.run(small_config, tmp_path / "run")


def test_two_runs_cannot_write_to_one_folder(tampered, small_config):
    holder = "import fcntl, sys, time; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); time.sleep(60)"
    other = subprocess.Popen([sys.executable, "-c", holder, str(tampered / ".lock")], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunFolderError, match="another run is writing"):
            api.run(small_config, tampered)
    finally:
        other.kill()
        other.wait()


def test_a_corrupt_description_is_written_anew(tampered, small_config):
    (tampered / "run.json").write_text("{")
    _, heard = run_again(small_config, tampered)
    assert any("run.json" in line for line in heard.warnings)
    assert json.loads((tampered / "run.json").read_text())["config"]["queries"] == 12


def test_scoring_refuses_a_damaged_cell_by_name(tampered):
    cell = cell_of(tampered, "identity")
    (cell / "rows.parquet").write_bytes(b"no table")
    with pytest.raises(RunFolderError, match=r"identity.*rows\.parquet is not the file that was written"):
        api.score(tampered)
