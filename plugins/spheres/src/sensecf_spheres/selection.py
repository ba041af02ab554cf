"""The feature selection phase of Growing Spheres (Laugel et al. 2018, algorithm 2), for all queries at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensecf_spheres.search import Flips
    from sensecf_spheres.space import Matrix, Space


def put_back(space: Space, factuals: Matrix, enemies: Matrix, flips: Flips, in_time: Callable[[], bool]) -> Matrix:
    """Enemies, `(q, d)`, with the factual's value in as many features as come back, the smallest change first, before
    the class would be lost. A step of all queries is one question to the classifier."""
    rows = enemies.copy()
    going = np.arange(len(rows))
    while len(going) and in_time():
        gaps = space.changes(factuals[going], rows[going])
        going, gaps = going[gaps.any(axis=1)], gaps[gaps.any(axis=1)]
        if not len(going):
            break
        smallest = np.where(gaps > 0, gaps, np.inf).argmin(axis=1)
        trials = rows[going]
        trials[np.arange(len(going)), smallest] = factuals[going, smallest]
        still = flips(trials)
        going = going[still]
        rows[going] = trials[still]
    return rows
