"""One cell's answers as the harness judges them: what every metric is computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.queries import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.queries import Classes
    from sensecf_bench.schema import FeatureSchema, Matrix


@dataclass(frozen=True, eq=False)
class Reference:
    """The training rows that answers are compared with. Models fitted on them are kept in `cache`, once for all."""

    rows: Matrix  # (n, d)
    labels: Classes  # (n,)
    cache: dict[str, object] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, eq=False)
class Spent:
    """What each query took, all of shape `(n,)`; a call that served several queries is shared equally among them."""

    seconds: Matrix
    calls: Matrix
    rows: Matrix
    tokens: Matrix
    usd: Matrix


@dataclass(frozen=True, eq=False)
class Judged:
    """`n` queries and their `r` admitted rows over `d` features, in internal coding."""

    schema: FeatureSchema
    factuals: Matrix  # (n, d)
    target: Classes  # (n,)
    outcomes: tuple[Outcome, ...]  # (n,)
    owner: NDArray[np.intp]  # (r,) position of each row's query
    rows: Matrix  # (r, d)
    predicted: Classes  # (r,) by the explained classifier
    panel: Mapping[str, Classes]  # by classifiers of the other families, each (r,)
    reference: Reference
    spent: Spent

    def __len__(self) -> int:
        return len(self.factuals)

    @cached_property
    def found(self) -> NDArray[np.bool_]:
        """Queries with at least one admitted row, shape `(n,)`."""
        return self.rows_per_query > 0

    @cached_property
    def rows_per_query(self) -> NDArray[np.intp]:
        return np.bincount(self.owner, minlength=len(self)).astype(np.intp)

    @cached_property
    def flipped(self) -> NDArray[np.bool_]:
        """Rows that the explained classifier puts in their query's target class, shape `(r,)`."""
        flipped: NDArray[np.bool_] = self.predicted == self.target[self.owner]
        return flipped

    def outcome_is(self, *wanted: Outcome) -> NDArray[np.bool_]:
        return np.array([o in wanted for o in self.outcomes], dtype=bool)

    def mean_over_rows(self, per_row: NDArray[np.float64] | NDArray[np.bool_]) -> Matrix:
        """The mean of a row-wise quantity over each query's rows, shape `(n,)`; NaN for queries without rows."""
        totals = np.bincount(self.owner, weights=per_row.astype(np.float64), minlength=len(self))
        means = np.full(len(self), np.nan)
        np.divide(totals, self.rows_per_query, out=means, where=self.found)
        return means

    def in_chunks(self, size: int = 50_000) -> list[slice]:
        """Slices over the rows, so that a metric's working memory does not grow with the number of answers."""
        return [slice(i, min(i + size, len(self.rows))) for i in range(0, len(self.rows), size)]
