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
from sensecf_huggingface.judging import FAINTEST, FARTHEST, OUTSIDE, UNIT, Judge, Sweeper, unit_for
from sensecf_huggingface.targets.pairs import Aims, Pairs, make_pairs
from sensecf_huggingface.targets.people import asked_about, imagined
from sensecf_huggingface.targets.search import FLIP, search
from sensecf_huggingface.targets.values import Values
from sensecf_huggingface.tuning.stepping import VERDICT
from sensecf_huggingface.tuning.sweeps import HOPE, priced

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench import Task
    from sensecf_huggingface.checkpoint import Checkpoint
    from sensecf_huggingface.constraint import Compiler
    from sensecf_huggingface.loaded import Loaded
    from sensecf_huggingface.questions import Questions
    from sensecf_huggingface.tuning.examples import Example
    from sensecf_huggingface.tuning.practice import Aims as PracticeAims
    from sensecf_huggingface.tuning.recipe import Recipe

    Matrix = NDArray[np.float64]

FORMAT = 3  # of how targets are made; a change that moves them counts it up
HELD_OUT = 0.15  # share of the training rows that early stopping is judged by, and that no target is made from
JUDGED_BY = 96  # people, at most
TOO_FAR, TINY = 0.6, 1e-9  # what a typical distance too many takes off an answer in validation, as an exponent
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


def probability_of_target(task: Task) -> Callable[[Matrix], Matrix]:
    """Asks the explained classifier for the probability of the target class, shape `(n,)`."""

    def probability(rows: Matrix) -> Matrix:
        return task.predict_proba(rows)[:, task.target] if len(rows) else np.empty(0)

    return probability


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
    from sensecf_huggingface.tuning.examples import encode
    from sensecf_huggingface.tuning.progress import printer
    from sensecf_huggingface.tuning.training import fine_tune, practise
    from sensecf_huggingface.tutoring import ClassifierTutor, Classroom

    task, questions = lesson.task, lesson.questions
    chance = np.random.default_rng([task.seed, FORMAT])
    learnt, held = _parted(task.train_matrix, chance)
    probability = probability_of_target(task)
    pairs = make_pairs(lesson.values, probability, learnt, lesson.aims, chance)
    if not len(pairs):
        raise NothingToLearnError("no training row in the undesired class has a counterfactual that was found")
    if lesson.recipe.steps is not None:  # no more than there is time to look at
        pairs = pairs.some(lesson.recipe.steps * lesson.recipe.batch, chance)
    loaded = load()
    asked = questions.messages(pairs.people, probability(pairs.people))
    answers = questions.answers(pairs.people, pairs.counterfactuals)
    examples = encode(loaded, zip(asked, answers, strict=True))
    sweeper = None
    if questions.codebook is not None:
        unit = unit_for(task.schema.gaps(pairs.counterfactuals, pairs.people).mean(axis=1))
        sweeper = Sweeper(Judge(task.schema, probability, unit), questions.codebook, loaded.tokenizer)
        examples = _swept(sweeper, examples, pairs)
    judges = _judges(lesson, held, probability, chance)
    found = search(
        lesson.values,
        probability,
        judges,
        task.train_matrix[probability(task.train_matrix) >= FLIP],
        lesson.aims.search,
        chance,
    )
    compiler = Compiler(loaded, threads=1)  # the same grammars each time
    validate = _validator(lesson, loaded, compiler, judges, task.schema.gaps(found.rows, judges).mean(axis=1))
    exercise = lesson.exercise
    judged = validate if exercise is None else None  # else when it has practised
    tuned = fine_tune(loaded, examples, lesson.recipe, folder, validate=judged, note=printer(name))
    report = {
        "best": tuned.validity,
        "steps": tuned.steps,
        "targets": len(pairs),
        "seconds": round(tuned.seconds, 1),
        "dataset": task.schema.fingerprint,
    }
    if exercise is not None:
        assert sweeper is not None, "only a model with a codebook practises"
        people = np.unique(pairs.people, axis=0)
        room = Classroom(task, loaded, questions, sweeper, people, exercise.samples, exercise.temperature, compiler)
        practised = practise(
            loaded,
            tuned.adapter_folder,
            ClassifierTutor(room),
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
    return Trained(tuned.adapter_folder, report)


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


def _parted(rows: Matrix, chance: np.random.Generator) -> tuple[Matrix, Matrix]:
    """Rows to make targets from, and rows to judge by; few rows are all learnt from."""
    order = chance.permutation(len(rows))
    held = round(HELD_OUT * len(rows)) if len(rows) >= 40 else 0
    return rows[order[held:]], rows[order[:held]]


def _judges(
    lesson: Lesson, held: Matrix, probability: Callable[[Matrix], Matrix], chance: np.random.Generator
) -> Matrix:
    """People in the undesired class to try an adapter on: those held out, and, where targets have imagined people too, some
    imagined around them."""
    people = [held[probability(held) < FLIP]] if len(held) else []
    if lesson.aims.imagined and len(held):
        drawn = imagined(lesson.task.schema, held, 3 * JUDGED_BY, chance)
        people.append(drawn[probability(drawn) < FLIP])
    return np.concatenate(people)[:JUDGED_BY] if people else held


def _validator(
    lesson: Lesson, loaded: Loaded, compiler: Compiler, people: Matrix, far: Matrix
) -> Callable[[Any], float] | None:
    """The share of people held out whose greedy answer is valid, as the harness would score it, each counted the less the
    farther it goes beyond what the search finds for the same person, at the distances `far`. Validity alone would choose a
    model that changes everything."""
    from sensecf_huggingface.asking import Asker, answered

    if not len(people):
        return None
    task = lesson.task
    queries = asked_about(task, people, np.zeros(len(people), dtype=np.uint64))

    def validity(model: Any) -> float:
        asker = Asker(replace(loaded, model=model), lesson.questions, probability_of_target(task), known=compiler)
        batch = answered(task, queries, lesson.questions, *asker.ask(queries))
        if batch.rows is None:
            return 0.0
        first = batch.rows.drop_duplicates("query_id").set_index("query_id").reindex(queries.ids).dropna()
        at = [queries.ids.index(i) for i in first.index]
        rows = task.schema.encode(first)
        beyond = np.maximum(task.schema.gaps(rows, people[at]).mean(axis=1) - far[at], 0.0) / max(far.mean(), TINY)
        return float(((task.predict(rows) == task.target) * np.exp(-TOO_FAR * beyond)).sum()) / len(people)

    return validity
