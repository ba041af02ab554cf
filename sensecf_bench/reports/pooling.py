"""One generator on one dataset, over all classifiers and seeds; and which generators are best beyond doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.contracts import Metric, Sums
from sensecf_bench.metrics.bootstrap import Estimate, difference, estimates, pooled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.engine.score import CellScore


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
    """For each metric with a direction, the generators at the top: the best value, and those whose paired difference
    from it, on the queries both solved, cannot be told from 0. Empty where nobody can be told from the best."""
    winners: dict[str, set[str]] = {}
    for metric in metrics:
        values = {name: p.estimates[metric.name].value for name, p in pools.items()}
        known = {name: value for name, value in values.items() if value is not None}
        if metric.direction == "none" or metric.timing or len(known) < 2:
            continue
        choose = max if metric.direction == "higher" else min
        top = choose(known, key=lambda name: known[name])
        tied = {name for name in known if name == top or not _differs(metric, pools[top], pools[name], resamples)}
        winners[metric.name] = tied if len(tied) < len(known) else set()
    return winners


def _differs(metric: Metric, top: Pool, other: Pool, resamples: int) -> bool:
    """Whether `top` is better than `other` with its whole interval; on no common queries nothing can be said."""
    gap = difference(
        metric,
        top.sums[metric.name],
        other.sums[metric.name],
        first_keys=top.keys,
        second_keys=other.keys,
        clusters=top.ids,
        resamples=resamples,
    )
    if gap.low is None or gap.high is None:
        return False
    return gap.low > 0 if metric.direction == "higher" else gap.high < 0
