"""The greedy walk from a person to a neighbour, one feature a step, for all queries at once.

A step of all queries is one prediction call: every feature that still differs is tried in every query that has not
flipped, and each query takes its best trial.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sensecf_nice.distance import Matrix
    from sensecf_nice.rewards import Reward


def walk(
    factuals: Matrix, goals: Matrix, target: int, predict_proba: Callable[[Matrix], Matrix], reward: Reward
) -> Matrix:
    """The first row in class `target` on the way from each factual to its goal, all `(q, d)`.

    Among equally good trials the first feature wins. A query takes at most as many steps as it has differing features.
    """
    rows = factuals.copy()
    score, cost = np.empty(len(rows)), np.empty(len(rows))
    walking = np.flatnonzero((rows != goals).any(axis=1))
    setting_out = walking
    while len(walking):
        differs = rows[walking] != goals[walking]
        remaining = differs.sum(axis=1)
        owner, feature = np.nonzero(differs)
        query = walking[owner]
        trials = rows[query]
        trials[np.arange(len(trials)), feature] = goals[query, feature]

        asked = np.vstack([rows[setting_out], trials])
        probabilities = predict_proba(asked)
        costs = reward.cost(factuals[np.concatenate([setting_out, query])], asked)
        known = len(setting_out)
        score[setting_out], cost[setting_out] = probabilities[:known, target], costs[:known]
        probabilities, costs, setting_out = probabilities[known:], costs[known:], setting_out[:0]

        merit = reward.merit(probabilities[:, target] - score[query], cost[query], costs)
        best = _first_best(merit, remaining)
        rows[walking], score[walking], cost[walking] = trials[best], probabilities[best, target], costs[best]
        walking = walking[(probabilities[best].argmax(axis=1) != target) & (remaining > 1)]
    return rows


def _first_best(merit: Matrix, lengths: NDArray[np.intp]) -> NDArray[np.intp]:
    """Position of the first largest entry in each of the consecutive runs of the given lengths."""
    starts = np.cumsum(lengths) - lengths
    run = np.repeat(np.arange(len(lengths)), lengths)
    table = np.full((len(lengths), int(lengths.max())), -np.inf)
    table[run, np.arange(len(merit)) - starts[run]] = merit
    positions: NDArray[np.intp] = starts + table.argmax(axis=1)
    return positions
