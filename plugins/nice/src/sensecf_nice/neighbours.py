"""The row each query sets out for: the nearest training row of the target class that it can copy far enough to flip.

Without rules in the schema this is NICE's nearest unlike neighbour. With rules a person keeps what may not change, and
a partial copy of the nearest row may no longer flip; so neighbours are tried in order of what they would change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sensecf_nice.distance import Heom, Matrix, Reach

CELLS_PER_CALL = 1 << 22  # numbers in the rows of one prediction call
GROWTH = 8


def nearest_that_flips(
    factuals: Matrix,
    candidates: Matrix,
    heom: Heom,
    reach: Reach,
    flips: Callable[[Matrix], NDArray[np.bool_]],
    most: int | None,
) -> tuple[Matrix, NDArray[np.bool_]]:
    """What each factual copies of the nearest candidate whose copy flips, and whether there is one.

    Shapes: factuals `(q, d)`, candidates `(m, d)`, results `(q, d)` and `(q,)`. `flips` is asked once a round, about
    the next few copies of every query still searching; at most `most` neighbours of a query are tried.
    """
    goals, found = factuals.copy(), np.zeros(len(factuals), dtype=bool)
    distances = heom.to_all(factuals, candidates, reach)
    if reach.unlimited:
        # These rows are in the target class already: nothing is to be asked.
        return candidates[distances.argmin(axis=1)], ~found
    order = np.argsort(distances, axis=1, kind="stable")[:, :most]
    searching, tried, width = np.arange(len(factuals)), 0, 1
    while len(searching) and tried < order.shape[1]:
        width = max(1, min(width, CELLS_PER_CALL // (len(searching) * factuals.shape[1])))
        near = candidates[order[searching, tried : tried + width]]  # (s, w, d)
        copies = reach.copy(factuals[searching, None], near)
        flipped = flips(copies.reshape(-1, copies.shape[2])).reshape(copies.shape[:2])
        hit = flipped.any(axis=1)
        first = flipped.argmax(axis=1)
        goals[searching[hit]] = copies[hit, first[hit]]
        found[searching[hit]] = True
        searching, tried, width = searching[~hit], tried + width, width * GROWTH
    return goals, found
