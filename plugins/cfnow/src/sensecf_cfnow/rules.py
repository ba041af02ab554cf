"""Where a person may go: the nearest place to a proposed one that breaks no rule of the schema."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench import FeatureSchema

    Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rules:
    """Hard bounds, directions, fixed features and whole numbers of `d` features, each as an array of shape `(d,)`."""

    low: Matrix
    high: Matrix
    may_fall: NDArray[np.bool_]
    may_rise: NDArray[np.bool_]
    whole: NDArray[np.bool_]  # integers, and positions of levels

    @classmethod
    def of(cls, schema: FeatureSchema) -> Rules:
        low, high = schema.hard_bounds
        whole = np.array([f.kind != "continuous" for f in schema.features])
        return cls(
            low=np.where(whole, np.ceil(low), low),
            high=np.where(whole, np.floor(high), high),
            may_fall=np.array([f.mutable and f.direction != "increase" for f in schema.features]),
            may_rise=np.array([f.mutable and f.direction != "decrease" for f in schema.features]),
            whole=whole,
        )

    def reach(self, factuals: Matrix) -> tuple[Matrix, Matrix]:
        """The lowest and highest values each person may take, two arrays `(n, d)` from factuals `(n, d)`."""
        lowest = np.where(self.may_fall, np.minimum(self.low, factuals), factuals)
        highest = np.where(self.may_rise, np.maximum(self.high, factuals), factuals)
        return lowest, highest

    def settle(self, rows: Matrix, factuals: Matrix) -> Matrix:
        """The nearest permitted rows: whole numbers rounded, and nobody beyond where they may go. Arrays are `(n, d)`."""
        return np.clip(np.where(self.whole, np.rint(rows), rows), *self.reach(factuals))

    def free(self, factual: Matrix) -> NDArray[np.bool_]:
        """Which features of one person, `(d,)`, have anywhere to go."""
        lowest, highest = self.reach(factual[None])
        free: NDArray[np.bool_] = (lowest < highest)[0]
        return free
