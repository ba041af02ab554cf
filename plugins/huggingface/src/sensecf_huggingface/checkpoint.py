"""Finding a model on this machine, and saying in good time why it cannot be used. Imports neither torch nor transformers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensecf_bench import Unavailable
from sensecf_huggingface.architectures import is_causal_lm
from sensecf_huggingface.hub import Origin, conversion, locate
from sensecf_huggingface.weights import INDEX, SINGLE, BrokenWeightsError, Weights, read_weights

PICKLES = ("pytorch_model*.bin", "*.pt", "*.pth", "*.ckpt")
TOKENIZER = ("tokenizer.json", "tokenizer_config.json")
# What decides an answer beside the weights. Hashed byte by byte, which config.json is not: it also says who wrote it.
BESIDE = (
    *TOKENIZER,
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
    "special_tokens_map.json",
)
OF_THE_WRITER = frozenset({"_name_or_path", "transformers_version", "torch_dtype", "dtype"})
OTHER = "name a checkpoint of a causal language model that transformers knows, such as LlamaForCausalLM"


@dataclass(frozen=True)
class Checkpoint:
    """A causal language model that lies on this machine, whole.

    `name` is the hub id or the folder's name, `revision` the commit's hash or "local". `fingerprint` (SHA-256, hex) is of
    configuration, tokenizer and weights, wherever they lie and however they are sharded; of weights beyond 64 MiB it reads
    three places of every tensor. `bytes` and `dtype` are of the weights as stored, `context` is in tokens.
    """

    folder: Path
    name: str
    revision: str
    fingerprint: str
    architecture: str
    parameters: int
    bytes: int
    dtype: str
    context: int
    vocabulary: int
    layers: int
    hidden: int
    kv_width: int  # numbers that one token leaves in the cache of one layer, keys and values together
    has_chat_template: bool


def find(model: str, revision: str | None = None, *, cache: Path | None = None) -> Checkpoint:
    """The checkpoint at a path, or of a hub id in the local Hugging Face cache. Nothing is ever downloaded.

    `cache` is the cache's `hub` folder; by default where `HF_HUB_CACHE` or `HF_HOME` says. Raises Unavailable, with what to
    do, when it is not there, not whole, not a causal language model of transformers, would run code of its own, is kept as
    pickle, or lacks its tokenizer.
    """
    origin = locate(model, revision, cache)
    config = _config(origin)
    _refuse_lack_of_tokenizer(origin)
    weights = _weights(origin)
    heads = _count(config, "num_attention_heads", 1)
    hidden = _count(config, "hidden_size", 0) or _count(config, "n_embd", 0)
    head_width = _count(config, "head_dim", hidden // heads)
    return Checkpoint(
        folder=origin.folder,
        name=origin.name,
        revision=origin.revision,
        fingerprint=_fingerprint(origin.folder, config, weights),
        architecture=config["architectures"][0],
        parameters=weights.parameters,
        bytes=weights.nbytes,
        dtype=weights.dtype,
        context=_count(config, "max_position_embeddings", 0) or _count(config, "n_positions", 2048),
        vocabulary=_count(config, "vocab_size", 0),
        layers=_count(config, "num_hidden_layers", 0) or _count(config, "n_layer", 0),
        hidden=hidden,
        kv_width=2 * _count(config, "num_key_value_heads", heads) * head_width,
        has_chat_template=_has_chat_template(origin.folder),
    )


def _config(origin: Origin) -> dict[str, Any]:
    """The checkpoint's config.json, of a causal language model that transformers itself can build."""
    config = _json(origin, "config.json")
    name = origin.shown
    if "auto_map" in config:
        raise Unavailable(f"{name} brings Python code of its own (auto_map in config.json), which is never run", OTHER)
    if "quantization_config" in config:
        raise Unavailable(
            f"{name} is stored quantised, which needs a library for its own method",
            "name the checkpoint it was made from; quantise=4bit quantises that one when it is loaded",
        )
    architectures, family = config.get("architectures"), config.get("model_type")
    if not (isinstance(architectures, list) and architectures and isinstance(architectures[0], str)):
        raise Unavailable(f"the config.json of {name} names no architecture", origin.cure)
    if not is_causal_lm(str(family), architectures[0]):
        raise Unavailable(
            f"{name} is a {architectures[0]} (model_type {family!r}), which the installed transformers does not know as a "
            "causal language model",
            OTHER,
        )
    return config


def _refuse_lack_of_tokenizer(origin: Origin) -> None:
    missing = [name for name in TOKENIZER if not (origin.folder / name).is_file()]
    if missing:
        raise Unavailable(
            f"{origin.shown} lacks its tokenizer: there is no {' and no '.join(missing)}",
            origin.cure
            if origin.on_hub
            else f"save it beside the model: tokenizer.save_pretrained({str(origin.folder)!r})",
        )
    _json(origin, "tokenizer.json")
    if "auto_map" in _json(origin, "tokenizer_config.json"):
        raise Unavailable(f"the tokenizer of {origin.shown} brings Python code of its own, which is never run", OTHER)


def _weights(origin: Origin) -> Weights:
    folder = origin.folder
    if not any((folder / name).exists() for name in (SINGLE, INDEX)):
        pickles = sorted(p.name for pattern in PICKLES for p in folder.glob(pattern))
        if pickles:
            raise Unavailable(
                f"{origin.shown} keeps its weights as pickle ({pickles[0]}), which may run code when it is read",
                conversion(origin.name, origin.revision) if origin.on_hub else conversion(str(folder)),
            )
        raise Unavailable(f"{origin.shown} has no weights: there is no {SINGLE} and no {INDEX}", origin.cure)
    try:
        return read_weights(folder)
    except BrokenWeightsError as broken:
        raise Unavailable(f"the weights of {origin.shown} are not whole: {broken}", origin.cure) from None


def _json(origin: Origin, name: str) -> dict[str, Any]:
    try:
        content = json.loads((origin.folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Unavailable(f"{origin.shown} has no {name}", origin.cure) from None
    except (OSError, ValueError, RecursionError) as error:
        raise Unavailable(f"the {name} of {origin.shown} cannot be read: {error}", origin.cure) from None
    if not isinstance(content, dict):
        raise Unavailable(f"the {name} of {origin.shown} is no JSON object", origin.cure)
    return content


def _count(config: dict[str, Any], key: str, default: int) -> int:
    value = config.get(key)
    return value if isinstance(value, int) and value > 0 else default


def _has_chat_template(folder: Path) -> bool:
    if any((folder / name).is_file() for name in ("chat_template.jinja", "chat_template.json")):
        return True
    return bool(json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("chat_template"))


def _fingerprint(folder: Path, config: dict[str, Any], weights: Weights) -> str:
    digest = hashlib.sha256()
    kept = {key: value for key, value in config.items() if key not in OF_THE_WRITER}
    digest.update(json.dumps(kept, sort_keys=True).encode())
    for name in BESIDE:
        file = folder / name
        content = file.read_bytes() if file.is_file() else b""
        digest.update(f"\n{name} {len(content)}\n".encode() + content)
    for piece in weights.content():
        digest.update(piece)
    return digest.hexdigest()
