"""Pairs to learn from: people whom the classifier puts in the undesired class, and counterfactuals that it confirms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from sensecf_huggingface.targets.people import imagined
from sensecf_huggingface.targets.search import FLIP, Search, search
from sensecf_huggingface.targets.values import Values

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

WANDER = 0.5  # of the second and later counterfactuals of a person
LOOKED_AT = 200  # people, to see which features matter
FEWEST, NEARLY = (3, 4, 5, 6, 8, 10, 12, 16, 20), 0.98
PATIENCE = 4  # rounds of imagining people until there are enough in the undesired class


@dataclass(frozen=True)
class Aims:
    """What to learn from: `imagined` people beside the training rows, `several` counterfactuals of each, and how those are
    searched for."""

    imagined: int = 0
    several: int = 4
    search: Search = field(default_factory=Search)


@dataclass(frozen=True, eq=False)
class Pairs:
    """People and a counterfactual of each, both of shape `(n, d)` in internal coding."""

    people: Matrix
    counterfactuals: Matrix

    def __len__(self) -> int:
        return len(self.people)

    def some(self, most: int, chance: np.random.Generator) -> Pairs:
        """At most so many of them, by chance."""
        at = chance.permutation(len(self))[:most]
        return Pairs(self.people[at], self.counterfactuals[at])


def make_pairs(
    values: Values, probability: Callable[[Matrix], Matrix], rows: Matrix, aims: Aims, chance: np.random.Generator
) -> Pairs:
    """Pairs from training rows of shape `(n, d)`; see `search` for `probability`.

    A counterfactual is kept if the classifier confirms it, if it changes nothing that may not change, and if every number
    in it lies within the range of the training rows. Without a person in the undesired class there are no pairs.
    """
    people = in_undesired_class(values, probability, rows, aims.imagined, chance)
    donors = rows[probability(rows) >= FLIP]
    how = focused(values, probability, people, donors, aims, chance)
    schema = values.schema
    answers, valid = [], []
    for turn in range(aims.several):
        found = search(values, probability, people, donors, _variant(how, turn), chance)
        answers.append(found.rows)
        said = schema.changed(found.rows, people).any(axis=1)  # less than a feature's precision is no edit
        valid.append(found.valid & said & values.holds(found.rows).all(axis=1))
    distances = np.stack(
        [np.where(v, schema.gaps(a, people).mean(axis=1), np.inf) for a, v in zip(answers, valid, strict=True)]
    )
    order = np.argsort(distances, axis=0, kind="stable")
    kept: list[tuple[Matrix, Matrix]] = []
    stacked = np.stack(answers)
    seen: set[tuple[int, bytes]] = set()
    for rank in range(aims.several):
        chosen = stacked[order[rank], np.arange(len(people))]
        at = np.flatnonzero(np.isfinite(np.take_along_axis(distances, order, 0)[rank]))
        fresh = [i for i in at if _first(seen, int(i), chosen[i])]
        kept.append((people[fresh], chosen[fresh]))
    return Pairs(*(np.concatenate(parts) for parts in zip(*kept, strict=True)))


def focused(
    values: Values,
    probability: Callable[[Matrix], Matrix],
    people: Matrix,
    donors: Matrix,
    aims: Aims,
    chance: np.random.Generator,
) -> Search:
    """The search kept to as few features as do for nearly everybody whom all features do for.

    Which of thirty correlated features to change is often a toss-up; a model can learn a habit better than a toss-up, and
    people can follow a programme of few things better than a different one each.
    """
    schema, how = values.schema, aims.search
    some = people[chance.permutation(len(people))[:LOOKED_AT]]
    free = search(values, probability, some, donors, how, chance)
    used = schema.changed(free.rows, some)[free.valid].mean(axis=0) if free.valid.any() else np.zeros(len(schema))
    by_use = [int(j) for j in np.argsort(-used, kind="stable") if used[j] > 0]
    for n in FEWEST:
        if n >= len(by_use):
            break
        kept = replace(how, features=tuple(by_use[:n]))
        if search(values, probability, some, donors, kept, chance).valid.sum() >= NEARLY * free.valid.sum():
            return kept
    return how


def in_undesired_class(
    values: Values, probability: Callable[[Matrix], Matrix], rows: Matrix, imagine: int, chance: np.random.Generator
) -> Matrix:
    """The rows that the classifier puts in the undesired class, and up to `imagine` people like the rows whom it puts there
    too."""
    parts = [rows[probability(rows) < FLIP]]
    wanted = imagine
    for _ in range(PATIENCE if len(rows) else 0):
        if wanted <= 0:
            break
        drawn = imagined(values.schema, rows, 3 * wanted, chance)
        drawn = drawn[probability(drawn) < FLIP][:wanted] if len(drawn) else drawn
        parts.append(drawn)
        wanted -= len(drawn)
    return np.concatenate(parts)


def _variant(how: Search, turn: int) -> Search:
    return how if turn == 0 else replace(how, wander=WANDER)


def _first(seen: set[tuple[int, bytes]], person: int, row: Matrix) -> bool:
    key = (person, row.tobytes())
    if key in seen:
        return False
    seen.add(key)
    return True
