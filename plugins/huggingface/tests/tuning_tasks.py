"""Something for small models to learn, and a training of it that another process can be asked to do.

Run as a program (`python tuning_tasks.py MODEL FOLDER`) it fine-tunes as the tests do and says each step on stdout.
"""

from __future__ import annotations

import random
import sys
from dataclasses import replace
from pathlib import Path

from sensecf_huggingface.checkpoint import find
from sensecf_huggingface.loaded import load
from sensecf_huggingface.tuning.examples import Example
from sensecf_huggingface.tuning.recipe import Recipe

RECIPE = Recipe(
    rank=4,
    alpha=8,
    dropout=0.1,
    learning_rate=2e-2,
    steps=24,
    batch=8,
    microbatch=4,
    gradient_checkpointing=False,
    validate_every=5,
    patience=None,
    checkpoint_seconds=1e9,
    report_seconds=0,
)


def reversals(count: int = 40, seed: int = 0) -> list[Example]:
    """Numbers after a beginning in common, to be written backwards."""
    chance = random.Random(seed)
    examples = []
    for _ in range(count):
        body = [chance.randrange(20, 60) for _ in range(chance.randint(2, 6))]
        examples.append(Example.answer([0, *range(100, 110), *body], [*reversed(body), 1]))
    return examples


def small(folder: Path):
    import torch

    torch.set_num_threads(1)
    return load(find(str(folder)), device="cpu", dtype="float32")


def modesty(adapted) -> float:
    """How little an adapter does, between 0 and 1, in place of validity: the best is an early one, though not the first of
    the steps, so that going on has to bring it along."""
    changes = [p.detach().abs().sum() for name, p in adapted.named_parameters() if "lora_B" in name]
    return float(1 / (1 + sum(changes)))


if __name__ == "__main__":
    from sensecf_huggingface.tuning.training import fine_tune

    def say(progress) -> None:
        sys.stdout.write(f"{progress}\n")
        sys.stdout.flush()

    recipe = replace(RECIPE, checkpoint_steps=4)
    fine_tune(small(Path(sys.argv[1])), reversals(), recipe, Path(sys.argv[2]), validate=modesty, note=say)
