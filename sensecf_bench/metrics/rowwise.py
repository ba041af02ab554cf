"""Metrics that say something about each admitted row by itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from sensecf_bench.contracts import MeanMetric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.judged import Judged, Reference
    from sensecf_bench.schema import Matrix

T = TypeVar("T")


class RowMetric(MeanMetric):
    """A mean over queries of the mean over a query's admitted rows: a query with many rows weighs no more than others."""

    @abstractmethod
    def of_rows(self, judged: Judged, part: slice) -> Matrix | NDArray[np.bool_]:
        """A value for each row of `judged.rows[part]`, shape `(len(part),)`."""

    def values(self, judged: Judged) -> Matrix:
        per_row = np.empty(len(judged.rows))
        for part in judged.in_chunks():
            per_row[part] = self.of_rows(judged, part)
        return judged.mean_over_rows(per_row)


def factuals_of(judged: Judged, part: slice) -> Matrix:
    """The factual row of each counterfactual in `part`, shape `(len(part), d)`."""
    return judged.factuals[judged.owner[part]]


def fitted(reference: Reference, key: str, fit: Callable[[], T]) -> T:
    """What `fit` makes of the training rows, made once and kept with them."""
    if key not in reference.cache:
        reference.cache[key] = fit()
    return cast("T", reference.cache[key])
