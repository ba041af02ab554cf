"""How a model is fine-tuned: every choice that can change the weights it ends with, and how its progress is kept."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from sensecf_bench.errors import ConfigError

CHOICES = {"schedule": ("cosine", "linear", "constant"), "precision": ("auto", "float32", "bfloat16")}
UPKEEP = {"upkeep": True}  # marks what has no bearing on the weights


@dataclass(frozen=True)
class Recipe:
    """Options of a fine-tuning; the defaults are for LoRA on a model of 7 to 8 billion parameters within 40 GB.

    The LoRA defaults (rank 16, twice that for alpha, every linear layer, 2e-4) follow Hu et al. 2021 (arXiv 2106.09685)
    as refined by Dettmers et al. 2023 (arXiv 2305.14314), who found that adapting all linear layers is what matters.

    `batch` examples make one optimiser step; at most `microbatch` of them are in memory at once, which changes the memory
    needed and not what is computed (up to rounding). `steps` overrules `epochs`. Raises ConfigError on values that make no
    sense.
    """

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.05
    targets: str | tuple[str, ...] = "all-linear"  # as peft names them
    learning_rate: float = 2e-4  # at its height
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = 0.03  # share of the steps over which the rate rises from nothing
    weight_decay: float = 0.0
    clip: float = 1.0  # greatest norm of a gradient
    epochs: float = 3.0
    steps: int | None = None
    batch: int = 16
    microbatch: int = 4
    window: int = 50  # batches whose examples are sorted by length together, so that there is little padding; 1: none
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # of activations; auto: the model's own
    gradient_checkpointing: bool = True
    share_prefix: bool = True  # compute what all prompts begin with once a microbatch
    composed: bool = False  # weight and adapter as one product, for small models without dropout (see `composed`)
    validate_every: int | None = None  # steps; None: after each epoch
    patience: int | None = 2  # validations without a better one before stopping; None: never stop early
    seed: int = 0
    checkpoint_seconds: float = field(default=300.0, metadata=UPKEEP)
    checkpoint_steps: int | None = field(default=None, metadata=UPKEEP)  # also every so many steps
    report_seconds: float = field(default=10.0, metadata=UPKEEP)

    def __post_init__(self) -> None:
        for name in ("schedule", "precision"):
            if getattr(self, name) not in CHOICES[name]:
                raise _wrong(name, getattr(self, name), " or ".join(CHOICES[name]))
        positive = ("rank", "alpha", "learning_rate", "clip", "epochs", "batch", "microbatch", "window")
        optional = ("steps", "validate_every", "patience", "checkpoint_steps")
        for name in positive:
            if not getattr(self, name) > 0:
                raise _wrong(name, getattr(self, name), "above 0")
        for name in optional:
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise _wrong(name, getattr(self, name), "at least 1, or None")
        for name in ("dropout", "warmup"):
            if not 0 <= getattr(self, name) < 1:
                raise _wrong(name, getattr(self, name), "at least 0 and below 1")
        for name in ("seed", "weight_decay", "checkpoint_seconds", "report_seconds"):
            if not getattr(self, name) >= 0:
                raise _wrong(name, getattr(self, name), "at least 0")

    def total_steps(self, examples: int) -> int:
        """Optimiser steps over so many examples; the last batch of an epoch may be smaller."""
        if self.steps is not None:
            return self.steps
        return max(1, round(self.epochs * self.steps_in_epoch(examples)))

    def steps_in_epoch(self, examples: int) -> int:
        return -(-examples // self.batch)

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step, the first being 0: a straight rise, then down along the schedule to nothing."""
        rising = math.ceil(self.warmup * steps)
        if step < rising:
            return self.learning_rate * (step + 1) / (rising + 1)
        gone = (step - rising) / max(1, steps - rising)
        if self.schedule == "cosine":
            return self.learning_rate * 0.5 * (1 + math.cos(math.pi * gone))
        return self.learning_rate * (1 - gone if self.schedule == "linear" else 1)

    def identity(self) -> dict[str, Any]:
        """What determines the weights, as JSON takes it: two recipes with the same identity train the same model."""
        chosen = {f.name: getattr(self, f.name) for f in fields(self) if not f.metadata.get("upkeep")}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in chosen.items()}


def differences(here: Mapping[str, Any], there: Mapping[str, Any]) -> list[str]:
    """Where two identities disagree, one phrase each."""
    names = sorted(here.keys() | there.keys())
    return [
        f"{name} {there.get(name)!r} there, {here.get(name)!r} here"
        for name in names
        if here.get(name) != there.get(name)
    ]


def _wrong(name: str, value: object, rule: str) -> ConfigError:
    return ConfigError(f"fine-tuning: {name} is {value!r}", f"choose {rule}")
