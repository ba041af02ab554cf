"""How llama-micro is fine-tuned: found by trying on the built-in tables' training and validation rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensecf_huggingface.targets.pairs import Aims
from sensecf_huggingface.targets.search import Search
from sensecf_huggingface.tuning.recipe import Recipe

if TYPE_CHECKING:
    from sensecf_bench import Task
    from sensecf_huggingface.options import MicroTuningOptions

STRESS = 3  # times over; see `targets.pairs.stressed`
WIDE = 20  # features above which a batch holds fewer people, for the sake of time


def recipe_of(options: MicroTuningOptions, task: Task) -> Recipe:
    """LoRA of a rank that is large for so small a model: it has a decision boundary to learn, not a manner of speaking."""
    batch = 32 if len(task.schema) > WIDE else 64
    return Recipe(
        rank=32,
        alpha=64.0,
        dropout=0.0,
        learning_rate=2e-3,
        warmup=0.05,
        steps=options.steps,
        batch=batch,
        microbatch=batch,
        gradient_checkpointing=False,
        share_prefix=False,
        validate_every=options.steps,
        patience=None,
        seed=task.seed,
        checkpoint_seconds=30.0,
    )


def aims_of(options: MicroTuningOptions) -> Aims:
    """One target a person, the same habit for everybody: see `targets.pairs.focused`."""
    search = Search(steady=options.steady, wobble=options.wobble)
    return Aims(imagined=options.imagined, several=1, stress=STRESS, search=search)
