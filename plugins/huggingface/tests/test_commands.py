"""`sensecf-bench adapter` and `sensecf-bench checkpoint`, as a user types them."""

from __future__ import annotations

import shutil
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from sensecf_huggingface import commands
from sensecf_huggingface.adapters import Adapters, Identity, Trained
from sensecf_huggingface.checkpoint import find
from sensecf_huggingface.loaded import load
from typer.testing import CliRunner

from sensecf_bench import Unavailable


@pytest.fixture
def adapter(llama_folder, tmp_path):
    from test_loaded import random_adapter

    saved = random_adapter(llama_folder, tmp_path / "saved")
    identity = Identity.of(find(str(llama_folder)), {"rank": 4}, 0, "examples")
    return Adapters(tmp_path / "cache").obtain(identity, lambda _: Trained(saved, {"best": 0.5}))


def typed(app, *words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(done.exception, Unavailable):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_adapters_are_listed(adapter, tmp_path):
    said = typed(commands.adapter, "list", "--cache", tmp_path / "cache")
    assert said.startswith(f"{adapter.key}  small-llama@local  seed 0  validity 0.500  ")
    assert typed(commands.adapter, "list", "--cache", tmp_path / "empty") == ""


def test_an_adapter_goes_out_and_in(adapter, tmp_path):
    file, elsewhere = tmp_path / "adapter.zip", tmp_path / "elsewhere"
    said = typed(commands.adapter, "export", adapter.key[:6], file, "--cache", tmp_path / "cache")
    assert said == f"{adapter.key} written to {file}\n"
    assert "imported" in typed(commands.adapter, "import", file, "--cache", elsewhere)
    assert "was there already" in typed(commands.adapter, "import", file, "--cache", elsewhere)
    assert typed(commands.adapter, "list", "--cache", elsewhere).startswith(adapter.key)


def test_the_users_cache_is_where_runs_keep_theirs(adapter, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    shutil.move(tmp_path / "cache", tmp_path / "sensecf-bench")
    assert typed(commands.adapter, "list").startswith(adapter.key)


@pytest.mark.parametrize(("key", "reason"), [("zz", "there is no adapter zz"), ("", "2 adapters have keys")])
def test_a_key_is_one_adapter_s(adapter, tmp_path, key, reason):
    shutil.copytree(adapter.folder, adapter.folder.with_name("another"))
    with pytest.raises(Unavailable, match=reason):
        typed(commands.adapter, "export", key, tmp_path / "x.zip", "--cache", tmp_path / "cache")


def test_a_checkpoint_is_shown(llama_folder):
    said = typed(commands.checkpoint, "show", llama_folder)
    assert f"fingerprint {find(str(llama_folder)).fingerprint}" in said
    assert "LlamaForCausalLM" in said
    assert "a chat template" in said


# -- pickle ----------------------------------------------------------------------------------------------------------
@pytest.fixture
def pickled(mistral_folder, tmp_path):
    """The small Mistral as older checkpoints were kept, one tensor with an attribute as BioMistral's have."""
    folder = Path(shutil.copytree(mistral_folder, tmp_path / "pickled"))
    (folder / "model.safetensors").unlink()
    tensors = OrderedDict(load(find(str(mistral_folder))).model.state_dict())
    tensors["model.norm.weight"].tag = "seen"  # pickled by torch._tensor._rebuild_from_type_v2
    torch.save(tensors, folder / "pytorch_model.bin")
    assert b"_rebuild_from_type_v2" in (folder / "pytorch_model.bin").read_bytes()
    return folder


def test_a_pickled_checkpoint_is_refused_and_its_cure_works(pickled, mistral_folder, tmp_path):
    with pytest.raises(Unavailable, match="as pickle") as caught:
        find(str(pickled))
    out = tmp_path / "converted"
    words = caught.value.fix.partition("checkpoint convert ")[2].split()
    assert words[0] == str(pickled)
    typed(commands.checkpoint, "convert", words[0], out)
    converted = find(str(out))
    assert converted.parameters == find(str(mistral_folder)).parameters
    assert not list(out.glob("*.bin"))
    theirs, ours = load(find(str(mistral_folder))).model.state_dict(), load(converted).model.state_dict()
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(theirs[name], ours[name]) for name in theirs)


def test_a_pickle_as_torch_wrote_them_long_ago(pickled, tmp_path):
    file = pickled / "pytorch_model.bin"
    torch.save(torch.load(file, weights_only=True), file, _use_new_zipfile_serialization=False)
    typed(commands.checkpoint, "convert", pickled, tmp_path / "converted")
    assert find(str(tmp_path / "converted"))


def test_pickles_in_several_files_are_one_checkpoint(pickled, tmp_path):
    import json

    tensors = torch.load(pickled / "pytorch_model.bin", weights_only=True)
    (pickled / "pytorch_model.bin").unlink()
    names = sorted(tensors)
    halves = {"pytorch_model-1.bin": names[: len(names) // 2], "pytorch_model-2.bin": names[len(names) // 2 :]}
    for file, part in halves.items():
        torch.save({name: tensors[name] for name in part}, pickled / file)
    index = {"weight_map": {name: file for file, part in halves.items() for name in part}}
    (pickled / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    typed(commands.checkpoint, "convert", pickled, tmp_path / "converted")
    assert find(str(tmp_path / "converted"))
    (pickled / "pytorch_model-2.bin").unlink()
    with pytest.raises(Unavailable, match=r"lacks pytorch_model-2\.bin"):
        typed(commands.checkpoint, "convert", pickled, tmp_path / "again")


class Harmful:
    def __reduce__(self):
        return (Path.touch, (Path("harmed"),))


@pytest.mark.parametrize("content", [Harmful(), {"weight": Harmful()}, {"weight": 3}, [1, 2]])
def test_a_pickle_that_holds_more_than_tensors_is_refused_and_does_nothing(pickled, tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    torch.save(content, pickled / "pytorch_model.bin")
    with pytest.raises(Unavailable, match=r"without running code|something else than tensors"):
        typed(commands.checkpoint, "convert", pickled, tmp_path / "converted")
    assert not (tmp_path / "harmed").exists()
    assert not (tmp_path / "converted").exists()


def test_a_pickle_cut_off(pickled, tmp_path):
    file = pickled / "pytorch_model.bin"
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(Unavailable, match="cannot be read"):
        typed(commands.checkpoint, "convert", pickled, tmp_path / "converted")


def test_nothing_is_overwritten_and_nothing_made_of_nothing(pickled, llama_folder, tmp_path):
    with pytest.raises(Unavailable, match="exists already"):
        typed(commands.checkpoint, "convert", pickled, tmp_path)
    with pytest.raises(Unavailable, match=r"has no pytorch_model\.bin"):
        typed(commands.checkpoint, "convert", llama_folder, tmp_path / "new")
