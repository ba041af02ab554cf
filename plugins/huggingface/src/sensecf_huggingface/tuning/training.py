"""Fine-tuning and pretraining: one loop for both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensecf_huggingface.tuning.examples import Example
from sensecf_huggingface.tuning.progress import Progress
from sensecf_huggingface.tuning.recipe import Recipe

if TYPE_CHECKING:
    from peft import PeftModel

    from sensecf_huggingface.loaded import Loaded


@dataclass(frozen=True)
class Tuned:
    """A finished training. Memory in bytes: of the GPU where there is one, else the greatest the process ever held."""

    adapter_folder: Path  # a LoRA adapter as peft reads it; after pretraining, a model as transformers reads it
    steps: int  # carried out; fewer than planned where it stopped early
    losses: tuple[float, ...]  # mean over the scored tokens, one a step
    validity: float | None  # of the weights that were kept; None without a validator
    seconds: float
    peak_memory: int


def fine_tune(
    loaded: Loaded,
    examples: Sequence[Example],
    recipe: Recipe,
    folder: Path,
    *,
    validate: Callable[[PeftModel], float] | None,
    note: Callable[[Progress], None],
) -> Tuned:
    """Train a LoRA adapter for `loaded.model` and leave it in a folder of its own inside `folder`."""
    raise NotImplementedError


def pretrain(
    loaded: Loaded,
    examples: Sequence[Example],
    recipe: Recipe,
    folder: Path,
    *,
    validate: Callable[[Any], float] | None,
    note: Callable[[Progress], None],
) -> Tuned:
    """Train all weights of `loaded.model`, in place, and leave it (`save_pretrained`) in a folder inside `folder`."""
    raise NotImplementedError
