"""An augmentation that is killed and taken up again ends where an unbroken one ends."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

PATIENCE = 120.0
ARMS = 10  # full, reduced, four controls, three sentinels and the generator, under each seed


def command(folder, plugins):
    words = ["--plugin", plugins / "scarce.py", "--datasets", "cohort", "--generators", "halfway"]
    words += ["--classifiers", "random-forest", "--metrics", "validity", "--queries", "4", "--resamples", "100"]
    words += ["--config", plugins / "small_shards.yaml", "--augmentation", "quick", "--set", "augmentation.seeds=0,1"]
    return [sys.executable, "-m", "sensecf_bench", "run", *map(str, words), "--out", str(folder)]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, single_file_plugins):
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    subprocess.run(command(folder, single_file_plugins), check=True, capture_output=True)
    return folder


def essence(folder):
    """A results document without what depends on the clock."""
    document = json.loads((folder / "results.json").read_text())
    for row in document["rows"]:
        row["fit"].pop("seconds")
    del document["timing"], document["provenance"]["date"]
    return document


def kill_when(condition, command_line):
    process = subprocess.Popen(
        command_line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, "the run ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL


def test_an_augmentation_killed_at_four_moments_ends_like_an_unbroken_one(tmp_path, unbroken, single_file_plugins):
    folder = tmp_path / "run"

    def there(pattern):
        return {path: path.stat().st_mtime_ns for path in folder.glob(pattern)}

    kill_when(lambda: len(there("cells/*A50*/shard-*.bin")) >= 2, command(folder, single_file_plugins))
    for stored in (1, 7, 14):
        kill_when(lambda n=stored: len(there("augmentation/[!.]*.bin")) >= n, command(folder, single_file_plugins))
    assert not (folder / "results.json").exists()
    kept = there("augmentation/[!.]*.bin")
    assert 14 <= len(kept) < 2 * ARMS
    subprocess.run(command(folder, single_file_plugins), check=True, capture_output=True)
    assert essence(folder) == essence(unbroken)
    assert there("augmentation/[!.]*.bin").items() >= kept.items()
    names = {p.name for p in folder.glob("augmentation/*")}
    assert names == {p.name for p in unbroken.glob("augmentation/*")}
    assert len(names) == 2 * ARMS
