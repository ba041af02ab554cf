"""A training that was killed ends with the weights it would have had, and damage or confusion is told, never trained on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from sensecf_huggingface.tuning import training
from sensecf_huggingface.tuning.progress import quiet
from tuning_tasks import RECIPE, modesty, reversals, small

from sensecf_bench.errors import RunFolderError

TESTS = Path(__file__).parent
EVERY_FOUR = replace(RECIPE, checkpoint_steps=4)


class StopHereError(Exception):
    """Ends a training from within, as far as its files are concerned as a kill would."""


@pytest.fixture(scope="module")
def unbroken(llama_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    return training.fine_tune(small(llama_folder), reversals(), RECIPE, folder, validate=modesty, note=quiet)


@pytest.fixture
def broken(llama_folder, tmp_path):
    """A folder in which a training ended after its step 10; the last checkpoint is that of step 8."""

    def stop(progress):
        if progress.step == 10:
            raise StopHereError

    with pytest.raises(StopHereError):
        training.fine_tune(small(llama_folder), reversals(), EVERY_FOUR, tmp_path, validate=modesty, note=stop)
    return tmp_path


def go_on(llama_folder, folder, recipe=EVERY_FOUR, examples=None):
    told = []
    tuned = training.fine_tune(
        small(llama_folder), examples or reversals(), recipe, folder, validate=modesty, note=told.append
    )
    return tuned, [p.remark for p in told if p.remark]


def assert_same(tuned, unbroken):
    ours, theirs = (load_file(t.adapter_folder / "adapter_model.safetensors") for t in (tuned, unbroken))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert (tuned.losses, tuned.validity, tuned.steps) == (unbroken.losses, unbroken.validity, unbroken.steps)


def test_killed_in_earnest_it_ends_with_the_same_weights(llama_folder, tmp_path, unbroken):
    command = [sys.executable, str(TESTS / "tuning_tasks.py"), str(llama_folder), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=TESTS) as process:
        for line in process.stdout:
            if line.startswith("step 14/"):
                os.kill(process.pid, signal.SIGKILL)
                break
        process.stdout.read()
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "adapter").exists()
    tuned, remarks = go_on(llama_folder, tmp_path)
    assert remarks in (["going on after step 12"], ["going on after step 16"])  # it may have run on a little
    assert_same(tuned, unbroken)


def test_the_best_from_before_the_end_is_brought_along(llama_folder, broken, unbroken):
    (place,) = (broken / "checkpoints").iterdir()
    assert json.loads((place / "state.json").read_text())["state"]["validity"] == unbroken.validity
    best = load_file(place / "best.safetensors")
    tuned, _ = go_on(llama_folder, broken)
    kept = load_file(tuned.adapter_folder / "adapter_model.safetensors")
    assert all(torch.equal(best[name.replace(".weight", ".default.weight")], kept[name]) for name in kept)


def test_checkpoints_hold_tensors_and_json_and_only_the_latest_stays(broken):
    (place,) = (broken / "checkpoints").iterdir()
    assert place.name == "step-00000008"
    assert sorted(f.name for f in place.iterdir()) == [
        "best.safetensors",
        "moments.safetensors",
        "state.json",
        "weights.safetensors",
    ]
    assert json.loads((place / "state.json").read_text())["state"]["step"] == 8
    for file in place.glob("*.safetensors"):
        load_file(file)


def test_a_finished_training_leaves_no_checkpoints_and_is_not_done_again(llama_folder, broken, unbroken):
    tuned, remarks = go_on(llama_folder, broken)
    assert remarks == ["going on after step 8"]
    assert_same(tuned, unbroken)
    assert sorted(f.name for f in broken.iterdir()) == ["adapter", "tuned.json"]
    again, remarks = go_on(llama_folder, broken)
    assert (again, remarks) == (tuned, [])


@pytest.mark.parametrize("name", ["weights.safetensors", "moments.safetensors", "best.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["cut", "gone", "changed"])
def test_damage_is_named_and_the_training_starts_afresh(llama_folder, broken, unbroken, name, damage):
    file = broken / "checkpoints" / "step-00000008" / name
    content = file.read_bytes()
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(content[: len(content) // 2] if damage == "cut" else b"\0" + content[1:])
    tuned, remarks = go_on(llama_folder, broken)
    assert len(remarks) == 1
    assert remarks[0].startswith("not going on from a damaged checkpoint")
    assert name in remarks[0]
    assert_same(tuned, unbroken)


def test_a_write_that_was_cut_off_is_not_taken_for_a_checkpoint(llama_folder, broken, unbroken):
    (broken / "checkpoints" / "unfinished").mkdir()
    (broken / "checkpoints" / "unfinished" / "weights.safetensors").write_bytes(b"half")
    tuned, remarks = go_on(llama_folder, broken)
    assert remarks == ["going on after step 8"]
    assert_same(tuned, unbroken)


@pytest.mark.parametrize("state", ["under way", "finished"])
def test_another_trainings_folder_is_refused_by_what_differs(llama_folder, mistral_folder, broken, state):
    if state == "finished":
        go_on(llama_folder, broken)
    with pytest.raises(RunFolderError, match=r"learning_rate 0\.02 there, 0\.001 here.*\n.*another folder"):
        go_on(llama_folder, broken, replace(EVERY_FOUR, learning_rate=1e-3))
    with pytest.raises(RunFolderError, match=r"base '.*' there, '.*' here"):
        go_on(mistral_folder, broken)
    with pytest.raises(RunFolderError, match=r"examples '.*' there, '.*' here"):
        go_on(llama_folder, broken, examples=reversals(seed=1))


def test_how_often_checkpoints_are_written_is_no_part_of_a_training(llama_folder, broken, unbroken):
    tuned, remarks = go_on(llama_folder, broken, replace(EVERY_FOUR, checkpoint_steps=7, report_seconds=100.0))
    assert remarks == ["going on after step 8"]
    assert_same(tuned, unbroken)


def test_a_training_killed_after_it_stopped_early_stays_stopped(llama_folder, tmp_path):
    scores = iter([0.5, 0.4])
    recipe = replace(RECIPE, validate_every=4, patience=1, checkpoint_steps=8)

    def stop(progress):
        if progress.remark:
            raise StopHereError

    with pytest.raises(StopHereError):
        training.fine_tune(
            small(llama_folder), reversals(), recipe, tmp_path, validate=lambda model: next(scores), note=stop
        )
    tuned = training.fine_tune(small(llama_folder), reversals(), recipe, tmp_path, validate=modesty, note=quiet)
    assert (tuned.steps, tuned.validity) == (8, 0.5)
