"""Loading: an adapter changes what a model says, types are as asked, and two loads are one model."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from sensecf_huggingface.checkpoint import find
from sensecf_huggingface.loaded import load

from sensecf_bench import Unavailable

FAMILIES = ("llama", "mistral")


@pytest.fixture(params=FAMILIES)
def checkpoint(request):
    return find(str(request.getfixturevalue(f"{request.param}_folder")))


@pytest.fixture
def adapter(checkpoint, tmp_path):
    """A LoRA adapter with random weights, as peft saves it."""
    return random_adapter(checkpoint.folder, tmp_path / "adapter")


def random_adapter(base, folder, seed=0):
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = LoraConfig(
            r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False
        )
        get_peft_model(AutoModelForCausalLM.from_pretrained(base), config).save_pretrained(folder)
    return folder


def logits(loaded, text="Answer in JSON: the age is 40."):
    ids = torch.tensor([loaded.tokenizer(text, add_special_tokens=False)["input_ids"]])
    with torch.inference_mode():
        return loaded.model(ids).logits.float()


def test_two_loads_are_equal(checkpoint, adapter):
    for one in (None, adapter):
        assert torch.equal(logits(load(checkpoint, adapter=one)), logits(load(checkpoint, adapter=one)))


def test_what_is_loaded_is_what_was_saved(checkpoint):
    from transformers import AutoModelForCausalLM

    theirs = AutoModelForCausalLM.from_pretrained(checkpoint.folder).eval()
    ours = load(checkpoint)
    ids = torch.arange(3, 60)[None]
    with torch.inference_mode():
        assert torch.equal(ours.model(ids).logits, theirs(ids).logits)


def test_an_adapter_changes_what_is_said_as_peft_has_it(checkpoint, adapter):
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    plain, adapted = load(checkpoint), load(checkpoint, adapter=adapter)
    assert not torch.allclose(logits(plain), logits(adapted), atol=0.1)
    theirs = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(checkpoint.folder), adapter).eval()
    unmerged = dataclasses.replace(adapted, model=theirs)
    torch.testing.assert_close(logits(adapted), logits(unmerged), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("asked", "stored", "got"),
    [
        ("auto", "float32", torch.float32),
        ("auto", "bfloat16", torch.bfloat16),
        ("auto", "float16", torch.bfloat16),
        ("bfloat16", "float32", torch.bfloat16),
        ("float32", "bfloat16", torch.float32),
        ("float16", "float32", torch.float16),
    ],
)
def test_types_are_as_asked_on_a_cpu(llama_folder, tmp_path, asked, stored, got):
    from transformers import AutoModelForCausalLM

    folder = Path(shutil.copytree(llama_folder, tmp_path / "stored"))
    model = AutoModelForCausalLM.from_pretrained(llama_folder, dtype=getattr(torch, stored))
    model.save_pretrained(folder)
    checkpoint = find(str(folder))
    assert checkpoint.dtype == stored
    loaded = load(checkpoint, device="cpu", dtype=asked)
    assert loaded.dtype == got
    assert {p.dtype for p in loaded.model.parameters()} == {got}


@pytest.mark.parametrize("kind", ["float32", "bfloat16"])
def test_an_adapter_takes_the_type_of_its_base(checkpoint, adapter, kind):
    loaded = load(checkpoint, dtype=kind, adapter=adapter)
    assert {str(p.dtype) for p in loaded.model.parameters()} == {f"torch.{kind}"}
    assert torch.isfinite(logits(loaded)).all()


def test_a_loaded_model_only_answers(checkpoint, adapter):
    for one in (None, adapter):
        loaded = load(checkpoint, adapter=one)
        assert not loaded.model.training
        assert not any(p.requires_grad for p in loaded.model.parameters())
        assert loaded.model.config._attn_implementation == "sdpa"


def test_a_tokenizer_pads_on_the_left_with_a_token_that_exists(checkpoint):
    loaded = load(checkpoint)
    assert loaded.tokenizer.padding_side == "left"
    assert loaded.tokenizer.pad_token_id is not None
    batch = loaded.tokenizer(["a", "a longer text"], padding=True)
    assert batch["attention_mask"][0][0] == 0
    assert batch["attention_mask"][1][0] == 1


def test_an_answer_ends_at_every_id_that_ends_it(checkpoint, tmp_path):
    from transformers import GenerationConfig

    assert load(checkpoint).stop_ids == (checkpoint_eos(checkpoint),)
    folder = Path(shutil.copytree(checkpoint.folder, tmp_path / "two"))
    GenerationConfig(eos_token_id=[1, checkpoint_eos(checkpoint)]).save_pretrained(folder)
    assert set(load(find(str(folder))).stop_ids) == {1, checkpoint_eos(checkpoint)}


def checkpoint_eos(checkpoint):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(checkpoint.folder).eos_token_id


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a GPU")
def test_a_gpu_that_is_not_there(checkpoint):
    with pytest.raises(Unavailable, match="finds no GPU") as caught:
        load(checkpoint, device="cuda")
    assert caught.value.fix == "use device=cpu"


def test_four_bits_need_bitsandbytes_and_a_gpu(checkpoint):
    with pytest.raises(Unavailable, match="quantise=4bit needs") as caught:
        load(checkpoint, device="cpu", quantise="4bit")
    assert caught.value.fix


def test_loading_reads_no_pickle(llama_folder, tmp_path):
    """Weights kept as pickle as well are not looked at; here they would not load."""
    folder = Path(shutil.copytree(llama_folder, tmp_path / "both"))
    (folder / "pytorch_model.bin").write_bytes(b"not a pickle at all")
    assert torch.equal(logits(load(find(str(folder)))), logits(load(find(str(llama_folder)))))


def test_a_tensor_that_is_missing_is_not_made_up(llama_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(llama_folder, tmp_path / "less"))
    tensors = load_file(folder / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(Unavailable, match=r"lacks 1 of the tensors .*model\.layers\.1\.mlp\.up_proj\.weight"):
        load(find(str(folder)))


def changed(folder, **settings):
    """The same checkpoint with other settings in its JSON files: `config={...}`."""
    for name, changes in settings.items():
        file = folder / f"{name}.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return find(str(folder))


def test_a_tensor_of_another_shape_is_not_made_up(llama_folder, tmp_path):
    folder = Path(shutil.copytree(llama_folder, tmp_path / "other"))
    with pytest.raises(Unavailable, match="lacks 6 of the tensors"):  # three matrices of each of two layers
        load(changed(folder, config={"intermediate_size": 48}))


def test_a_tokenizer_of_another_model(tmp_path):
    from small_models import save_llama

    folder = save_llama(tmp_path / "few", vocab_size=100, pad_token_id=None)
    with pytest.raises(Unavailable, match=r"knows \d+ tokens and the model 100"):
        load(find(str(folder)))


def test_a_model_that_never_ends(llama_folder, tmp_path):
    folder = Path(shutil.copytree(llama_folder, tmp_path / "endless"))
    none = {"eos_token_id": None}
    with pytest.raises(Unavailable, match="which token ends an answer"):
        load(changed(folder, config=none, generation_config=none, tokenizer_config={"eos_token": None}))


def test_an_adapter_for_another_base_is_not_loaded(llama_folder, mistral_folder, tmp_path):
    from sensecf_huggingface.adapters import Adapters, Identity, Trained

    saved = random_adapter(llama_folder, tmp_path / "saved")
    identity = Identity.of(find(str(llama_folder)), {}, 0, "examples")
    adapter = Adapters(tmp_path / "cache").obtain(identity, lambda _: Trained(saved))
    with pytest.raises(Unavailable, match="was trained on small-llama"):
        load(find(str(mistral_folder)), adapter=adapter.folder)


def test_an_adapter_kept_as_pickle_is_not_loaded(checkpoint, adapter):
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")
    with pytest.raises(Exception, match=r"adapter_model\.safetensors cannot be read"):
        load(checkpoint, adapter=adapter)


OFFLINE = """
import socket, sys
def connect(self, address):
    sys.exit(f"tried to reach {address}")
socket.socket.connect = connect
socket.getaddrinfo = lambda *words, **more: sys.exit(f"looked up {words[0]}")
from sensecf_huggingface.checkpoint import find
from sensecf_huggingface.loaded import load
for model in sys.argv[1:]:
    load(find(model))
"""


def test_loading_reaches_nobody_even_where_it_could(llama_folder, mistral_folder):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "TRANSFORMERS_"))}
    words = [sys.executable, "-c", OFFLINE, str(llama_folder), str(mistral_folder)]
    done = subprocess.run(words, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
