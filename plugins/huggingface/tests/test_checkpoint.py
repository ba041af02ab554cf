"""Checkpoints: what is found, and each way not to be one, with its reason and its cure; without torch."""

from __future__ import annotations

import json
import math
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sensecf_huggingface import hub, memory
from sensecf_huggingface.checkpoint import find
from sensecf_huggingface.memory import Free, needed, refuse_too_large
from sensecf_huggingface.weights import BrokenWeightsError, read_header

from sensecf_bench import Unavailable

COMMIT, OTHER_COMMIT = "a" * 40, "b" * 40
GIB = 2**30
LLAMA_8B_CONFIG = {  # of the published model
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "max_position_embeddings": 131072,
    "model_type": "llama",
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
}


@pytest.fixture(scope="module")
def large(llama_folder, tmp_path_factory):
    """A folder that looks like LLaMA-3.1-8B: four files of 16 GB together, of which nothing but the headers takes room."""
    folder = Path(shutil.copytree(llama_folder, tmp_path_factory.mktemp("large") / "llama-8b"))
    (folder / "model.safetensors").unlink()
    (folder / "config.json").write_text(json.dumps(LLAMA_8B_CONFIG))
    wide, narrow, inner, words = 4096, 1024, 14336, 128256
    shapes = {"model.embed_tokens.weight": (words, wide), "lm_head.weight": (words, wide), "model.norm.weight": (wide,)}
    for i in range(32):
        parts = {"q": (wide, wide), "k": (narrow, wide), "v": (narrow, wide), "o": (wide, wide)}
        shapes |= {f"model.layers.{i}.self_attn.{part}_proj.weight": shape for part, shape in parts.items()}
        parts = {"gate": (inner, wide), "up": (inner, wide), "down": (wide, inner)}
        shapes |= {f"model.layers.{i}.mlp.{part}_proj.weight": shape for part, shape in parts.items()}
        shapes |= {f"model.layers.{i}.{which}_layernorm.weight": (wide,) for which in ("input", "post_attention")}
    files = {name: f"model-{i % 4 + 1:05}-of-00004.safetensors" for i, name in enumerate(shapes)}
    for file in set(files.values()):
        header, end = {}, 0
        for name in (name for name in shapes if files[name] == file):
            start, end = end, end + 2 * math.prod(shapes[name])
            header[name] = {"dtype": "BF16", "shape": shapes[name], "data_offsets": [start, end]}
        written = json.dumps(header).encode()
        with (folder / file).open("wb") as opened:
            opened.write(struct.pack("<Q", len(written)) + written)
            opened.truncate(8 + len(written) + end)  # a hole, on every file system that has them
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    return find(str(folder))


@pytest.fixture
def llama(llama_folder, tmp_path):
    """A copy that a test may spoil."""
    return Path(shutil.copytree(llama_folder, tmp_path / "llama"))


