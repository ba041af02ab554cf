"""What each greedy step of NICE is greedy for (Brughmans, Leyman, Martens 2023, section 3.2).

A reward weighs what a step gains in the target class's probability against what it costs. The order of the operations
is NICEx's, since a step may win by the last bit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from sensecf_nice.distance import EPSILON

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensecf_nice.distance import Heom, Matrix


class Reward(ABC):
    """All arguments are of one entry per trial row; a trial differs from its query's present row in one feature."""

    @abstractmethod
    def cost(self, factuals: Matrix, rows: Matrix) -> Matrix:
        """What rows cost that stand for these factuals, `(n,)` from two `(n, d)`."""

    @abstractmethod
    def merit(self, gain: Matrix, before: Matrix, after: Matrix) -> Matrix:
        """How good a step is, `(n,)`, by its gain in probability and the cost before and after it."""


class Sparsity(Reward):
    """The largest gain, so that few features change."""

    def cost(self, factuals: Matrix, rows: Matrix) -> Matrix:
        return np.zeros(len(rows))

    def merit(self, gain: Matrix, before: Matrix, after: Matrix) -> Matrix:
        return gain


class Proximity(Reward):
    """The largest gain per distance travelled."""

    def __init__(self, heom: Heom) -> None:
        self.heom = heom

    def cost(self, factuals: Matrix, rows: Matrix) -> Matrix:
        return self.heom.between(factuals, rows)

    def merit(self, gain: Matrix, before: Matrix, after: Matrix) -> Matrix:
        return gain / (after - before + EPSILON)


class Plausibility(Reward):
    """The largest product of gain and fall in reconstruction error."""

    def __init__(self, error: Callable[[Matrix], Matrix]) -> None:
        self.error = error

    def cost(self, factuals: Matrix, rows: Matrix) -> Matrix:
        return self.error(rows)

    def merit(self, gain: Matrix, before: Matrix, after: Matrix) -> Matrix:
        return gain * (before - after)
