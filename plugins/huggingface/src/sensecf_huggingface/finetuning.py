"""From a task to an adapter: targets found against the explained classifier, LoRA, and the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_huggingface.adapters import Adapters, Identity, Trained
from sensecf_huggingface.judging import (
    FAINTEST,
    FARTHEST,
    OUTSIDE,
    UNIT,
    Judge,
    Sweeper,
    probability_of_target,
    unit_for,
)
from sensecf_huggingface.targets.pairs import Aims, Pairs, make_pairs
from sensecf_huggingface.targets.people import imagined
from sensecf_huggingface.targets.values import Values
from sensecf_huggingface.tuning.stepping import VERDICT
from sensecf_huggingface.tuning.sweeps import HOPE, priced
from sensecf_huggingface.validating import HELD_OUT, JUDGED_BY, TOO_FAR, parted, validator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench import Task
    from sensecf_huggingface.checkpoint import Checkpoint
    from sensecf_huggingface.loaded import Loaded
    from sensecf_huggingface.questions import Questions
    from sensecf_huggingface.tuning.examples import Example
    from sensecf_huggingface.tuning.practice import Aims as PracticeAims
    from sensecf_huggingface.tuning.recipe import Recipe

    Matrix = NDArray[np.float64]

FORMAT = 3  # of how targets are made; a change that moves them counts it up
SWEPT = 2  # of how targets are held against other words; likewise
PRICE = 1.2  # of a unit of distance, as an exponent, in what a target would be worth with other words
PROBES = 256  # imagined people whose probabilities tell one classifier from another


class NothingToLearnError(Exception):
    """Nobody among the training rows is in the undesired class, or nothing flips them."""


@dataclass(frozen=True)
class Exercise:
    """Practice after fine-tuning: the model tries answers of its own, and the classifier judges them."""

    recipe: Recipe
    aims: PracticeAims
    samples: int = 1
    temperature: float = 0.7


@dataclass(frozen=True, eq=False)
class Lesson:
    """What to teach to which model: `values` is what targets may say."""

    task: Task
    checkpoint: Checkpoint
    questions: Questions
    values: Values
    aims: Aims
    recipe: Recipe
    exercise: Exercise | None = None

    @property
    def probability(self) -> Callable[[Matrix], Matrix]:
        """Of the target class, as the explained classifier has it."""
        return probability_of_target(self.task)

    @property
    def course(self) -> dict[str, Any]:
        """All that is decided about training, as JSON takes it."""
        course = self.recipe.identity()
        if (e := self.exercise) is not None:
            course["practice"] = {
                **e.recipe.identity(),
                **e.aims.identity(),
                "samples": e.samples,
                "heat": e.temperature,
            }
        return course


def adapter_for(lesson: Lesson, load: Callable[[], Loaded], name: str) -> Path:
    """The folder of the adapter for this lesson, trained now if nobody has. Raises NothingToLearnError."""
    identity = Identity.of(lesson.checkpoint, lesson.course, lesson.task.seed, data_key(lesson))
    return Adapters(lesson.task.cache).obtain(identity, lambda folder: _trained(lesson, load, folder, name)).folder


def data_key(lesson: Lesson) -> str:
    """A digest of all that decides the targets. A classifier is known by what it says of the training rows and of people
    among them, so that no two that answer differently share an adapter."""
    task, prompt = lesson.task, lesson.questions.prompt
    chance = np.random.default_rng([task.seed, FORMAT, 1])
    probes = np.concatenate([task.train_matrix, imagined(task.schema, task.train_matrix, PROBES, chance)])
    said = [FORMAT, HELD_OUT, JUDGED_BY, TOO_FAR, task.schema.fingerprint, *task.classes, task.target, prompt.template.digest,
            prompt.answer.rationale, lesson.questions.confidence, lesson.questions.codebook is not None,
            lesson.questions.mend, repr(lesson.aims)]  # fmt: skip
    if lesson.questions.codebook is not None:
        said += [SWEPT, PRICE, UNIT, FARTHEST, OUTSIDE, FAINTEST, HOPE, VERDICT]
    digest = hashlib.sha256(json.dumps(said).encode())
    for array in (task.train_matrix, task.predict_proba(probes), *lesson.values.choices):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _trained(lesson: Lesson, load: Callable[[], Loaded], folder: Path, name: str) -> Trained:
    from sensecf_huggingface.constraint import Compiler
    from sensecf_huggingface.tuning.progress import printer
    from sensecf_huggingface.tuning.training import fine_tune, practise
    from sensecf_huggingface.tutoring import ClassifierTutor, Classroom

    task, exercise = lesson.task, lesson.exercise
    chance = np.random.default_rng([task.seed, FORMAT])
    learnt, held = parted(task.train_matrix, chance)
    pairs = _pairs(lesson, learnt, chance)
    loaded = load()
    sweeper = _sweeper(lesson, pairs, loaded)
    examples = _examples(lesson, pairs, loaded, sweeper)
    compiler = Compiler(loaded, lesson.questions.words, threads=1)  # the same grammars each time
    validate = validator(lesson, held, loaded, compiler, chance)
    judged = validate if exercise is None else None  # else when it has practised
    tuned = fine_tune(loaded, examples, lesson.recipe, folder, validate=judged, note=printer(name))
    report = {
        "best": tuned.validity,
        "steps": tuned.steps,
        "targets": len(pairs),
        "seconds": round(tuned.seconds, 1),
        "dataset": task.schema.fingerprint,
    }
    if exercise is None:
        return Trained(tuned.adapter_folder, report)
    assert sweeper is not None, "only a model with a codebook practises"
    people = np.unique(pairs.people, axis=0)
    samples, heat = exercise.samples, exercise.temperature
    practised = practise(
        loaded,
        tuned.adapter_folder,
        ClassifierTutor(Classroom(task, loaded, lesson.questions, sweeper, people, samples, heat, compiler)),
        exercise.aims,
        exercise.recipe,
        folder / "practice",
        validate=validate,
        note=printer(f"{name}, practising"),
    )
    report |= {
        "best": practised.validity,
        "practice": practised.steps,
        "practice_seconds": round(practised.seconds, 1),
    }
    return Trained(practised.adapter_folder, report)


def _pairs(lesson: Lesson, learnt: Matrix, chance: np.random.Generator) -> Pairs:
    """Targets for these rows, no more than there is time to look at. Raises NothingToLearnError."""
    pairs = make_pairs(lesson.values, lesson.probability, learnt, lesson.aims, chance)
    if not len(pairs):
        raise NothingToLearnError("no training row in the undesired class has a counterfactual that was found")
    if lesson.recipe.steps is not None:
        pairs = pairs.some(lesson.recipe.steps * lesson.recipe.batch, chance)
    return pairs


def _sweeper(lesson: Lesson, pairs: Pairs, loaded: Loaded) -> Sweeper | None:
    """Who knows what an answer would be worth with other words; None where words are not values."""
    schema, codebook = lesson.task.schema, lesson.questions.codebook
    if codebook is None:
        return None
    unit = unit_for(schema.gaps(pairs.counterfactuals, pairs.people).mean(axis=1))
    return Sweeper(Judge(schema, lesson.probability, unit), codebook, loaded.tokenizer)


def _examples(lesson: Lesson, pairs: Pairs, loaded: Loaded, sweeper: Sweeper | None) -> list[Example]:
    """The pairs as questions and answers in the model's tokens."""
    from sensecf_huggingface.tuning.examples import encode

    asked = lesson.questions.messages(pairs.people, lesson.probability(pairs.people))
    answers = lesson.questions.answers(pairs.people, pairs.counterfactuals)
    examples = encode(loaded, zip(asked, answers, strict=True))
    return examples if sweeper is None else _swept(sweeper, examples, pairs)


def _swept(sweeper: Sweeper, examples: Sequence[Example], pairs: Pairs) -> list[Example]:
    """The examples with what each target would be worth with another word in it."""
    begins = [example.scored.index(True) for example in examples]
    answers = [example.ids[begin:] for example, begin in zip(examples, begins, strict=True)]
    swept = []
    sweeps = sweeper.sweeps(pairs.people, pairs.counterfactuals, answers)
    for example, begin, mine in zip(examples, begins, sweeps, strict=True):
        (choices,) = priced([mine], PRICE)
        moved = tuple(replace(choice, place=begin + choice.place) for choice in choices)
        swept.append(replace(example, choices=moved))
    return swept
