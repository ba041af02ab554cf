"""Real runs with small checkpoints: the generators of 7 and 8 billion parameters, unchanged but for `model=FOLDER`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest
from sensecf_huggingface.adapters import Adapters, Identity, Trained
from sensecf_huggingface.checkpoint import find

from sensecf_bench import api
from sensecf_bench.cli.main import main
from sensecf_bench.errors import BenchError

LLAMA, MISTRAL = "llama-3.1-8b-ft", "biomistral-7b-ft"
K = 3
SHORT = {"epochs": 0.02, "several": 1, "rank": 4, "tuning_batch": 4}
BASIS = {
    "datasets": ("diabetes-progression",),
    "classifiers": ("svm",),
    "metrics": ("validity",),
    "queries": 3,
    "jobs": 1,
    "resamples": 100,
    "timeout": 200.0,
    "augmentation": "off",
}


def state(cache: Path) -> dict[str, tuple[int, int]]:
    """Every file of a cache but the locks, with its size and when it was written."""
    files = [file for file in cache.rglob("*") if file.is_file() and file.suffix != ".lock"]
    return {str(file.relative_to(cache)): (file.stat().st_size, file.stat().st_mtime_ns) for file in files}


@pytest.fixture(scope="module")
def twice(llama_folder, mistral_folder, tmp_path_factory):
    """Two runs of the same from one cache, and what the cache held after each."""
    home = tmp_path_factory.mktemp("runs")
    options = {
        LLAMA: {"model": str(llama_folder), "rationale": True, **SHORT},
        MISTRAL: {"model": str(mistral_folder), "rationale": False, **SHORT},
    }
    config = api.RunConfig(**BASIS, generators=(LLAMA, MISTRAL), k=K, cache=home / "cache", options=options)
    first = api.run(config, home / "first")
    after_first = state(home / "cache")
    second = api.run(config, home / "second")
    return first, second, after_first, state(home / "cache")


@pytest.mark.parametrize("name", [LLAMA, MISTRAL])
def test_every_query_is_found(twice, name):
    first = twice[0]
    assert first.failed == []
    queries = first.queries.query("cf_generator == @name")
    assert list(queries["cf_outcome"]) == ["FOUND"] * 3
    assert (queries["cf_prompt_tokens"] > 0).all()
    assert (queries["cf_completion_tokens"] > 0).all()


@pytest.mark.parametrize("name", [LLAMA, MISTRAL])
def test_several_rows_a_query_none_twice_and_none_refused(twice, name):
    rows = twice[0].counterfactuals.query("cf_generator == @name")
    assert set(rows["cf_reason"]) == {""}
    assert rows.groupby("query_id").size().between(1, K).all()
    assert len(rows) > 3  # samples of a random model are not all alike
    features = [name for name in rows.columns if not name.startswith("cf_")]
    assert not rows.duplicated(features).any()


def test_reasons_are_given_where_they_were_asked_for(twice):
    rows = twice[0].counterfactuals
    assert (rows.query("cf_generator == @MISTRAL")["cf_rationale"] == "").all()
    assert (rows.query("cf_generator == @LLAMA")["cf_rationale"] != "").any()


def test_a_second_run_trains_nothing_and_answers_alike(twice):
    first, second, before, after = twice
    assert sum(name.endswith("sensecf.json") for name in before) == 2
    assert after == before
    pd.testing.assert_frame_equal(first.counterfactuals, second.counterfactuals)
    timeless = [name for name in first.queries.columns if name != "cf_seconds"]
    pd.testing.assert_frame_equal(first.queries[timeless], second.queries[timeless])


# -- what cannot be used is said before anything runs ------------------------------------------------------------------
def without_folder(folder: Path) -> None:
    shutil.rmtree(folder)


def only_pickle(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def cut_off(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def without_tokenizer(folder: Path) -> None:
    for file in folder.glob("tokenizer*"):
        file.unlink()


BROKEN = {
    without_folder: ("no such folder", "save_pretrained"),
    only_pickle: ("pickle", "sensecf-bench checkpoint convert"),
    cut_off: ("model.safetensors", ""),
    without_tokenizer: ("tokenizer", ""),
}


@pytest.fixture
def typed(capsys, monkeypatch):
    """Types a command: how it ended, and what it said."""

    def go(*words) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["sensecf-bench", *(str(word) for word in words)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code, "".join(capsys.readouterr())

    return go


@pytest.fixture
def copy(llama_folder, tmp_path) -> Path:
    return Path(shutil.copytree(llama_folder, tmp_path / "copy"))


@pytest.mark.parametrize("harm", BROKEN, ids=lambda harm: harm.__name__)
def test_a_run_of_what_cannot_be_used_is_refused_with_its_cure(copy, tmp_path, typed, harm):
    harm(copy)
    planned, _ = api.plan(api.RunConfig(**BASIS, generators=(LLAMA,), options={LLAMA: {"model": str(copy)}}))
    (skipped,) = planned.skipped
    assert planned.cells == ()
    reason, cure = BROKEN[harm]
    assert reason in skipped.reason
    assert cure in skipped.fix
    assert skipped.fix

    out = tmp_path / "run"
    words = ("run", "--generators", LLAMA, "--queries", "3", "--augmentation", "off", "--out", out)
    code, said = typed(*words, "--set", f"{LLAMA}.model={copy}")
    assert code == 3
    assert skipped.reason in said
    assert not out.exists()


@pytest.mark.parametrize("harm", BROKEN, ids=lambda harm: harm.__name__)
def test_what_cannot_be_used_is_skipped_beside_what_can(copy, harm):
    harm(copy)
    planned, _ = api.plan(api.RunConfig(**BASIS, generators=(LLAMA, "identity"), options={LLAMA: {"model": str(copy)}}))
    assert [cell.generator.name for cell in planned.cells] == ["identity"]
    assert [skipped.generator for skipped in planned.skipped] == [LLAMA]


def test_the_list_says_why_and_what_to_do(typed, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    _, said = typed("list", "generators")
    line = next(line for line in said.splitlines() if line.startswith(f"{LLAMA} "))
    assert "is not in" in line
    assert "hf download meta-llama/Llama-3.1-8B-Instruct" in line
    assert "unavailable" not in next(line for line in said.splitlines() if line.startswith("llama-micro-ft "))


@pytest.fixture
def of_mistral(mistral_folder, tmp_path) -> Path:
    """A finished adapter that was trained on the small Mistral."""
    from test_loaded import random_adapter

    saved = random_adapter(mistral_folder, tmp_path / "saved")
    identity = Identity.of(find(str(mistral_folder)), {"rank": 4}, 0, "examples")
    return Adapters(tmp_path / "others").obtain(identity, lambda _: Trained(saved, {"best": 0.5})).folder


def test_an_adapter_for_another_base_is_refused_before_anything_runs(llama_folder, of_mistral):
    options = {LLAMA: {"model": str(llama_folder), "adapter": str(of_mistral)}}
    planned, _ = api.plan(api.RunConfig(**BASIS, generators=(LLAMA, "identity"), options=options))
    (skipped,) = planned.skipped
    assert "small-mistral" in skipped.reason
    assert "small-llama" in skipped.reason


def test_an_adapter_for_another_base_answers_nobody(llama_folder, of_mistral, tmp_path):
    options = {LLAMA: {"model": str(llama_folder), "adapter": str(of_mistral)}}
    config = api.RunConfig(**BASIS, generators=(LLAMA,), cache=tmp_path / "cache", options=options)
    try:
        said = "; ".join(api.run(config, tmp_path / "run").failed)
    except BenchError as error:  # refused when it was planned
        said = str(error)
    assert "small-mistral" in said
    assert "small-llama" in said
