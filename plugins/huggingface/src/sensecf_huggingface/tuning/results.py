"""What is left of a training that has ended: its weights in a folder, and a record of how it went."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensecf_huggingface.tuning.checkpointing import foreign

RECORD = "tuned.json"


@dataclass(frozen=True)
class Tuned:
    """A finished training. Memory in bytes: of the GPU where there is one, else the greatest the process ever held."""

    adapter_folder: Path  # a LoRA adapter as peft reads it; after pretraining, a model as transformers reads it
    steps: int  # carried out; fewer than planned where it stopped early
    losses: tuple[float, ...]  # mean over the scored tokens, one a step
    validity: float | None  # of the weights that were kept; None without a validator
    seconds: float  # over all processes that took part
    peak_memory: int


def record(folder: Path, tuned: Tuned, identity: Mapping[str, Any]) -> None:
    """Write down, in one piece, that a training is finished."""
    content = {
        "identity": identity,
        "result": tuned.adapter_folder.name,
        "steps": tuned.steps,
        "losses": tuned.losses,
        "validity": tuned.validity,
        "seconds": tuned.seconds,
        "peak_memory": tuned.peak_memory,
    }
    aside = folder / f"{RECORD}.{os.getpid()}"
    aside.write_text(json.dumps(content), encoding="utf-8")
    aside.replace(folder / RECORD)


def recorded(folder: Path, identity: Mapping[str, Any]) -> Tuned | None:
    """The training that was finished in this folder, None if none was or its record cannot be read.

    Raises RunFolderError when what was finished there is another training.
    """
    try:
        content = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        there = content["identity"]
        tuned = Tuned(
            folder / content["result"],
            content["steps"],
            tuple(content["losses"]),
            content["validity"],
            content["seconds"],
            content["peak_memory"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if there != dict(identity):
        raise foreign(folder, identity, there)
    return tuned if tuned.adapter_folder.is_dir() else None
