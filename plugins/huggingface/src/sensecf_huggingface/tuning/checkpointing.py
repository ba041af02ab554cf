"""What a training writes down as it goes, so that a killed one goes on where it was: safetensors and JSON, no pickle.

A checkpoint is a folder `step-00000120` with the trained weights, the optimiser's moments, the best weights so far, and
`state.json`, which holds the digests of the others and what the training is of. It is written aside and renamed, so that
a folder of that name is whole unless something else damaged it, which the digests tell.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensecf_bench.errors import RunFolderError
from sensecf_huggingface.tuning.recipe import differences

if TYPE_CHECKING:
    import torch

FORMAT = 1
STATE = "state.json"
Tensors = dict[str, "torch.Tensor"]


@dataclass(frozen=True)
class State:
    """Where a training stands, but for its tensors."""

    step: int = 0
    losses: tuple[float, ...] = ()
    validity: float | None = None  # of the best weights
    since_best: int = 0  # validations
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training at one moment. The tensors go by parameter name; moments by name and which moment; best may be empty."""

    state: State
    weights: Tensors
    moments: Tensors
    best: Tensors


class DamagedError(Exception):
    """A checkpoint is not what was written: cut short, changed, or unreadable. The message says which file."""


def save(folder: Path, identity: Mapping[str, Any], checkpoint: Checkpoint) -> None:
    """Write a checkpoint among those in `folder`, then remove the older ones."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / "unfinished"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    digests = {}
    for name in ("weights", "moments", "best"):
        file = aside / f"{name}.safetensors"
        save_file({key: t.detach().contiguous() for key, t in getattr(checkpoint, name).items()}, file)
        digests[file.name] = _digest(file)
    content = {"format": FORMAT, "identity": identity, "state": asdict(checkpoint.state), "files": digests}
    (aside / STATE).write_text(json.dumps(content), encoding="utf-8")
    place = folder / f"step-{checkpoint.state.step:08d}"
    shutil.rmtree(place, ignore_errors=True)
    aside.rename(place)
    for older in found(folder):
        if older != place:
            shutil.rmtree(older)


def found(folder: Path) -> list[Path]:
    """The checkpoints in a folder, the latest first."""
    return sorted(folder.glob("step-*"), reverse=True)


def read(place: Path, identity: Mapping[str, Any]) -> Checkpoint:
    """A checkpoint of the training with this identity.

    Raises DamagedError when it is not whole, RunFolderError when it belongs to another training.
    """
    from safetensors.torch import load_file

    try:
        content = json.loads((place / STATE).read_text(encoding="utf-8"))
        there, state, files = content["identity"], content["state"], content["files"]
        if content["format"] != FORMAT:
            raise DamagedError(f"{place / STATE} is of format {content['format']}, not {FORMAT}")
        state = State(**{**state, "losses": tuple(state["losses"])})
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise DamagedError(f"{place / STATE} cannot be read: {problem}") from problem
    if there != dict(identity):
        raise foreign(place, identity, there)
    tensors = {}
    for name in ("weights", "moments", "best"):
        file = place / f"{name}.safetensors"
        try:
            whole = _digest(file) == files[file.name]
        except (OSError, KeyError) as problem:
            raise DamagedError(f"{file} cannot be read: {problem}") from problem
        if not whole:
            raise DamagedError(f"{file} is not what was written")
        tensors[name] = load_file(file)
    return Checkpoint(state, **tensors)


def foreign(place: Path, here: Mapping[str, Any], there: Mapping[str, Any]) -> RunFolderError:
    """The refusal of what another training left in this one's folder."""
    flat = [{**side, **side.get("recipe", {}), "recipe": None} for side in (here, there)]
    return RunFolderError(
        f"{place} belongs to another training: {'; '.join(differences(*flat))}",
        "choose another folder, or delete this one",
    )


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
