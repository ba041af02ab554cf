"""One generator on one dataset, over all classifiers and seeds; and which generators are best beyond doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.contracts import Metric, Sums
from sensecf_bench.metrics.bootstrap import CONFIDENCE, Estimate, difference, estimates, pooled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.engine.score import CellScore

# A percentile interval of a handful of people is far too narrow: of two, it finds a difference every other time where
# there is none.
LEAST_PEOPLE = 20
# Whoever answers only the easy queries looks sparse and near; such a value is shown, and never the best.
LEAST_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class Pool:
    """Estimates over several cells, with what is needed to compare them with another generator's."""

    estimates: Mapping[str, Estimate]
    sums: Mapping[str, Sums]
    keys: NDArray[np.str_]  # (n,) cell and query id: what two generators have in common
    ids: NDArray[np.str_]  # (n,) query ids: the same person in several cells is one cluster
    people: int


def pool(cells: Sequence[tuple[str, CellScore | None]], metrics: Sequence[Metric], resamples: int) -> Pool:
    """Pool cells given by key and score. A missing cell or metric leaves no value: never a mean of the remainder."""
    present = [(key, score) for key, score in cells if score is not None]
    ids = np.array([i for _, score in present for i in score.ids], dtype=np.str_)
    keys = np.array([f"{key}\x1f{i}" for key, score in present for i in score.ids], dtype=np.str_)
    sums: dict[str, Sums] = {}
    if len(present) == len(cells):
        for metric in metrics:
            parts = [score.sums[metric.name] for _, score in present if metric.name in score.sums]
            if len(parts) == len(present):
                sums[metric.name] = pooled(parts)
    measured = [(m, sums[m.name]) for m in metrics if m.name in sums]
    known = estimates(measured, ids, resamples=resamples) if measured else {}
    unknown = Estimate(None, None, None, 0, 0, len(ids))
    return Pool({m.name: known.get(m.name, unknown) for m in metrics}, sums, keys, ids, len(np.unique(ids)))


def best_of(pools: Mapping[str, Pool], metrics: Sequence[Metric], resamples: int) -> dict[str, set[str]]:
    """For each metric with a direction, the generators at the top: the best value among those that scored enough people,
    and those whose paired difference from it, on the queries both solved, cannot be told from 0. Empty where nobody
    can be told from the best."""
    winners: dict[str, set[str]] = {}
    for metric in metrics:
        if metric.direction == "none" or metric.timing:
            continue
        known = _comparable(metric.name, pools)
        if len(known) < 2:
            continue
        choose = max if metric.direction == "higher" else min
        top = choose(known, key=lambda name: known[name])
        confidence = 1 - (1 - CONFIDENCE) / (len(known) - 1)  # Bonferroni: the winner is compared with all others
        tied = {n for n in known if n == top or not _differs(metric, pools[top], pools[n], resamples, confidence)}
        winners[metric.name] = tied if len(tied) < len(known) else set()
    return winners


def _comparable(metric: str, pools: Mapping[str, Pool]) -> dict[str, float]:
    """The values of those that scored at least `LEAST_SHARE` as many people as whoever scored most."""
    people = {name: len(np.unique(p.ids[p.sums[metric].scored])) for name, p in pools.items() if metric in p.sums}
    least = LEAST_SHARE * max(people.values(), default=0)
    values = {name: pools[name].estimates[metric].value for name in people if people[name] >= least}
    return {name: value for name, value in values.items() if value is not None}


def _differs(metric: Metric, top: Pool, other: Pool, resamples: int, confidence: float) -> bool:
    """Whether `top` is better than `other` with its whole interval; on too few common people nothing can be said."""
    first, second = top.sums[metric.name], other.sums[metric.name]
    common = np.isin(top.keys[first.scored], other.keys[second.scored])
    if len(np.unique(top.ids[first.scored][common])) < LEAST_PEOPLE:
        return False
    gap = difference(
        metric,
        first,
        second,
        first_keys=top.keys,
        second_keys=other.keys,
        clusters=top.ids,
        resamples=resamples,
        confidence=confidence,
    )
    if gap.low is None or gap.high is None:
        return False
    return gap.low > 0 if metric.direction == "higher" else gap.high < 0