@pytest.fixture
def sharded(llama_folder, tmp_path):
    """The same model in several files, written by transformers."""
    from transformers import AutoModelForCausalLM

    folder = Path(shutil.copytree(llama_folder, tmp_path / "sharded"))
    (folder / "model.safetensors").unlink()
    AutoModelForCausalLM.from_pretrained(llama_folder).save_pretrained(folder, max_shard_size="40KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    return folder


@pytest.fixture
def cache(llama_folder, tmp_path):
    """A Hugging Face cache that knows one model, at one commit, by its branch too."""
    return cached(tmp_path / "hub", "someone/small", llama_folder)


def cached(cache, name, source, commit=COMMIT):
    kept = cache / f"models--{name.replace('/', '--')}"
    (kept / "blobs").mkdir(parents=True)
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text(commit)
    snapshot = kept / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for number, file in enumerate(sorted(source.iterdir())):  # links to blobs, as huggingface_hub has them
        shutil.copyfile(file, kept / "blobs" / str(number))
        (snapshot / file.name).symlink_to(Path("../../blobs") / str(number))
    return cache


def refusal(model, **more) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        find(str(model), **more)
    assert caught.value.fix
    return caught.value


def rewrite(file, **changes):
    content = json.loads(file.read_text())
    for key, value in changes.items():
        content.pop(key, None)
        if value is not None:
            content[key] = value
    file.write_text(json.dumps(content))


# -- what is found ---------------------------------------------------------------------------------------------------
def test_a_saved_llama_is_found(llama_folder):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(llama_folder)
    found = find(str(llama_folder))
    assert (found.name, found.revision) == ("small-llama", "local")
    assert found.architecture == "LlamaForCausalLM"
    assert found.parameters == model.num_parameters()
    assert found.bytes == 4 * found.parameters
    assert found.dtype == "float32"
    assert (found.layers, found.hidden, found.kv_width) == (2, 32, 2 * 2 * 8)
    assert found.vocabulary == model.config.vocab_size
    assert found.context == 8192
    assert found.has_chat_template


def test_a_saved_mistral_is_found(mistral_folder):
    found = find(str(mistral_folder))
    assert found.architecture == "MistralForCausalLM"
    assert found.has_chat_template


def test_a_model_without_a_chat_template_says_so(llama):
    (llama / "chat_template.jinja").unlink(missing_ok=True)
    rewrite(llama / "tokenizer_config.json", chat_template=None)
    assert not find(str(llama)).has_chat_template


def test_shards_are_one_model_with_one_fingerprint(llama_folder, sharded):
    one, many = find(str(llama_folder)), find(str(sharded))
    assert many.parameters == one.parameters
    assert many.fingerprint == one.fingerprint


def test_fingerprints_tell_models_apart_and_not_where_they_lie(llama_folder, llama, mistral_folder, tmp_path):
    from small_models import save_llama

    same = find(str(llama_folder)).fingerprint
    assert find(str(llama)).fingerprint == same
    assert (
        len({same, find(str(mistral_folder)).fingerprint, find(str(save_llama(tmp_path / "x", seed=1))).fingerprint})
        == 3
    )


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json", "generation_config.json", "config.json"])
def test_a_fingerprint_is_also_of_what_lies_beside_the_weights(llama, file):
    before = find(str(llama)).fingerprint
    rewrite(llama / file, something_else="entirely")
    assert find(str(llama)).fingerprint != before


def test_a_fingerprint_is_not_of_who_wrote_the_model(llama):
    before = find(str(llama)).fingerprint
    rewrite(llama / "config.json", transformers_version="99.0", _name_or_path="/home/somebody")
    assert find(str(llama)).fingerprint == before


@pytest.mark.parametrize("place", ["first", "middle", "last"])
def test_large_weights_are_read_in_three_places_of_every_tensor(llama, place, monkeypatch):
    monkeypatch.setattr("sensecf_huggingface.weights.READ_WHOLE", 0)
    before = find(str(llama)).fingerprint
    file = llama / "model.safetensors"
    tensor = max(read_header(file), key=lambda t: t.size)
    assert tensor.stop - tensor.start > 3 * 1024
    at = {"first": tensor.start, "middle": (tensor.start + tensor.stop) // 2, "last": tensor.stop - 1}[place]
    content = bytearray(file.read_bytes())
    content[at] ^= 1
    file.write_bytes(content)
    assert find(str(llama)).fingerprint != before


# -- the cache -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("revision", [None, "main", COMMIT])
def test_a_hub_id_is_found_in_the_cache_by_branch_or_commit(cache, llama_folder, revision):
    found = find("someone/small", revision, cache=cache)
    assert (found.name, found.revision) == ("someone/small", COMMIT)
    assert found.fingerprint == find(str(llama_folder)).fingerprint


def test_huggingface_hub_agrees_where_a_model_lies(cache):
    from huggingface_hub import try_to_load_from_cache

    theirs = try_to_load_from_cache("someone/small", "config.json", cache_dir=cache)
    assert Path(theirs).parent == find("someone/small", cache=cache).folder


@pytest.mark.parametrize(
    "settings",
    [{}, {"HF_HOME": "/h"}, {"HF_HUB_CACHE": "/c"}, {"XDG_CACHE_HOME": "/x"}, {"HUGGINGFACE_HUB_CACHE": "/o"}],
)
def test_huggingface_hub_agrees_where_the_cache_is(settings, monkeypatch):
    for name in ("HF_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME", "HUGGINGFACE_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    code = "from huggingface_hub.constants import HF_HUB_CACHE; print(HF_HUB_CACHE)"
    theirs = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert str(hub.hub_cache()) == theirs


def test_a_hub_id_that_is_not_in_the_cache(tmp_path):
    said = refusal("someone/absent", cache=tmp_path)
    assert "someone/absent at revision main is not in" in said.reason
    assert said.fix == "hf download someone/absent --revision main"


def test_the_two_published_models_are_pinned_and_say_how_to_be_had(tmp_path):
    said = refusal("BioMistral/BioMistral-7B", cache=tmp_path)
    revision = "9a11e1ffa817c211cbb52ee1fb312dc6b61b40a5"
    assert said.fix.startswith(
        f"hf download BioMistral/BioMistral-7B --revision {revision}, then, as it is published as"
    )
    assert f"sensecf-bench checkpoint convert BioMistral/BioMistral-7B OUT --revision {revision} writes" in said.fix
    said = refusal("meta-llama/Llama-3.1-8B-Instruct", cache=tmp_path)
    assert "accept the licence at https://huggingface.co/meta-llama/Llama-3.1-8B-Instruct" in said.fix
    assert "hf auth login" in said.fix
    assert "--revision 0e9e39f249a16976918f6564b8830bc894c89659" in said.fix


def test_another_revision_in_the_cache_is_named_and_not_taken(cache):
    said = refusal("someone/small", revision=OTHER_COMMIT, cache=cache)
    assert f"revision={COMMIT} takes it" in said.reason
    assert OTHER_COMMIT in said.fix


def test_a_download_that_broke_off(cache):
    (cache / "models--someone--small" / "snapshots" / COMMIT / "model.safetensors").unlink()
    said = refusal("someone/small", cache=cache)
    assert "has no weights" in said.reason
    assert said.fix == f"hf download someone/small --revision {COMMIT}"


def test_a_pickle_in_the_cache_is_converted_by_its_hub_id(cache):
    snapshot = cache / "models--someone--small" / "snapshots" / COMMIT
    (snapshot / "model.safetensors").rename(snapshot / "pytorch_model.bin")
    said = refusal("someone/small", cache=cache)
    assert f"sensecf-bench checkpoint convert someone/small OUT --revision {COMMIT} writes" in said.fix


@pytest.mark.parametrize("revision", ["../../elsewhere", "/etc", "refs/pr/1", ".."])
def test_a_revision_leads_nowhere_else(cache, revision):
    assert "is not in" in refusal("someone/small", revision=revision, cache=cache).reason


# -- what is refused -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("model", ["/no/such/folder", "no-such-model", "./a/b/c"])
def test_a_folder_that_is_missing(model):
    assert "no such folder" in refusal(model).reason


def test_a_file_is_no_folder(llama):
    assert "is a file" in refusal(llama / "config.json").reason


def test_config_missing(llama):
    (llama / "config.json").unlink()
    assert "has no config.json" in refusal(llama).reason


@pytest.mark.parametrize("content", ["{", "", "[]", "3", "[" * 100_000, b"\xff\xfe"])
def test_config_malformed(llama, content):
    (llama / "config.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert "config.json" in refusal(llama).reason


@pytest.mark.parametrize(
    "changes",
    [
        {"architectures": ["LlamaForSequenceClassification"]},
        {"architectures": ["BertForMaskedLM"], "model_type": "bert"},
        {"architectures": ["TomorrowForCausalLM"], "model_type": "tomorrow"},
        {"architectures": ["MistralForCausalLM"]},  # model_type says llama
        {"architectures": None},
        {"architectures": []},
        {"model_type": None},
    ],
)
def test_config_of_no_causal_language_model(llama, changes):
    rewrite(llama / "config.json", **changes)
    said = refusal(llama).reason
    assert "causal language model" in said or "names no architecture" in said


@pytest.mark.parametrize(("file", "where"), [("config.json", "auto_map"), ("tokenizer_config.json", "tokenizer")])
def test_code_of_its_own(llama, file, where):
    rewrite(llama / file, auto_map={"AutoModelForCausalLM": "modeling.Mine", "AutoTokenizer": ["t.T", None]})
    said = refusal(llama).reason
    assert "Python code of its own" in said
    assert where in said


def test_weights_stored_quantised(llama):
    rewrite(llama / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    said = refusal(llama)
    assert "is stored quantised" in said.reason
    assert "quantise=4bit" in said.fix


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json"])
def test_tokenizer_missing(llama, file):
    (llama / file).unlink()
    said = refusal(llama)
    assert f"lacks its tokenizer: there is no {file}" in said.reason
    assert "save_pretrained" in said.fix


def test_tokenizer_damaged(llama):
    file = llama / "tokenizer.json"
    file.write_bytes(file.read_bytes()[:-100])
    assert "tokenizer.json" in refusal(llama).reason


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "consolidated.00.pth"])
def test_pickle_only(llama, name):
    (llama / "model.safetensors").rename(llama / name)
    said = refusal(llama)
    assert f"keeps its weights as pickle ({name})" in said.reason
    assert f"sensecf-bench checkpoint convert {llama}" in said.fix


def test_no_weights(llama):
    (llama / "model.safetensors").unlink()
    assert "has no weights" in refusal(llama).reason


@pytest.mark.parametrize("left", [0, 4, 8, 100, -1, -1000])
def test_weights_cut_off(llama, left):
    file = llama / "model.safetensors"
    file.write_bytes(file.read_bytes()[:left])
    assert "model.safetensors is cut off" in refusal(llama).reason


def test_a_shard_cut_off(sharded):
    file = sorted(sharded.glob("model-*.safetensors"))[1]
    file.write_bytes(file.read_bytes()[:-1])
    assert f"{file.name} is cut off" in refusal(sharded).reason


def test_a_shard_missing(sharded):
    files = sorted(sharded.glob("model-*.safetensors"))
    files[1].unlink()
    assert f"1 of {len(files)} shards are missing, {files[1].name} first" in refusal(sharded).reason


@pytest.mark.parametrize(
    "content", ["{}", "[]", '{"weight_map": {}}', '{"weight_map": {"a": "../b"}}', '{"weight_map": {"a": 3}}']
)
def test_an_index_that_is_none(sharded, content):
    (sharded / "model.safetensors.index.json").write_text(content)
    assert "model.safetensors.index.json is broken" in refusal(sharded).reason


def test_an_index_that_disagrees_with_its_shards(sharded):
    index = sharded / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    content["weight_map"].pop("model.norm.weight")
    index.write_text(json.dumps(content))
    assert "disagree on model.norm.weight" in refusal(sharded).reason


def with_header(file, change):
    """Rewrite the header of a safetensors file, leaving the tensors as they are."""
    content = file.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    change(header)
    written = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(written)) + written + content[8 + length :])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda e: e.update(shape=[e["shape"][0] + 1]), "bytes, which its shape"),
        (lambda e: e.update(dtype="F16"), "bytes, which its shape"),
        (lambda e: e.update(dtype="X8"), "unknown type"),
        (lambda e: e.update(shape=[-1]), "a shape or place that is none"),
        (lambda e: e.update(shape=[True]), "a shape or place that is none"),
        (lambda e: e.update(data_offsets=[n + 4 for n in e["data_offsets"]]), "overlaps another or leaves a gap"),
        (lambda e: e.update(data_offsets=[-128, 0]), "a shape or place that is none"),
        (lambda e: e.clear(), "header of model.safetensors is broken"),
    ],
)
def test_a_header_that_lies(llama, change, reason):
    with_header(llama / "model.safetensors", lambda header: change(header["model.norm.weight"]))
    assert reason in refusal(llama).reason


