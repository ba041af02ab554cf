"""Values with intervals: a percentile bootstrap over people, and what stands in for it where it has no width.

Whoever is asked under several seeds or classifiers is one cluster and moves as one, because those answers are not
independent. All metrics of one call share the same resamples. A resample is a vector of weights, so a metric's value
in it is `Metric.value(weights @ parts)`, and nothing is scored twice.

Known limits: with few clusters (under about 20) percentile intervals are somewhat too narrow, and a share near 0 or 1
leans on few people. Only where the bootstrap has no width at all, at exactly 0 or 1, is it replaced by Wilson's score
interval, with each cluster counted as one trial.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.contracts import Metric, Sums
from sensecf_bench.metrics.resampling import Clusters

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sensecf_bench.schema import Matrix

RESAMPLES = 2000
CONFIDENCE = 0.95
DEFINED = 0.9  # share of resamples that must have a value; percentiles of fewer would hide how often there is none


@dataclass(frozen=True)
class Estimate:
    """A metric's value with its 95 % interval and its three counts of queries.

    `value` is None where the metric is undefined or an eligible query has no score; never a mean of the remainder.
    """

    value: float | None
    low: float | None
    high: float | None
    scored: int
    eligible: int
    asked: int


@dataclass(frozen=True)
class Difference:
    """First minus second on the `common` queries that both scored, with its interval."""

    value: float | None
    low: float | None
    high: float | None
    common: int


def pooled(cells: Sequence[Sums]) -> Sums:
    """The sums of several cells as one; their parts must be of the same width (feature-wise sums: one dataset)."""
    return Sums(
        np.concatenate([c.parts for c in cells]),
        np.concatenate([c.eligible for c in cells]),
        np.concatenate([c.scored for c in cells]),
    )


def estimates(
    measured: Sequence[tuple[Metric, Sums]], clusters: ArrayLike, *, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Estimate]:
    """An estimate for each metric, by name. `clusters` labels the n queries asked, in the order of the sums' rows.

    All asked queries are resampled, whether a metric speaks of them or not, so that its denominator varies as it would.
    """
    people = Clusters.of(clusters)
    values = {m.name: _value(m, s.parts.sum(axis=0)) if _complete(s) else None for m, s in measured}
    defined = [(m, s) for m, s in measured if values[m.name] is not None]
    totals = people.resampled_totals([s.parts for _, s in defined], seed, resamples)
    spreads = {m.name: m.value(t) for (m, _), t in zip(defined, totals, strict=True)}
    result = {}
    for metric, sums in measured:
        value = values[metric.name]
        low = high = None
        if value is not None:
            trials = people.count(sums.scored)
            if metric.is_share and value in (0.0, 1.0) and trials:
                low, high = wilson(value, trials)
            elif trials > 1:
                low, high = _percentiles(spreads[metric.name])
        counts = int(sums.scored.sum()), int(sums.eligible.sum()), len(sums.scored)
        result[metric.name] = Estimate(value, low, high, *counts)
    return result


def difference(
    metric: Metric,
    first: Sums,
    second: Sums,
    *,
    first_keys: ArrayLike,
    second_keys: ArrayLike,
    clusters: ArrayLike,
    seed: int = 0,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> Difference:
    """Paired difference first − second of one metric on the queries both scored, found by their keys.

    Keys are unique on each side; `clusters` labels the people behind `first_keys`. No value where either side has an
    eligible query without a score: what is missing might be what differs. Whoever makes several comparisons at once
    asks for more `confidence` in each.
    """
    mine, yours = _matched(first, second, first_keys, second_keys)
    if not len(mine) or not (_complete(first) and _complete(second)):
        return Difference(None, None, None, len(mine))
    people = Clusters.of(np.asarray(clusters)[mine])
    parts = first.parts[mine], second.parts[yours]
    ours, theirs = (_value(metric, p.sum(axis=0)) for p in parts)
    if ours is None or theirs is None:
        return Difference(None, None, None, len(mine))
    low = high = None
    if metric.is_share and ours in (0.0, 1.0) and theirs in (0.0, 1.0):
        low, high = _newcombe(ours, theirs, len(people), confidence)
    elif len(people) > 1:
        totals = people.resampled_totals(parts, seed, resamples)
        low, high = _percentiles(metric.value(totals[0]) - metric.value(totals[1]), confidence)
    return Difference(ours - theirs, low, high, len(mine))


def wilson(share: float, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval of a share of n trials (Wilson 1927): at 0 of 45 it is [0, 0.08], not [0, 0]."""
    from scipy.special import ndtri

    z2 = float(ndtri(0.5 + confidence / 2)) ** 2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = np.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    # At the ends one limit is 0 or 1 exactly; rounding must not push it past the share itself.
    return min(max(0.0, float(centre - half)), share), max(min(1.0, float(centre + half)), share)


def _newcombe(first: float, second: float, n: int, confidence: float) -> tuple[float, float]:
    """Newcombe's hybrid score interval of a difference of paired shares (1998, method 10), for shares that are each 0
    or 1, where the correlation term vanishes."""
    (low1, high1), (low2, high2) = wilson(first, n, confidence), wilson(second, n, confidence)
    gap = first - second
    return gap - float(np.hypot(first - low1, high2 - second)), gap + float(np.hypot(high1 - first, second - low2))


def _complete(sums: Sums) -> bool:
    return bool((sums.scored >= sums.eligible).all())


def _value(metric: Metric, totals: Matrix) -> float | None:
    value = float(metric.value(totals))
    return value if np.isfinite(value) else None


def _percentiles(values: Matrix, confidence: float = CONFIDENCE) -> tuple[float | None, float | None]:
    known = values[np.isfinite(values)]
    if not len(known) or len(known) < DEFINED * len(values):
        return None, None
    low, high = np.quantile(known, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return float(low), float(high)


def _matched(
    first: Sums, second: Sums, first_keys: ArrayLike, second_keys: ArrayLike
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions on either side of the queries both scored, in the order of their keys."""
    one, two = np.asarray(first_keys), np.asarray(second_keys)
    mine, yours = np.flatnonzero(first.scored), np.flatnonzero(second.scored)
    common: tuple[Any, NDArray[np.intp], NDArray[np.intp]] = np.intersect1d(
        one[mine], two[yours], assume_unique=True, return_indices=True
    )
    return mine[common[1]], yours[common[2]]
