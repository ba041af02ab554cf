"""The values that a search may give to a feature: quantiles of the training rows, as many as are worth telling apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench import Feature, FeatureSchema

    Matrix = NDArray[np.float64]

MEANINGFUL = 6  # significant digits of a feature without a precision


@dataclass(frozen=True, eq=False)
class Values:
    """For each feature its values in rising order, internal coding; all levels where it has levels."""

    schema: FeatureSchema
    choices: tuple[Matrix, ...]

    @classmethod
    def of(cls, schema: FeatureSchema, train: Matrix, most: int) -> Values:
        """Up to `most` quantiles of each number over training rows of shape `(n, d)`, all within their range."""
        choices = []
        for j, feature in enumerate(schema.features):
            if not feature.is_numeric:
                choices.append(np.arange(len(feature.levels), dtype=np.float64))
                continue
            at = np.quantile(train[:, j], np.linspace(0.0, 1.0, most), method="nearest")
            choices.append(_inside(feature, at))
        return cls(schema, tuple(choices))

    @cached_property
    def low(self) -> Matrix:
        """The least value of each feature, shape `(d,)`."""
        return np.array([c[0] for c in self.choices])

    @cached_property
    def high(self) -> Matrix:
        return np.array([c[-1] for c in self.choices])

    def nearest(self, j: int, column: Matrix) -> NDArray[np.intp]:
        """Positions among the values of feature j that are nearest to `column`, shape `(n,)`."""
        return nearest(self.choices[j], column)

    def snapped(self, rows: Matrix) -> Matrix:
        """Rows of shape `(n, d)` with every value replaced by the nearest one there is."""
        columns = [c[nearest(c, rows[:, j])] for j, c in enumerate(self.choices)]
        return np.stack(columns, axis=1)

    def holds(self, rows: Matrix) -> NDArray[np.bool_]:
        """Which values lie between the extremes of their feature, shape `(n, d)`."""
        inside: NDArray[np.bool_] = (rows >= self.low) & (rows <= self.high)
        return inside


def _inside(feature: Feature, at: Matrix) -> Matrix:
    """Rising quantiles with the decimals that mean anything, each once; rounding takes none of them out of their range."""
    tidy = rounded(feature, at)
    step = 10.0 ** -decimals(feature, float(np.abs(at).max(initial=0.0)))
    tidy = rounded(feature, tidy + step * (tidy < at[0]) - step * (tidy > at[-1]))
    kept = np.unique(tidy[(tidy >= at[0]) & (tidy <= at[-1])])
    return kept if len(kept) > 1 else np.unique(at)


def nearest(choices: Matrix, column: Matrix) -> NDArray[np.intp]:
    """Positions in rising `choices` of what is nearest to each of `column`, the lower one on a tie."""
    after = np.clip(np.searchsorted(choices, column), 1, max(1, len(choices) - 1))
    if len(choices) == 1:
        return np.zeros(len(column), dtype=np.intp)
    closer_before = column - choices[after - 1] <= choices[after] - column
    return np.where(closer_before, after - 1, after)


def decimals(feature: Feature, largest: float) -> int:
    """How many decimals of a number mean anything: those of its precision, or else of six significant digits."""
    if feature.kind == "integer":
        return 0
    if feature.precision is None:
        return max(0, MEANINGFUL - 1 - math.floor(math.log10(largest))) if largest else 0
    return max(0, math.ceil(-math.log10(feature.precision) - 1e-9))


def rounded(feature: Feature, column: Matrix) -> Matrix:
    """A column of numbers with the decimals that mean anything."""
    return np.round(column, decimals(feature, float(np.abs(column).max(initial=0.0)))) + 0.0
