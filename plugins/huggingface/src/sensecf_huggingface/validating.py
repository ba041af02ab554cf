"""How a model is judged while it is trained: by people among the training rows that no target is made from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_huggingface.targets.people import asked_about, imagined
from sensecf_huggingface.targets.search import FLIP, search

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_huggingface.constraint import Compiler
    from sensecf_huggingface.finetuning import Lesson
    from sensecf_huggingface.loaded import Loaded

    Matrix = NDArray[np.float64]

HELD_OUT = 0.15  # share of the training rows
JUDGED_BY = 96  # people, at most
TOO_FAR, TINY = 0.6, 1e-9  # what a typical distance too many takes off an answer, as an exponent


def parted(rows: Matrix, chance: np.random.Generator) -> tuple[Matrix, Matrix]:
    """Rows to make targets from, and rows to judge by; few rows are all learnt from."""
    order = chance.permutation(len(rows))
    held = round(HELD_OUT * len(rows)) if len(rows) >= 40 else 0
    return rows[order[held:]], rows[order[:held]]


def validator(
    lesson: Lesson, held: Matrix, loaded: Loaded, compiler: Compiler, chance: np.random.Generator
) -> Callable[[Any], float] | None:
    """Says of a model the share of people held out whose greedy answer is valid, as the harness would score it, each counted
    the less the farther it goes beyond what the search finds for the same person. Validity alone would choose a model that
    changes everything. None where there is nobody to judge by."""
    from sensecf_huggingface.asking import Asker, answered

    task, probability = lesson.task, lesson.probability
    people = _judges(lesson, held, chance)
    if not len(people):
        return None
    wanted = task.train_matrix[probability(task.train_matrix) >= FLIP]
    found = search(lesson.values, probability, people, wanted, lesson.aims.search, chance)
    far = task.schema.gaps(found.rows, people).mean(axis=1)
    queries = asked_about(task, people, np.zeros(len(people), dtype=np.uint64))

    def validity(model: Any) -> float:
        asker = Asker(replace(loaded, model=model), lesson.questions, probability, known=compiler)
        batch = answered(task, queries, lesson.questions, *asker.ask(queries))
        if batch.rows is None:
            return 0.0
        first = batch.rows.drop_duplicates("query_id").set_index("query_id").reindex(queries.ids).dropna()
        at = [queries.ids.index(i) for i in first.index]
        rows = task.schema.encode(first)
        beyond = np.maximum(task.schema.gaps(rows, people[at]).mean(axis=1) - far[at], 0.0) / max(far.mean(), TINY)
        return float(((task.predict(rows) == task.target) * np.exp(-TOO_FAR * beyond)).sum()) / len(people)

    return validity


def _judges(lesson: Lesson, held: Matrix, chance: np.random.Generator) -> Matrix:
    """People in the undesired class to try a model on: those held out, and, where targets have imagined people too, some
    imagined around them."""
    probability = lesson.probability
    people = [held[probability(held) < FLIP]] if len(held) else []
    if lesson.aims.imagined and len(held):
        drawn = imagined(lesson.task.schema, held, 3 * JUDGED_BY, chance)
        people.append(drawn[probability(drawn) < FLIP])
    return np.concatenate(people)[:JUDGED_BY] if people else held
