"""Random numbers by name: each quantity of the model has its own stream, so that adding one leaves the others alone, and
person i is the same person in a cohort of any size."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Matrix = NDArray[np.float64]


class Draws:
    """Draws for `n` people under one seed. `shape` is what one person has."""

    def __init__(self, seed: int, n: int) -> None:
        self._seed, self.n = seed, n

    def normal(self, name: str, *shape: int) -> Matrix:
        """Standard normal numbers, shape `(n, *shape)`."""
        return self._generator(name).standard_normal((self.n, *shape))

    def uniform(self, name: str, *shape: int) -> Matrix:
        """Uniform numbers in [0, 1), shape `(n, *shape)`."""
        return self._generator(name).random((self.n, *shape))

    def choice(self, name: str, weights: Matrix) -> NDArray[np.intp]:
        """Positions in `weights`, drawn in proportion to them, shape `(n,)`."""
        edges = np.cumsum(weights) / np.sum(weights)
        return np.searchsorted(edges[:-1], self.uniform(name), side="right")

    def _generator(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self._seed, zlib.crc32(name.encode())])


def of_person(seed: int, person: int, name: str) -> np.random.Generator:
    """A generator for what is drawn one person at a time."""
    return np.random.default_rng([seed, zlib.crc32(name.encode()), person])


def integers_with_sum(
    pattern: Matrix, totals: Integers, low: int | Integers, high: int, present: NDArray[np.bool_]
) -> Integers:
    """Whole numbers that follow `pattern`, shape `(d, m)`, lie from `low` (one for all or one a row) to `high`, and add up
    to `totals`, shape `(d,)`, over the cells that are `present`. The pattern is moved up or down, cut and rounded.

    Raises ValueError where no such numbers exist.
    """
    counts = present.sum(axis=1)
    floor = np.broadcast_to(np.asarray(low, dtype=np.int64), totals.shape)
    if np.any(totals < floor * counts) or np.any(totals > high * counts):
        raise ValueError(f"sums out of reach of {counts} numbers from {low} to {high}: {totals}")
    floor = floor[:, None]
    reach = high - floor.min() + np.ptp(pattern, axis=1) + 1.0
    centre = (high + floor.min()) / 2 - pattern.mean(axis=1)
    below, above = centre - reach, centre + reach
    for _ in range(26):
        middle = (below + above) / 2
        moved = np.where(present, np.clip(pattern + middle[:, None], floor, high), 0.0)
        short = moved.sum(axis=1) < totals
        below, above = np.where(short, middle, below), np.where(short, above, middle)
    moved = np.clip(pattern + above[:, None], floor, high)
    whole: Integers = np.floor(moved).astype(np.int64)
    missing = totals - np.where(present, whole, 0).sum(axis=1)
    while np.any(missing != 0):  # one unit at a time where there is room, the largest fractions first
        step = np.sign(missing)[:, None]
        room = present & np.where(step > 0, whole < high, whole > floor) & (step != 0)
        rank = np.argsort(np.argsort(np.where(room, -step * (moved - whole), np.inf), axis=1), axis=1)
        whole += np.where(room & (rank < np.abs(missing)[:, None]), step, 0)
        missing = totals - np.where(present, whole, 0).sum(axis=1)
    return whole
