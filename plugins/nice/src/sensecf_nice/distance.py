"""How far apart two rows are for NICE, and how far the schema lets a person move.

NICE measures with HEOM (Wilson, Martinez 1997): numbers by their difference over the training range, unordered levels
by 0 or 1. Sums run over contiguous rows, because floating-point sums depend on the memory order and a neighbour may
win by the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench import FeatureSchema

    Matrix = NDArray[np.float64]

EPSILON = 1e-11  # NICEx's floor for ranges and for denominators
BLOCK_CELLS = 1 << 16  # numbers in a working array: small enough to stay in the processor's cache


@dataclass(frozen=True, eq=False)
class Reach:
    """How far each of `d` features may move from a person's value: changes in `[fall, rise]`, each `(d,)`."""

    fall: Matrix  # 0 where the value may not fall, else -inf
    rise: Matrix  # 0 where the value may not rise, else +inf

    @classmethod
    def of(cls, schema: FeatureSchema) -> Reach:
        """What the schema allows: immutable features stay, and directions are kept."""
        may_fall = [f.mutable and f.direction != "increase" for f in schema.features]
        may_rise = [f.mutable and f.direction != "decrease" for f in schema.features]
        return cls(np.where(may_fall, -np.inf, 0.0), np.where(may_rise, np.inf, 0.0))

    @classmethod
    def anywhere(cls, schema: FeatureSchema) -> Reach:
        return cls(np.full(len(schema), -np.inf), np.full(len(schema), np.inf))

    @property
    def unlimited(self) -> bool:
        return bool(np.isinf(self.fall).all() and np.isinf(self.rise).all())

    def copy(self, factuals: Matrix, rows: Matrix) -> Matrix:
        """`rows` with the factual's value wherever a feature may not move that way; arrays broadcast to `(..., d)`."""
        change = rows - factuals
        return np.where((change >= self.fall) & (change <= self.rise), rows, factuals)


@dataclass(frozen=True, eq=False)
class Heom:
    """HEOM over `d` features, of which `numeric` and `nominal` are positions and `scale` the ranges of the numeric."""

    numeric: NDArray[np.intp]
    nominal: NDArray[np.intp]
    scale: Matrix

    @classmethod
    def of(cls, schema: FeatureSchema, training_rows: Matrix) -> Heom:
        """Ranges come from the training rows, `(n, d)`; the ranks of ordinal features count as numbers."""
        numeric, nominal = np.flatnonzero(~schema.nominal), np.flatnonzero(schema.nominal)
        values = np.take(training_rows, numeric, axis=1)
        scale = values.max(axis=0) - values.min(axis=0)
        return cls(numeric, nominal, np.where(scale < EPSILON, EPSILON, scale))

    def between(self, factuals: Matrix, rows: Matrix) -> Matrix:
        """Distance of each row to its own factual, both `(n, d)`; the result is `(n,)`."""
        gaps = np.abs(np.take(rows, self.numeric, axis=1) - np.take(factuals, self.numeric, axis=1)) / self.scale
        unlike = np.take(rows, self.nominal, axis=1) != np.take(factuals, self.nominal, axis=1)
        total: Matrix = gaps.sum(axis=1) + unlike.sum(axis=1)
        return total

    def to_all(self, factuals: Matrix, candidates: Matrix, reach: Reach) -> Matrix:
        """Distance of each of `q` factuals to what it can copy of each of `m` candidates, `(q, m)`."""
        q, m = len(factuals), len(candidates)
        distances = np.empty((q, m))
        tall = max(1, min(m, BLOCK_CELLS // max(1, factuals.shape[1])))
        wide = max(1, BLOCK_CELLS // max(1, tall * factuals.shape[1]))
        parts = [
            (np.take(candidates, part, axis=1), np.take(factuals, part, axis=1), reach.fall[part], reach.rise[part])
            for part in (self.numeric, self.nominal)
        ]
        (numbers, own_numbers, *limits), (levels, own_levels, *level_limits) = parts
        for i in range(0, q, wide):
            for j in range(0, m, tall):
                here, there = slice(i, i + wide), slice(j, j + tall)
                gaps = numbers[None, there] - own_numbers[here, None]
                if not reach.unlimited:
                    np.clip(gaps, *limits, out=gaps)
                np.abs(gaps, out=gaps)
                gaps /= self.scale
                block = gaps.sum(axis=2)
                if len(self.nominal):
                    steps = levels[None, there] - own_levels[here, None]
                    block += (np.clip(steps, *level_limits) != 0).sum(axis=2)
                distances[here, there] = block
        return distances
