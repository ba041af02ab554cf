"""Adapters: trained once by whoever comes first, found again by what decided them, and refused when anything is off."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import ClassVar

import pytest
from sensecf_huggingface.adapters import Adapters, Identity, Trained, checked, for_base
from sensecf_huggingface.archive import bring_in, export
from sensecf_huggingface.checkpoint import find

from sensecf_bench import Unavailable

RECIPE = {"rank": 4, "learning_rate": 2e-4, "targets": "all-linear"}
FILES = ("adapter_config.json", "adapter_model.safetensors", "sensecf.json")


@pytest.fixture(scope="module")
def saved(llama_folder, tmp_path_factory):
    """An adapter as peft saves it."""
    from test_loaded import random_adapter

    return random_adapter(llama_folder, tmp_path_factory.mktemp("saved") / "adapter")


@pytest.fixture
def base(llama_folder):
    return find(str(llama_folder))


@pytest.fixture
def identity(base):
    return Identity.of(base, RECIPE, seed=3, data="examples")


@pytest.fixture
def adapters(tmp_path):
    return Adapters(tmp_path / "cache")


@pytest.fixture
def adapter(adapters, identity, saved):
    return adapters.obtain(identity, lambda _: Trained(saved, {"best": 0.75, "history": [0.5, 0.75]}))


def forbidden(_):
    raise AssertionError("it was trained again")


# -- the cache -------------------------------------------------------------------------------------------------------
def test_an_adapter_is_trained_once_and_found_again(adapters, adapter, identity):
    assert adapters.obtain(identity, forbidden) == adapter
    assert adapters.get(identity) == adapter
    assert list(adapters.all()) == [adapter]
    assert sorted(p.name for p in adapter.folder.iterdir()) == sorted(FILES)


def test_a_manifest_says_what_decided_it_and_how_it_did(adapter, identity, base):
    manifest = json.loads((adapter.folder / "sensecf.json").read_text())
    assert manifest["identity"] == {
        "base": "small-llama",
        "revision": "local",
        "base_fingerprint": base.fingerprint,
        "recipe": RECIPE,
        "seed": 3,
        "data": "examples",
    }
    assert manifest["validation"] == {"best": 0.75, "history": [0.5, 0.75]}
    assert set(manifest["versions"]) == {"torch", "transformers", "peft", "sensecf-bench-huggingface"}
    assert adapter.folder.name == identity.key


def test_nothing_in_an_adapter_says_where_it_was_trained(adapter, llama_folder, tmp_path):
    for name in ("adapter_config.json", "sensecf.json"):
        text = (adapter.folder / name).read_text()
        assert str(llama_folder) not in text
        assert str(tmp_path) not in text


def test_an_adapter_is_loaded_on_its_base(adapter, base):
    import torch
    from sensecf_huggingface.loaded import load
    from test_loaded import logits

    assert not torch.equal(logits(load(base, adapter=for_base(adapter.folder, base).folder)), logits(load(base)))


@pytest.mark.parametrize(
    "other", [{"seed": 4}, {"data": "others"}, {"recipe": {**RECIPE, "rank": 8}}, {"base_fingerprint": "0" * 64}]
)
def test_whatever_decides_an_adapter_decides_its_key(identity, other):
    assert identity.model_copy(update=other).key != identity.key


@pytest.mark.parametrize(
    "other", [{"base": "renamed"}, {"revision": "a" * 40}, {"recipe": dict(reversed(RECIPE.items()))}]
)
def test_names_and_order_decide_nothing(identity, other):
    assert identity.model_copy(update=other).key == identity.key


def test_training_that_fails_leaves_no_adapter_and_its_work(adapters, identity, saved):
    def fails(folder):
        (folder / "progress").write_text("half-way")
        raise RuntimeError("no power")

    with pytest.raises(RuntimeError, match="no power"):
        adapters.obtain(identity, fails)
    assert adapters.get(identity) is None

    def goes_on(folder):
        assert (folder / "progress").read_text() == "half-way"
        return Trained(saved)

    assert adapters.obtain(identity, goes_on)
    assert not list((adapters.folder.parent / "training").iterdir())


def test_training_that_hands_over_no_adapter_is_not_kept(adapters, identity, saved, tmp_path):
    broken = Path(shutil.copytree(saved, tmp_path / "broken"))
    file = broken / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(Exception, match="cut off"):
        adapters.obtain(identity, lambda _: Trained(broken))
    assert adapters.get(identity) is None


WORKER = """
import sys, time
from pathlib import Path
from sensecf_huggingface.adapters import Adapters, Identity, Trained

