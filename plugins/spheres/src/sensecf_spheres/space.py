"""The space that spheres grow in: changes in units of the training ranges, and what the schema makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench import FeatureSchema

    Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Space:
    """How `d` features are measured and how far they may go; arrays are `(d,)`, positions `(k,)` and `(m,)`.

    `unit` is what counts as 1: the training range of a number, all ranks of an ordinal feature, any change of an
    unordered level. `step` is 0 where any value will do.
    """

    unit: Matrix
    step: Matrix
    low: Matrix
    high: Matrix
    may_fall: NDArray[np.bool_]
    may_rise: NDArray[np.bool_]
    ordered: NDArray[np.intp]  # mutable numbers and ranks
    unordered: NDArray[np.intp]  # mutable binary and categorical features
    levels: NDArray[np.int64]  # (m,) how many levels each of the latter has

    @classmethod
    def of(cls, schema: FeatureSchema) -> Space:
        features, span = schema.features, schema.frozen_scales().span
        unit = np.where(schema.numeric, span, [max(1, len(f.levels) - 1) for f in features])
        unit[schema.nominal | (unit == 0)] = 1.0
        whole = np.array([f.kind == "integer" for f in features])
        unordered = np.flatnonzero(schema.mutable & schema.nominal)
        return cls(
            unit=unit,
            step=np.where(whole, np.maximum(1.0, np.rint(schema.steps)), schema.steps),
            low=schema.hard_bounds[0],
            high=schema.hard_bounds[1],
            may_fall=np.array([f.mutable and f.direction != "increase" for f in features]),
            may_rise=np.array([f.mutable and f.direction != "decrease" for f in features]),
            ordered=np.flatnonzero(schema.mutable & ~schema.nominal),
            unordered=unordered,
            levels=np.array([len(features[j].levels) for j in unordered], dtype=np.int64),
        )

    @property
    def freedom(self) -> int:
        """How many features may change."""
        return len(self.ordered) + len(self.unordered)

    def lawful(self, factual: Matrix, rows: Matrix) -> Matrix:
        """The rows that the schema allows nearest to these: values clipped to bounds and directions, then rounded to
        steps; a change of less than half a step is none. `factual` broadcasts against rows of shape `(..., d)`."""
        least = np.where(self.may_fall, np.minimum(self.low, factual), factual)
        most = np.where(self.may_rise, np.maximum(self.high, factual), factual)
        clipped: Matrix = np.clip(rows, least, most)
        stepped = self.step > 0
        if not stepped.any():
            return clipped
        step = np.where(stepped, self.step, 1.0)
        rounded = np.rint(clipped / step)
        rounded *= step
        over, under = rounded > most, rounded < least
        np.subtract(rounded, step, out=rounded, where=over)
        np.add(rounded, step, out=rounded, where=under)
        unmoved = np.abs(clipped - factual) < step / 2
        unmoved |= np.abs(rounded - factual) < step / 2
        if over.any() or under.any():
            unmoved |= (rounded > most) | (rounded < least)
        np.copyto(rounded, factual, where=unmoved)
        np.copyto(rounded, clipped, where=~stepped)
        return rounded

    def changes(self, factual: Matrix, rows: Matrix) -> Matrix:
        """How far each feature of each row went, in its unit, `(..., d)`; 1 for another unordered level."""
        gaps = np.abs(rows - factual) / self.unit
        gaps[..., self.unordered] = gaps[..., self.unordered] != 0
        return gaps
