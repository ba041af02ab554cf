"""Candidates between two spheres around a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sensecf_spheres.space import Matrix, Space


def draw(space: Space, factual: Matrix, inner: float, outer: float, n: int, random: np.random.Generator) -> Matrix:
    """`n` lawful rows, `(n, d)`, for a factual of shape `(d,)`.

    Numbers and ranks are uniform in the shell between two radii: a uniform direction, and a radius whose `k`-th power
    is uniform. An unordered level is replaced by another, uniformly, with probability outer / sqrt(features that may
    change): about what a number moves on a sphere of that radius.
    """
    k, m = len(space.ordered), len(space.unordered)
    rows = np.tile(factual, (n, 1))
    if k:
        directions = random.standard_normal((n, k))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        share = random.random(n)
        radii = outer * (share + (1 - share) * (inner / outer) ** k) ** (1 / k)
        directions *= radii[:, None]
        directions *= space.unit[space.ordered]
        rows[:, space.ordered] = directions + factual[space.ordered]
    if m:
        replaced = random.random((n, m)) < outer / np.sqrt(space.freedom)
        others = (factual[space.unordered] + random.integers(1, space.levels, (n, m))) % space.levels
        rows[:, space.unordered] = np.where(replaced, others, rows[:, space.unordered])
    return space.lawful(factual, rows)
