"""What rows are worth that a model proposes, and what they would be worth with another word in its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_huggingface.targets.search import AT_ONCE, FLIP, log_odds
from sensecf_huggingface.tuning.sweeps import Sweep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench import FeatureSchema, Task
    from sensecf_huggingface.micro.codebook import Codebook

    Matrix = NDArray[np.float64]

OUTSIDE = 0.5  # what a valid row is worth that leaves somebody outside the range of the training rows
UNIT, FARTHEST, LEAST = 0.03, 2.0, 1e-9  # Gower distance that others are counted in; at most so many mean targets
FAINTEST = 1e-6  # smaller probabilities are all the same


def probability_of_target(task: Task) -> Callable[[Matrix], Matrix]:
    """Asks the explained classifier for the probability of the target class, shape `(n,)`."""

    def probability(rows: Matrix) -> Matrix:
        return task.predict_proba(rows)[:, task.target] if len(rows) else np.empty(0)

    return probability


@dataclass(frozen=True, eq=False)
class Verdict:
    """Of some rows, each of shape `(n,)`: what they are worth before distance, how far they go, in the judge's unit, and the
    odds of those that are not valid, in nats (see `Sweep`)."""

    worth: Matrix
    far: Matrix
    odds: Matrix


@dataclass(frozen=True, eq=False)
class Judge:
    """The explained classifier's verdict. `unit` is the Gower distance that distances are counted in."""

    schema: FeatureSchema
    probability: Callable[[Matrix], Matrix]  # of the target class
    unit: float

    def __call__(self, rows: Matrix, people: Matrix) -> Verdict:
        """The verdict on rows that are proposed to people, both of shape `(n, d)`; a row that is none is NaN."""
        schema = self.schema
        there = np.flatnonzero(np.isfinite(rows).all(axis=1))
        worth, far, odds = np.zeros(len(rows)), np.zeros(len(rows)), np.full(len(rows), -np.inf)
        for start in range(0, len(there), AT_ONCE):
            at = there[start : start + AT_ONCE]
            some = rows[at]
            probability, possible = self.probability(some), schema.keeps(some)
            seen = schema.in_training_range(some).all(axis=1)
            worth[at] = ((probability >= FLIP) & possible) * np.where(seen, 1.0, OUTSIDE)
            far[at] = schema.gaps(some, people[at]).mean(axis=1) / self.unit
            odds[at] = np.where(possible, log_odds(np.clip(probability, FAINTEST, FLIP)), -np.inf)
        return Verdict(worth, far, odds)


def unit_for(targets: Matrix) -> float:
    """What distance is counted in where it has a price; `targets` says how far each target lies (Gower), shape `(n,)`.

    It is the same for every classifier, but where a table's distances are all tiny. Counted in how far the targets of each
    lie, a distance would be dear where the boundary is near and cheap where it is far, and validity would be lost there for
    what is wasted here.
    """
    return max(min(UNIT, FARTHEST * float(targets.mean())), LEAST)


@dataclass(frozen=True, eq=False)
class Sweeper:
    """Holds each word of answers against what might stand there, for a model that says a value in one word: for a value all
    others of its feature; for a feature that it is left as it is; and, for any but the first, that the answer ends."""

    judge: Judge
    codebook: Codebook
    tokenizer: Any

    def sweeps(self, people: Matrix, rows: Matrix, answers: Sequence[Sequence[int]]) -> list[list[Sweep]]:
        """The sweeps of each of some answers, given by its tokens. `people` who are answered, and the `rows` that answers
        propose to them, are of shape `(n, d)`; a row that is none has no sweeps."""
        some = list(zip(people, rows, answers, strict=True))
        trials = [self._trials(*one) if np.isfinite(one[1]).all() else [] for one in some]
        counts = [sum(len(t.rows) for t in mine) for mine in trials]
        if not sum(counts):
            return [[] for _ in answers]
        asked = np.concatenate([t.rows for mine in trials for t in mine])
        said = self.judge(asked, np.repeat(people, counts, axis=0))
        found, start = list[list[Sweep]](), 0
        for mine in trials:
            found.append([])
            for trial in mine:
                own = slice(start, start + len(trial.rows))
                found[-1].append(Sweep(trial.place, trial.tokens, said.worth[own], said.far[own], said.odds[own]))
                start += len(trial.rows)
        return found

    def _trials(self, person: Matrix, row: Matrix, answer: Sequence[int]) -> list[_Trial]:
        edited = []
        for head in answer[::2]:
            if head not in self._feature:
                break
            edited.append(self._feature[head])
        trials = []
        for at, j in enumerate(edited):
            trials.append(self._values(person, row, answer[2 * at + 1], 2 * at + 1, j))
            if len(edited) > 1:
                trials.append(self._without(person, row, answer, at, edited))
        return trials

    def _values(self, person: Matrix, row: Matrix, said: int, place: int, j: int) -> _Trial:
        choices, tokens = self.codebook.values.choices[j], self._values_of[j]
        direction = self.judge.schema.features[j].direction
        allowed = {"increase": choices > person[j], "decrease": choices < person[j]}.get(direction, tokens >= 0)
        allowed = allowed | (tokens == said)
        rows = np.repeat(row[None], allowed.sum(), axis=0)
        rows[:, j] = choices[allowed]
        return _Trial(place, tokens[allowed], rows)

    def _without(self, person: Matrix, row: Matrix, answer: Sequence[int], at: int, edited: list[int]) -> _Trial:
        """The answer as it is, without an edit, and, where more edits follow, without those too."""
        end, last = answer[2 * len(edited)], at + 1 == len(edited)
        heads = self._first if at == 0 else self._later
        tokens = [answer[2 * at], end if last else heads[edited[at + 1]]]
        rows = [row, row.copy()]
        rows[1][edited[at]] = person[edited[at]]
        if at > 0 and not last:
            tokens.append(end)
            rows.append(row.copy())
            rows[2][edited[at:]] = person[edited[at:]]
        return _Trial(2 * at, np.array(tokens, dtype=np.int64), np.stack(rows))

    def _ids(self, texts: Sequence[str]) -> list[int]:
        ids: list[int] = self.tokenizer.convert_tokens_to_ids(list(texts))
        return ids

    @cached_property
    def _words(self) -> dict[int, list[int]]:
        mutable = map(int, np.flatnonzero(self.judge.schema.mutable))
        return {j: self._ids([word.text for word in self.codebook.of_edits(j)]) for j in mutable}

    @cached_property
    def _first(self) -> dict[int, int]:
        return {j: ids[0] for j, ids in self._words.items()}

    @cached_property
    def _later(self) -> dict[int, int]:
        return {j: ids[1] for j, ids in self._words.items()}

    @cached_property
    def _values_of(self) -> dict[int, NDArray[np.int64]]:
        return {j: np.array(ids[2:], dtype=np.int64) for j, ids in self._words.items()}

    @cached_property
    def _feature(self) -> dict[int, int]:
        return {head: j for heads in (self._first, self._later) for j, head in heads.items()}


@dataclass(frozen=True, eq=False)
class _Trial:
    """What might stand at a place, and the row that the answer then proposes, shape `(n, d)`."""

    place: int
    tokens: NDArray[np.int64]
    rows: Matrix
