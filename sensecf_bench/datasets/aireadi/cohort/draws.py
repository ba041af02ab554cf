"""Random numbers by name: each quantity of the model has its own stream, so that adding one leaves the others alone, and
person i is the same person in a cohort of any size."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

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


def integers_with_sum(pattern: Matrix, totals: NDArray[Any], low: int, high: int, present: Any = None) -> Any:
    """Whole numbers from `low` to `high` that follow `pattern`, shape `(d, m)`, and add up to `totals`, shape `(d,)`, over
    the cells that are `present`. The pattern is moved up or down, cut at the limits and rounded.

    Raises ValueError where no such numbers exist.
    """
    present = np.ones(pattern.shape, dtype=bool) if present is None else present
    counts = present.sum(axis=1)
    if np.any(totals < low * counts) or np.any(totals > high * counts):
        raise ValueError(f"sums out of reach of {counts} numbers from {low} to {high}: {totals}")
    width = float(high - low) + np.abs(pattern).max() + 1.0
    below, above = np.full(len(pattern), low - width), np.full(len(pattern), high + width)
    for _ in range(30):
        middle = (below + above) / 2
        moved = np.where(present, np.clip(pattern + middle[:, None], low, high), 0.0)
        short = moved.sum(axis=1) < totals
        below, above = np.where(short, middle, below), np.where(short, above, middle)
    moved = np.clip(pattern + above[:, None], low, high)
    whole = np.floor(moved).astype(np.int64)
    missing = totals - np.where(present, whole, 0).sum(axis=1)
    while np.any(missing != 0):  # one unit at a time where there is room, the largest fractions first
        step = np.sign(missing)[:, None]
        room = present & np.where(step > 0, whole < high, whole > low) & (step != 0)
        rank = np.argsort(np.argsort(np.where(room, -step * (moved - whole), np.inf), axis=1), axis=1)
        raised = room & (rank < np.abs(missing)[:, None])
        whole += np.where(raised, step, 0)
        missing = totals - np.where(present, whole, 0).sum(axis=1)
    return whole
