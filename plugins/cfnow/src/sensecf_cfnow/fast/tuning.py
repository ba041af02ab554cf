"""Phase 2: move flipped rows back towards their factuals as far as they stay flipped, for all rows at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_cfnow.fast.judge import Judge
    from sensecf_cfnow.fast.space import Space

    Matrix = NDArray[np.float64]
    Mask = NDArray[np.bool_]

SHARES = np.array([1.0, 1 / 2, 1 / 4, 1 / 8])  # of the way back


def tune(rows: Matrix, factuals: Matrix, space: Space, judge: Judge, rounds: int) -> Matrix:
    """Flipped rows no farther from their factuals than those given, all `(n, d)`.

    A round is two prediction calls: first every changed feature is moved back alone, by several shares of its way; then
    the moves that keep the flip are made together, the most saving first, as many as keep it.
    """
    rows = rows.copy()
    tuning = np.arange(len(rows))
    for _ in range(rounds):
        if not len(tuning):
            break
        values, saving = _alone(rows[tuning], factuals[tuning], space, judge)
        useful = (saving > 0).any(axis=1)
        tuning, values, saving = tuning[useful], values[useful], saving[useful]
        rows[tuning] = _together(rows[tuning], values, saving, judge)
    return rows


def _alone(rows: Matrix, factuals: Matrix, space: Space, judge: Judge) -> tuple[Matrix, Matrix]:
    """The value of each feature that saves most and keeps the flip, and what it saves, both `(n, d)`; 0 for none."""
    here, goal = rows[:, :, None], factuals[:, :, None]
    values = here + (goal - here) * SHARES
    values[:, :, 0] = factuals  # exactly, not but for the last bit
    whole, nominal = space.rules.whole[None, :, None], space.nominal[None, :, None]
    values = np.where(whole, np.where(goal > here, np.floor(values), np.ceil(values)), values)
    values = np.where(nominal, goal, values)
    new = values != here
    new[:, :, 1:] &= values[:, :, 1:] != values[:, :, :-1]

    owner, feature, share = np.nonzero(new)
    asked = rows[owner]
    asked[np.arange(len(asked)), feature] = values[owner, feature, share]
    _, flipped = judge(asked)
    own = factuals[owner, feature]
    before = space.gaps(rows[owner, feature], own, feature)
    after = space.gaps(values[owner, feature, share], own, feature)
    saving = np.zeros(values.shape)
    saving[owner, feature, share] = np.where(flipped, before - after, 0.0)
    best = saving.argmax(axis=2)[:, :, None]
    return np.take_along_axis(values, best, 2)[:, :, 0], np.take_along_axis(saving, best, 2)[:, :, 0]


def _together(rows: Matrix, values: Matrix, saving: Matrix, judge: Judge) -> Matrix:
    """Each row after the most of its moves, in order of what they save, that together keep the flip, `(n, d)`."""
    if not len(rows):
        return rows
    order = np.argsort(-saving, axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    moves = (saving > 0).sum(axis=1)
    # How many moves are made at once; one alone is known to keep the flip.
    count = np.arange(2, int(moves.max()) + 1)
    owner, which = np.nonzero(count <= moves[:, None])
    _, flipped = judge(np.where(rank[owner] < count[which, None], values[owner], rows[owner]))
    most = np.ones(len(rows), dtype=np.int64)
    np.maximum.at(most, owner[flipped], count[which[flipped]])
    return np.where(rank < most[:, None], values, rows)
