"""The space that the descent moves in: changes in units of the median absolute deviation, inside the schema's rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench import FeatureSchema

    Matrix = NDArray[np.float64]

RESOLUTION = 1e-6  # of the decimal magnitude of a training range, where a feature has no precision of its own


def deviations(rows: Matrix) -> Matrix:
    """Median absolute deviation from the median of each column of `(n, d)`; the mean one where that is 0, as it is for
    a column in which more than half the rows agree, and 1 for a column that never varies."""
    gaps = np.abs(rows - np.median(rows, axis=0))
    median, mean = np.median(gaps, axis=0), gaps.mean(axis=0)
    return np.where(median > 0, median, np.where(mean > 0, mean, 1.0))


@dataclass(frozen=True, eq=False)
class Space:
    """How `d` features are weighed and how far they may go; arrays are `(d,)`.

    `moves` are the features that the descent may change: mutable, and not categorical.
    """

    unit: Matrix
    step: Matrix
    low: Matrix
    high: Matrix
    moves: NDArray[np.bool_]
    may_fall: NDArray[np.bool_]
    may_rise: NDArray[np.bool_]

    @classmethod
    def of(cls, schema: FeatureSchema, training_rows: Matrix, hold_levels: bool) -> Space:
        """`hold_levels` keeps binary and ordinal features as they are, too."""
        features, span = schema.features, schema.frozen_scales().span
        held = ("categorical", "binary", "ordinal") if hold_levels else ("categorical",)
        moves = np.array([f.mutable and f.kind not in held for f in features])
        whole = np.array([f.kind == "integer" for f in features])
        finest = RESOLUTION * 10.0 ** np.floor(np.log10(np.where(span > 0, span, 1.0)))
        steps = np.where(schema.steps > 0, schema.steps, finest)
        return cls(
            unit=deviations(training_rows),
            step=np.where(whole, np.maximum(1.0, np.rint(steps)), steps),
            low=schema.hard_bounds[0],
            high=schema.hard_bounds[1],
            moves=moves,
            may_fall=moves & [f.direction != "increase" for f in features],
            may_rise=moves & [f.direction != "decrease" for f in features],
        )

    def box(self, factuals: Matrix) -> tuple[Matrix, Matrix]:
        """The least and the largest change of each feature of each factual, in units, two `(q, d)`."""
        least = np.where(self.may_fall, np.minimum(self.low, factuals), factuals)
        most = np.where(self.may_rise, np.maximum(self.high, factuals), factuals)
        return (least - factuals) / self.unit, (most - factuals) / self.unit

    def lawful(self, factuals: Matrix, rows: Matrix) -> Matrix:
        """The rows that the schema allows nearest to these: clipped to bounds and directions, then rounded to steps; a
        change of less than half a step is none. `factuals` broadcasts against rows of shape `(..., d)`."""
        least = np.where(self.may_fall, np.minimum(self.low, factuals), factuals)
        most = np.where(self.may_rise, np.maximum(self.high, factuals), factuals)
        clipped = np.clip(rows, least, most)
        rounded = np.rint(clipped / self.step) * self.step
        over, under = rounded > most, rounded < least
        rounded = rounded + self.step * (under.astype(np.float64) - over)
        near = np.minimum(np.abs(clipped - factuals), np.abs(rounded - factuals)) < self.step / 2
        return np.where(near | (rounded > most) | (rounded < least), factuals, rounded)
