"""How llama-micro is fine-tuned: found by trying on the built-in tables' training and validation rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sensecf_huggingface.finetuning import Exercise
from sensecf_huggingface.targets.pairs import Aims
from sensecf_huggingface.targets.search import Search
from sensecf_huggingface.tuning.practice import Aims as PracticeAims
from sensecf_huggingface.tuning.recipe import Recipe

if TYPE_CHECKING:
    from sensecf_bench import Task
    from sensecf_huggingface.options import MicroTuningOptions

MANY = 20  # features, or features that may change, above which there are many
LOOK = 0.75  # of the way through practice


@dataclass(frozen=True)
class Pace:
    """How much there is time for: people a step, steps of fine-tuning, steps of practice."""

    batch: int
    steps: int
    practice: int


SHORT, LONG_QUESTIONS, LONG_ANSWERS = Pace(64, 250, 90), Pace(32, 150, 72), Pace(32, 120, 36)


def recipe_of(options: MicroTuningOptions, task: Task) -> Recipe:
    """LoRA of a rank that is large for so small a model: it has a decision boundary to learn, not a manner of speaking."""
    pace = _pace(task)
    batch, steps = pace.batch, options.steps or pace.steps
    return Recipe(
        rank=64,
        alpha=128.0,
        dropout=0.0,
        learning_rate=3e-3,
        warmup=0.05,
        steps=steps,
        batch=batch,
        microbatch=batch,
        window=1,  # steps of long answers alone and of short ones alone pull to and fro
        gradient_checkpointing=False,
        share_prefix=False,
        composed=True,
        validate_every=steps,
        patience=None,
        seed=task.seed,
        checkpoint_seconds=30.0,
    )


def exercise_of(options: MicroTuningOptions, task: Task) -> Exercise | None:
    """Practice at a tenth of the learning rate: the model is to be moved, not made anew. Now and then one goes wrong towards the
    end, so it is looked at before it, and the better one is kept."""
    steps = _pace(task).practice if options.practice is None else options.practice
    if not steps:
        return None
    recipe = Recipe(
        learning_rate=4e-4,
        schedule="linear",
        warmup=0.1,
        steps=steps,
        batch=32,
        microbatch=32,
        gradient_checkpointing=False,
        share_prefix=False,
        composed=True,
        validate_every=max(round(LOOK * steps), 1),
        patience=None,
        seed=task.seed,
        checkpoint_seconds=30.0,
    )
    return Exercise(recipe, PracticeAims())


def aims_of(options: MicroTuningOptions) -> Aims:
    """One target a person, the same habit for everybody: see `targets.pairs.focused`."""
    search = Search(steady=options.steady, wobble=options.wobble)
    return Aims(imagined=options.imagined, several=1, search=search)


def _pace(task: Task) -> Pace:
    if task.schema.mutable.sum() > MANY:
        return LONG_ANSWERS
    return LONG_QUESTIONS if len(task.schema) > MANY else SHORT