cache, saved, identity, log, gate = sys.argv[1:]
def train(folder):
    with open(log, "a") as file:
        file.write("trained\\n")
    while not Path(gate).exists():
        time.sleep(0.02)
    return Trained(Path(saved))
print(Adapters(Path(cache)).obtain(Identity.model_validate_json(identity), train).key)
"""


@pytest.fixture
def workers(tmp_path, identity, saved):
    """Processes that want the same adapter; whoever trains it is not done before `gate` exists."""

    class Workers:
        log, gate = tmp_path / "log", tmp_path / "gate"
        processes: ClassVar[list[subprocess.Popen[str]]] = []

        def start(self):
            words = [tmp_path / "cache", saved, identity.model_dump_json(), self.log, self.gate]
            command = [sys.executable, "-c", WORKER, *map(str, words)]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            self.processes.append(process)
            return process

        def start_training(self):
            process = self.start()
            deadline = time.monotonic() + 60
            while not self.log.exists():
                assert time.monotonic() < deadline
                time.sleep(0.02)
            return process

        def start_waiting(self):
            process = self.start()
            assert "another process makes adapter" in process.stderr.readline()
            return process

    yield Workers()
    for process in Workers.processes:
        process.kill()
        process.communicate()


def test_of_several_processes_one_trains_and_the_others_wait(workers, identity):
    everybody = [workers.start_training(), workers.start_waiting(), workers.start_waiting()]
    workers.gate.touch()
    assert [process.communicate(timeout=60)[0] for process in everybody] == [f"{identity.key}\n"] * 3
    assert workers.log.read_text() == "trained\n"


def test_a_process_that_is_killed_leaves_the_adapter_to_the_next(workers, identity):
    first, second = workers.start_training(), workers.start_waiting()
    first.kill()
    workers.gate.touch()
    assert second.communicate(timeout=60)[0] == f"{identity.key}\n"
    assert workers.log.read_text() == "trained\ntrained\n"


# -- what is refused -------------------------------------------------------------------------------------------------
def test_an_adapter_for_another_base_names_both(adapter, base, mistral_folder):
    other = find(str(mistral_folder))
    with pytest.raises(Unavailable, match="was trained on small-llama") as caught:
        for_base(adapter.folder, other)
    assert f"not on {other.name}" in caught.value.reason
    assert base.fingerprint[:12] in caught.value.reason
    assert other.fingerprint[:12] in caught.value.reason
    assert "use it with small-llama" in caught.value.fix


def test_the_same_base_elsewhere_is_the_same(adapter, llama_folder, tmp_path):
    moved = find(str(shutil.copytree(llama_folder, tmp_path / "another-name")))
    assert for_base(adapter.folder, moved) == adapter


def cut(file):
    file.write_bytes(file.read_bytes()[:-1])


def flip(file):
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", [cut, flip, Path.unlink], ids=["cut", "flipped", "missing"])
def test_a_damaged_adapter_is_refused(adapters, adapter, identity, name, harm):
    harm(adapter.folder / name)
    with pytest.raises(Unavailable, match="is damaged") as caught:
        adapters.obtain(identity, forbidden)
    assert name in caught.value.reason
    assert f"delete {adapter.folder}" in caught.value.fix


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"files": {}},
        {"surplus": 1},
        {"identity": None},
        {"files": {"../../x": {"sha256": "0" * 64, "bytes": 3}}},
    ],
)
def test_a_manifest_that_is_none(adapter, change):
    file = adapter.folder / "sensecf.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(Unavailable, match=r"sensecf\.json"):
        checked(adapter.folder)


def test_no_folder_and_no_manifest(tmp_path, saved):
    with pytest.raises(Unavailable, match="no such folder"):
        checked(tmp_path / "nowhere")
    with pytest.raises(Unavailable, match=r"sensecf\.json"):
        checked(saved)


@pytest.mark.parametrize("config", [{"peft_type": "PREFIX_TUNING"}, {}, []])
def test_what_is_no_lora_adapter(adapters, identity, saved, tmp_path, config):
    other = Path(shutil.copytree(saved, tmp_path / "other"))
    (other / "adapter_config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="is not that of a LoRA adapter"):
        adapters.obtain(identity, lambda _: Trained(other))


# -- from machine to machine -----------------------------------------------------------------------------------------
@pytest.fixture
def exported(adapter, tmp_path):
    export(adapter, tmp_path / "adapter.zip")
    return tmp_path / "adapter.zip"


@pytest.fixture
def elsewhere(tmp_path):
    return Adapters(tmp_path / "elsewhere")


def test_an_adapter_travels(adapter, exported, elsewhere, identity):
    brought, new = bring_in(exported, elsewhere)
    assert new
    assert elsewhere.obtain(identity, forbidden) == brought
    for name in FILES:
        assert (brought.folder / name).read_bytes() == (adapter.folder / name).read_bytes()
    assert bring_in(exported, elsewhere) == (brought, False)


def test_the_same_adapter_makes_the_same_file(adapter, exported, tmp_path):
    export(adapter, tmp_path / "again.zip")
    assert exported.read_bytes() == (tmp_path / "again.zip").read_bytes()


def rewritten(exported, changes=None, more=(), compression=zipfile.ZIP_STORED):
    """The same archive with other contents: `changes` by name, None to leave one out, `more` as pairs."""
    with zipfile.ZipFile(exported) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()} | (changes or {})
    spoilt = exported.with_name("spoilt.zip")
    with zipfile.ZipFile(spoilt, "w", compression) as archive:
        for name, content in [*entries.items(), *more]:
            if content is not None:
                archive.writestr(name, content)
    return spoilt


@pytest.mark.parametrize(
    "change",
    [
        {"more": [("../../escaped", b"x")]},
        {"more": [("/tmp/escaped", b"x")]},
        {"more": [("adapter_model.bin", b"x")]},
        {"changes": {"adapter_config.json": None}},
        {"changes": {"sensecf.json": None}},
        {"changes": {"sensecf.json": b"{}"}},
        {"changes": {"sensecf.json": b" " * (2**20 + 1)}},
        {"changes": {"adapter_model.safetensors": b"x" * 10}},
        {"compression": zipfile.ZIP_DEFLATED},
    ],
)
def test_an_archive_of_anything_else_is_refused(exported, elsewhere, tmp_path, change):
    spoilt = rewritten(exported, **change)
    before = {p for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(Unavailable) as caught:
        bring_in(spoilt, elsewhere)
    assert str(spoilt) in caught.value.reason
    assert caught.value.fix
    assert {p for p in tmp_path.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("name", FILES[:2])
def test_a_file_that_was_changed_on_the_way_is_refused(exported, elsewhere, name):
    with zipfile.ZipFile(exported) as archive:
        content = bytearray(archive.read(name))
    content[-2] ^= 1
    with pytest.raises(Unavailable, match=f"{name} is not what it was"):
        bring_in(rewritten(exported, {name: bytes(content)}), elsewhere)
    assert list(elsewhere.all()) == []


def test_the_key_is_worked_out_and_not_believed(exported, elsewhere, identity):
    """A manifest with another seed is another adapter: it cannot take the place of the one it was made from."""
    with zipfile.ZipFile(exported) as archive:
        manifest = json.loads(archive.read("sensecf.json"))
    manifest["identity"]["seed"] += 1
    bring_in(rewritten(exported, {"sensecf.json": json.dumps(manifest)}), elsewhere)
    assert elsewhere.get(identity) is None


@pytest.mark.parametrize("left", [0, 10, -1, -200])
def test_an_archive_cut_off(exported, elsewhere, left):
    exported.write_bytes(exported.read_bytes()[:left])
    with pytest.raises(Unavailable, match="is no adapter that can be read"):
        bring_in(exported, elsewhere)


def test_an_archive_that_is_not_there(tmp_path, elsewhere):
    with pytest.raises(Unavailable, match="there is no file"):
        bring_in(tmp_path / "nothing.zip", elsewhere)
    assert not elsewhere.folder.parent.exists()


def test_an_archive_that_cannot_be_written(adapter, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="cannot be written"):
        export(adapter, tmp_path / "file" / "adapter.zip")
