"""Mean scores over trials, in the sample and in its resamples, under the same draws for all arms and classifiers.

A resample draws seeds with replacement (a seed is a split, with test rows of its own) and, for each seed drawn, as many
of its test rows with replacement: a hierarchical bootstrap. Seeds that have the same test rows share one draw of them in
a resample, because those people are the same and not new ones. A draw of rows is a column of weights, so nothing is
predicted twice. The first column of everything here is the sample itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.augmentation.scores import SCORES, weighted_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.schema import Mask, Matrix

CELLS_AT_ONCE = 1 << 17  # numbers in a table of weights: 1 MiB stays in a processor's cache; part of what a seed means
LEAST_AT_ONCE = 64  # resamples, however many rows: probabilities are sorted anew for every block


@dataclass(frozen=True, eq=False)
class Predictions:
    """What was predicted for the `m` test rows of one seed at one level of scarcity, `(arms, classifiers, m)`.

    Seeds with the same `people`, if it is not "", have the same test rows in the same order.
    """

    truth: Mask
    probabilities: Matrix
    people: str = ""

    def scored(self, weights: Matrix) -> Matrix:
        """Scores under each of `(m, n)` weightings, summed over classifiers, `(arms, 5, n)`."""
        arms, classifiers, m = self.probabilities.shape
        values = weighted_scores(self.truth, self.probabilities.reshape(arms * classifiers, m), weights)
        total: Matrix = values.reshape(arms, classifiers, len(SCORES), -1).sum(axis=1)
        return total


@dataclass(frozen=True, eq=False)
class Draws:
    """How often the `m` test rows of a seed count in each of `n` draws, `(m, n)`, and to which resample (0 is the sample)
    each draw belongs, `(n,)`, in ascending order: a resample may draw a seed more than once, or not at all."""

    weights: Matrix
    resample: NDArray[np.intp]

    def add(self, values: Matrix, totals: Matrix) -> None:
        """Add values by draw, `(..., n)`, to totals by resample, `(..., 1 + resamples)`."""
        if len(self.resample):
            hit, first = np.unique(self.resample, return_index=True)
            totals[..., hit] += np.add.reduceat(values, first, axis=-1)


def mean_scores(levels: Sequence[Mapping[int, Predictions]], *, seed: int, resamples: int) -> list[Matrix]:
    """For each level of scarcity, given as predictions by seed, the mean scores of its arms over all its trials, shape
    `(arms, 5, 1 + resamples)`; NaN where a score is not defined in some trial, or a resample has no trial."""
    rows = {s: _Rows(len(p.truth), p.people) for level in levels for s, p in level.items()}
    sums = [np.zeros((_arms(level), len(SCORES), 1 + resamples)) for level in levels]
    counts = [np.zeros(1 + resamples) for _ in levels]
    for block in _sample_and_resamples({s: rows[s] for s in sorted(rows)}, seed, resamples):
        for i, level in enumerate(levels):
            for s, predictions in level.items():
                draws = block[s]
                draws.add(predictions.scored(draws.weights), sums[i])
                draws.add(np.full(len(draws.resample), float(predictions.probabilities.shape[1])), counts[i])
    with np.errstate(invalid="ignore"):  # no trial: 0 / 0
        return [total / count for total, count in zip(sums, counts, strict=True)]


def _arms(level: Mapping[int, Predictions]) -> int:
    return len(next(iter(level.values())).probabilities)


@dataclass(frozen=True)
class _Rows:
    """How many test rows a seed has, and who they are."""

    count: int
    people: str


def _sample_and_resamples(rows: Mapping[int, _Rows], seed: int, resamples: int) -> Iterator[dict[int, Draws]]:
    """The draws by seed, block by block."""
    yield {s: Draws(np.ones((r.count, 1)), np.zeros(1, dtype=np.intp)) for s, r in rows.items()}
    rng = np.random.default_rng(seed)
    at_once = max(LEAST_AT_ONCE, CELLS_AT_ONCE // max(1, *(r.count for r in rows.values())))
    shared = {people for people, n in Counter(r.people for r in rows.values()).items() if people and n > 1}
    for start in range(0, resamples, at_once):
        drawn = rng.integers(0, len(rows), size=(min(at_once, resamples - start), len(rows)))
        block, of_all = {}, {people: _counts(rng, len(drawn), _size(rows, people)) for people in sorted(shared)}
        for position, (s, r) in enumerate(rows.items()):
            resample = np.nonzero(drawn == position)[0]
            own = of_all[r.people][:, resample] if r.people in shared else _counts(rng, len(resample), r.count)
            block[s] = Draws(own, 1 + start + resample)
        yield block


def _size(rows: Mapping[int, _Rows], people: str) -> int:
    return next(r.count for r in rows.values() if r.people == people)


def _counts(rng: np.random.Generator, draws: int, rows: int) -> Matrix:
    """How often each row is drawn, `(rows, draws)`, when each draw takes as many rows as there are."""
    hits = rng.integers(0, rows, size=(rows, draws)) * draws + np.arange(draws)
    counts = np.bincount(hits.ravel(), minlength=rows * draws).reshape(rows, draws)
    return counts.astype(np.float64)