def test_a_header_that_promises_more_than_there_is(llama):
    def one_more(header):
        end = max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")
        header["extra"] = {"dtype": "F32", "shape": [1000], "data_offsets": [end, end + 4000]}

    with_header(llama / "model.safetensors", one_more)
    assert "is cut off" in refusal(llama).reason


def test_bytes_that_no_header_speaks_of(llama):
    with (llama / "model.safetensors").open("ab") as file:
        file.write(b"more")
    assert "4 bytes more than its header says" in refusal(llama).reason


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "any.safetensors"
    file.write_bytes(content)
    with pytest.raises(BrokenWeightsError):
        read_header(file)


@given(place=st.integers(0, 10_000), byte=st.integers(0, 255))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_the_format_s_own_reader_refuses_is_refused_here(llama_folder, tmp_path, place, byte):
    from safetensors import SafetensorError, safe_open

    content = bytearray((llama_folder / "model.safetensors").read_bytes())
    header = 8 + struct.unpack("<Q", content[:8])[0]
    content[place % header] = byte
    file = tmp_path / "spoilt.safetensors"
    file.write_bytes(content)
    try:
        with safe_open(file, framework="np") as theirs:
            names = set(theirs.keys())
    except (SafetensorError, OSError):
        with pytest.raises(BrokenWeightsError):
            read_header(file)
    else:
        assert {t.name for t in read_header(file)} == names


