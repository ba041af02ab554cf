"""Statistics of readings day by day, without a loop over days."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Numbers = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ByDay:
    """`n` readings filed under the days they fall on; `names` holds the `m` days in order, `where` each reading's."""

    names: Integers  # (m,)
    where: NDArray[np.intp]  # (n,)

    @classmethod
    def of(cls, days: Integers) -> ByDay:
        names, where = np.unique(days, return_inverse=True)
        return cls(names, where)

    @cached_property
    def counts(self) -> Integers:
        """Readings on each day, shape `(m,)`."""
        return np.bincount(self.where, minlength=len(self.names)).astype(np.int64)

    def total(self, values: Numbers | NDArray[np.bool_]) -> Numbers:
        """Sum of each day, shape `(m,)`."""
        total: Numbers = np.bincount(self.where, weights=values, minlength=len(self.names)).astype(np.float64)
        return total

    def mean(self, values: Numbers) -> Numbers:
        """Mean of each day, shape `(m,)`."""
        return self.total(values) / self.counts

    def deviation(self, values: Numbers) -> Numbers:
        """Standard deviation of each day (n - 1), shape `(m,)`; NaN for a single reading."""
        squares = self.total((values - self.mean(values)[self.where]) ** 2)
        freedom = self.counts - 1.0
        deviation: Numbers = np.sqrt(np.divide(squares, freedom, out=np.full(len(squares), np.nan), where=freedom > 0))
        return deviation

    def greatest(self, values: Numbers) -> Numbers:
        """Greatest value of each day, shape `(m,)`."""
        top = np.full(len(self.names), -np.inf)
        np.maximum.at(top, self.where, values)
        return top

    def percentile(self, values: Numbers, share: float) -> Numbers:
        """A percentile of each day, interpolated linearly as numpy does, shape `(m,)`."""
        ordered = values[np.lexsort((values, self.where))]
        start = np.concatenate([[0], np.cumsum(self.counts)[:-1]]) if len(self.names) else np.zeros(0)
        place = start + (self.counts - 1) * share / 100
        low = np.floor(place).astype(np.intp)
        high = np.minimum(low + 1, (start + self.counts - 1).astype(np.intp))
        result: Numbers = ordered[low] + (place - low) * (ordered[high] - ordered[low])
        return result


def onto(days: Integers, names: Integers, values: Numbers, fill: float = np.nan) -> Numbers:
    """Values known for the days `names`, laid out over `days` (sorted, unique); `fill` on the days without one."""
    result = np.full(len(days), fill)
    place = np.searchsorted(days, names)
    inside = place < len(days)
    inside[inside] = days[place[inside]] == names[inside]
    result[place[inside]] = values[inside]
    return result
