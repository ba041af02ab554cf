"""A checkpoint kept as pickle, written anew as safetensors. The pickle is read without running code from it."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

from sensecf_bench import Unavailable

SINGLE, INDEX = "pytorch_model.bin", "pytorch_model.bin.index.json"
BESIDE = ("*.json", "*.jinja", "*.txt", "*.md", "tokenizer.model")


def convert(source: Path, target: Path) -> None:
    """Write the checkpoint of a folder to a new one: the same numbers in the same types, and what else lies beside them.

    Raises Unavailable when there is no pickle to convert, the new folder exists, or the pickle holds anything but tensors.
    """
    from huggingface_hub import save_torch_state_dict

    if target.exists():
        raise Unavailable(f"{target} exists already", "name a folder that does not exist yet")
    tensors = _tensors(_pickles(source))
    aside = target.with_name(f".{target.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        for pattern in BESIDE:
            for file in sorted(source.glob(pattern)):
                if file.name != INDEX:
                    shutil.copyfile(file, aside / file.name)
        save_torch_state_dict(tensors, aside, metadata={"format": "pt"})
        aside.rename(target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _pickles(source: Path) -> list[Path]:
    if (source / SINGLE).is_file():
        return [source / SINGLE]
    try:
        listed = json.loads((source / INDEX).read_text(encoding="utf-8"))["weight_map"].values()
        files = [source / Path(name).name for name in sorted(set(listed))]
    except FileNotFoundError:
        raise Unavailable(f"{source} has no {SINGLE} and no {INDEX}", "name a folder that has one of them") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unavailable(f"{source / INDEX} is broken: {error}", "fetch it again") from None
    if missing := [file.name for file in files if not file.is_file()]:
        raise Unavailable(f"{source} lacks {missing[0]}", "fetch it again")
    return files


def _tensors(files: list[Path]) -> dict[str, Any]:
    import pickle

    import torch

    tensors: dict[str, Any] = {}
    for file in files:
        try:
            lies_open = zipfile.is_zipfile(file)  # what torch wrote before 1.6 cannot be mapped
            content = torch.load(file, map_location="cpu", weights_only=True, mmap=lies_open)
        except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
            why = str(error).strip().partition("\n")[0]
            raise Unavailable(f"{file} cannot be read without running code from it: {why}", "fetch it again") from None
        if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
            raise Unavailable(f"{file} holds something else than tensors by name", "name a checkpoint of a model")
        tensors |= {str(name): value.detach() for name, value in content.items()}
    return tensors
