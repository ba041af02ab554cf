"""Rows of the target class to set out from when a climb from the factual row itself does not get there.

An RBF support vector machine, far from all its training rows, says the same wherever one feature moves: nothing leads
anywhere, one feature at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensecf_cfnow.fast.climbing import climb

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_cfnow.fast.judge import Judge
    from sensecf_cfnow.fast.space import Space

    Matrix = NDArray[np.float64]

PLACES = np.array([1 / 8, 1 / 4, 1 / 2, 3 / 4, 7 / 8])  # of every feature's range at once


def find_anchors(space: Space, judge: Judge, steps: int) -> Matrix:
    """Up to five flipped rows, `(a, d)`: where climbs end that begin on the diagonal of the training range."""
    low, high = space.corners
    diagonal = low + PLACES[:, None] * (high - low)
    diagonal = np.where(space.rules.whole, np.rint(diagonal), diagonal)
    limits = np.broadcast_to(low, diagonal.shape), np.broadcast_to(high, diagonal.shape)
    allowed = np.ones((len(diagonal), len(space.feature)), dtype=bool)
    rows, flipped = climb(diagonal, diagonal, limits, allowed, space, judge, steps)
    anchors: Matrix = np.unique(rows[flipped], axis=0)
    return anchors