# -- memory ----------------------------------------------------------------------------------------------------------
def test_the_figures_of_a_large_model_are_those_of_its_headers(large):
    assert large.parameters == 8_030_261_248  # as its model card has it
    assert (large.bytes, large.dtype) == (16_060_522_496, "bfloat16")
    assert (large.layers, large.kv_width, large.context) == (32, 2 * 8 * 128, 131_072)


def test_eight_billion_parameters_need_sixteen_gigabytes_and_some(large):
    need = needed(large, "bfloat16")
    weights = 2 * 8_030_261_248
    kept = 4096 * 32 * 2048 * 2  # tokens x layers x keys and values x bytes
    assert need == weights + kept + 512 * 2**20
    assert needed(large, "float32") > 2 * weights
    assert needed(large, "bfloat16", "4bit") < 8 * GIB
    assert needed(large, "bfloat16", training=True) > need


@pytest.mark.parametrize(
    ("free", "more"),
    [
        (Free(ram=12 * GIB), {}),
        (Free(ram=512 * GIB, gpu=12 * GIB), {}),
        (Free(ram=20 * GIB), {"dtype": "float32"}),
        (Free(ram=12 * GIB, gpu=80 * GIB), {"device": "cpu"}),
        (Free(ram=0, gpu=16 * GIB), {"training": True}),
    ],
)
def test_too_little_memory(large, free, more):
    with pytest.raises(Unavailable, match=r"8\.03 billion parameters and needs about") as caught:
        refuse_too_large(large, free=free, **more)
    assert "name a smaller checkpoint with model=PATH" in caught.value.fix
    on_gpu = free.gpu is not None and more.get("device") != "cpu"
    assert ("of GPU memory are free" in caught.value.reason) == on_gpu
    assert ("quantise=4bit" in caught.value.fix) == on_gpu
    assert ("dtype=bfloat16" in caught.value.fix) == (more.get("dtype") == "float32")


