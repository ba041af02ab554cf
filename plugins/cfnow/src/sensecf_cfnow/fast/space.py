"""Where a person may go in one move, and what it costs: the Manhattan distance over range-scaled features."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensecf_cfnow.rules import Rules

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench import FeatureSchema

    Matrix = NDArray[np.float64]
    Mask = NDArray[np.bool_]

FAR = 1.0
SHARES = (FAR, 1 / 4, 1 / 16)  # of the training range, up and down


class Space:
    """The `m` moves of one row: each changes one feature, a number by a share of its range, levels to any level.

    A person stays within the training range (or wherever the factual row is beyond it) and within the schema's rules.
    """

    def __init__(self, schema: FeatureSchema) -> None:
        scales = schema.frozen_scales()
        widths = [
            width if feature.is_numeric else len(feature.levels) - 1.0
            for feature, width in zip(schema.features, scales.span, strict=True)
        ]
        self.rules = Rules.of(schema)
        self.nominal = schema.nominal
        self._numeric = schema.numeric
        self._span = np.array([width or 1.0 for width in widths])
        self._train_low, self._train_high = scales.low, scales.high

        moves: list[tuple[int, float, float, bool]] = []  # feature, offset, level or NaN, whether it is far
        for j, feature in enumerate(schema.features):
            if feature.is_numeric:
                moves += [(j, sign * share, np.nan, share == FAR) for share in SHARES for sign in (-1, 1)]
            else:
                moves += [(j, 0.0, float(i), False) for i in range(len(feature.levels))]
        self.feature = np.array([j for j, _, _, _ in moves])
        self.far = np.array([far for _, _, _, far in moves])
        self._offset = np.array([offset for _, offset, _, _ in moves]) * self._span[self.feature]
        self._level = np.array([level for _, _, level, _ in moves])

    @property
    def corners(self) -> tuple[Matrix, Matrix]:
        """The lowest and highest values that anybody should take, each `(d,)`: the training range within hard bounds."""
        low = np.where(self._numeric, np.maximum(self._train_low, self.rules.low), self.rules.low)
        high = np.where(self._numeric, np.minimum(self._train_high, self.rules.high), self.rules.high)
        return low, high

    def reach(self, factuals: Matrix) -> tuple[Matrix, Matrix]:
        """The lowest and highest values each of `q` persons may take, two arrays `(q, d)`."""
        low, high = self.rules.reach(factuals)
        return (
            np.where(self._numeric, np.maximum(low, np.minimum(self._train_low, factuals)), low),
            np.where(self._numeric, np.minimum(high, np.maximum(self._train_high, factuals)), high),
        )

    def moves(self, rows: Matrix, low: Matrix, high: Matrix) -> Matrix:
        """The value each move gives its feature, `(s, m)`, from `s` rows within the given limits, each `(s, d)`.

        A forbidden level is the row's own: a move that is none.
        """
        here, feature = rows[:, self.feature], self.feature
        values = np.where(np.isnan(self._level), here + self._offset, self._level)
        values = np.where(self.rules.whole[feature], np.rint(values), values)
        inside = np.clip(values, low[:, feature], high[:, feature])
        return np.where(~self._numeric[feature] & (inside != values), here, inside)

    def gaps(self, values: Matrix, own: Matrix, feature: NDArray[np.intp] | slice = slice(None)) -> Matrix:
        """What each value of the given features costs a person who owns another one; arrays broadcast to `(..., f)`.

        Gower's difference, as `FeatureSchema.gaps` has it for whole rows.
        """
        gaps: Matrix = np.where(self.nominal[feature], values != own, np.abs(values - own) / self._span[feature])
        return gaps

    def cost(self, rows: Matrix, factuals: Matrix) -> Matrix:
        """The sum of the gaps of each row, `(n,)` from two `(n, d)`."""
        total: Matrix = self.gaps(rows, factuals).sum(axis=1)
        return total
