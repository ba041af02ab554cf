"""Phase 1: change one feature a step until the class flips, for all rows at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_cfnow.fast.judge import Judge
    from sensecf_cfnow.fast.space import Space

    Matrix = NDArray[np.float64]
    Mask = NDArray[np.bool_]

LEAST_GAIN = 1e-6  # in probability
LEAST_COST = 1e-3
TABU_STEPS = 5  # as CFNOW's list is long
GAIN_DECIMALS = 12
FLOOR = 1e-13  # probabilities below are noise
LOG_DECIMALS = 1


@dataclass(frozen=True, eq=False)
class Trials:
    """Every move of `s` rows, tried: arrays of shape `(s, m)`."""

    values: Matrix
    tried: Mask  # not those that change nothing
    probability: Matrix
    flipped: Mask
    price: Matrix  # what the distance to the factual grows by; negative on the way back


def climb(
    starts: Matrix,
    factuals: Matrix,
    limits: tuple[Matrix, Matrix],
    allowed: Mask,
    space: Space,
    judge: Judge,
    steps: int,
) -> tuple[Matrix, Mask]:
    """Where each of `s` rows, `(s, d)`, ends after at most `steps` moves, and whether it flipped, `(s,)`.

    Each step takes the move with the largest gain in the target's probability per square root of its price; of moves
    that flip, the cheapest. Where no move gains, the best of them is made all the same and its feature rests for some
    steps, which is CFNOW's tabu list. `allowed` says which moves a row may make, `(s, m)`; the cost of a step is one
    prediction call for all rows.
    """
    rows = starts.copy()
    probability, flipped = judge(rows)
    resting = np.zeros(rows.shape, dtype=np.int64)  # the step from which a feature may move again
    climbing = np.flatnonzero(~flipped)
    for step in range(steps):
        if not len(climbing):
            break
        low, high = limits[0][climbing], limits[1][climbing]
        trials = _try_all(rows[climbing], factuals[climbing], low, high, allowed[climbing], space, judge)
        open_moves = trials.tried & (resting[climbing][:, space.feature] <= step)
        merit, gain = _merit(trials, probability[climbing], open_moves)
        best = merit.argmax(axis=1)
        position = np.arange(len(climbing))
        movable = np.isfinite(merit[position, best])
        climbing, best, position = climbing[movable], best[movable], position[movable]

        feature = space.feature[best]
        rows[climbing, feature] = trials.values[position, best]
        probability[climbing] = trials.probability[position, best]
        flipped[climbing] = trials.flipped[position, best]
        resting[climbing, feature] = np.where(gain[position, best] > 0, 0, step + 1 + TABU_STEPS)
        climbing = climbing[~flipped[climbing]]
    return rows, flipped


def _try_all(
    rows: Matrix, factuals: Matrix, low: Matrix, high: Matrix, allowed: Mask, space: Space, judge: Judge
) -> Trials:
    values = space.moves(rows, low, high)
    here, feature = rows[:, space.feature], space.feature
    tried = allowed & (values != here)
    owner, move = np.nonzero(tried)
    asked = rows[owner]
    asked[np.arange(len(asked)), feature[move]] = values[owner, move]
    probability, flipped = np.zeros(values.shape), np.zeros(values.shape, dtype=bool)
    probability[owner, move], flipped[owner, move] = judge(asked)
    own = factuals[:, feature]
    price = space.gaps(values, own, feature) - space.gaps(here, own, feature)
    return Trials(values, tried, probability, flipped, price)


def _merit(trials: Trials, before: Matrix, open_moves: Mask) -> tuple[Matrix, Matrix]:
    """How good each move is and what it gains, both `(s, m)`; a move that cannot be made is -inf good.

    Where a classifier is so sure that no probability moves, gains are measured in its logarithm. Both are rounded, so
    that the last bits of a probability cannot choose between two moves.
    """
    change = np.round(trials.probability - before[:, None], GAIN_DECIMALS)
    sure = ~np.any(open_moves & (change > LEAST_GAIN), axis=1)[:, None]
    logarithms = _log(trials.probability) - _log(before)[:, None]
    small: Matrix = np.where(change > LEAST_GAIN, change, np.minimum(change, 0.0))
    gain: Matrix = np.where(sure, logarithms, small)
    merit: Matrix = np.where(gain > 0, gain / np.sqrt(np.maximum(trials.price, LEAST_COST)), gain - trials.price - 1e3)
    merit = np.where(trials.flipped, 1e9 - trials.price, merit)
    return np.where(open_moves, merit, -np.inf), gain


def _log(probability: Matrix) -> Matrix:
    logarithm: Matrix = np.log(np.maximum(probability, 0.0) + FLOOR)
    return logarithm.round(LOG_DECIMALS)