@pytest.mark.parametrize(
    ("free", "more"),
    [
        (Free(ram=24 * GIB), {}),
        (Free(ram=1 * GIB, gpu=24 * GIB), {}),
        (Free(ram=1 * GIB, gpu=10 * GIB), {"quantise": "4bit"}),
        (Free(ram=1 * GIB, gpu=float("inf")), {"training": True}),
    ],
)
def test_enough_memory(large, free, more):
    refuse_too_large(large, free=free, **more)


def test_a_gpu_that_is_not_there(large):
    with pytest.raises(Unavailable, match="there is no GPU"):
        refuse_too_large(large, device="cuda", free=Free(ram=512 * GIB))


def test_a_container_s_limit_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "GROUP", tmp_path)
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text(f"{3 * GIB}\n")
    unlimited = memory.measure().ram
    assert unlimited > GIB / 4
    (tmp_path / "memory.max").write_text(f"{3 * GIB + 1000}\n")
    assert memory.measure().ram == 1000
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 234\n")
    assert memory.measure().ram == 1234


@pytest.mark.parametrize(("said", "free"), [("81000\n79000\n", 81000 * 2**20), ("[N/A]\n", float("inf")), ("\n", None)])
def test_a_gpu_says_how_much_is_free(tmp_path, monkeypatch, said, free):
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!{sys.executable}\nprint({said!r}, end='')\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(memory, "_torch_is_for_gpus", lambda: True)
    assert memory.measure().gpu == free
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert memory.measure().gpu is None


# -- quickly ---------------------------------------------------------------------------------------------------------
def test_nothing_heavy_is_imported_to_find_or_refuse(llama, sharded):
    (llama / "tokenizer.json").unlink()
    code = f"""
import sys
from sensecf_bench import Unavailable
from sensecf_huggingface.checkpoint import find
from sensecf_huggingface.memory import Free, refuse_too_large
from sensecf_huggingface import adapters, archive, commands, loaded
for model in ({str(llama)!r}, "someone/absent", "/nowhere"):
    try:
        find(model)
    except Unavailable:
        continue
    raise SystemExit("was not refused")
found = find({str(sharded)!r})
try:
    refuse_too_large(found, free=Free(ram=0))
except Unavailable:
    print(*sorted(name.partition(".")[0] for name in sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "sensecf_huggingface" in loaded
    assert not loaded & {"torch", "transformers", "tokenizers", "peft", "safetensors", "huggingface_hub", "pandas"}
