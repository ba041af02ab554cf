"""Wachter's objective, minimised by proximal gradient steps for all queries at once.

For a query x the objective is λ (p(x') - goal)² + Σⱼ |x'ⱼ - xⱼ| / MADⱼ. A step goes down the slope of the first term and
then soft-thresholds (the proximal operator of the second: Daubechies, Defrise, De Mol 2004), so that features which are
not worth their price stay exactly where they were.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sensecf_wachter.model import Model
    from sensecf_wachter.space import Matrix, Space

LONGEST_STEP = 0.5  # of one feature in one step, in MADs: beyond it the slope says little
TINY = 1e-50
LEAST_RATE = 1.01
SLOWING = 0.7  # of λ, in logarithms, with every crossing of the border


@dataclass(frozen=True)
class Pace:
    """What the descent aims at, how fast λ grows, how many steps there may be, and how many without improvement."""

    goal: float
    growth: float
    steps: int
    patience: int
    first_step: float


def descend(
    space: Space, factuals: Matrix, starts: Matrix, model: Model, pace: Pace, in_time: Callable[[], bool]
) -> tuple[Matrix, NDArray[np.bool_]]:
    """The cheapest row in the target class that the descent passed for each factual, `(q, d)`, and whether it passed any.

    λ begins where the first feature is just worth moving and grows with every step until the class flips; from then on
    it falls while the class is flipped and grows while it is not, ever more slowly, which holds a query at the border.
    """
    low, high = space.box(factuals)
    state = _State.at(space, factuals, np.clip((starts - factuals) / space.unit, low, high), model, pace)
    for _ in range(pace.steps):
        running = np.flatnonzero(state.idle < pace.patience)
        if not len(running) or not in_time():
            break
        _step(state, running, space, factuals, (low[running], high[running]), model, pace)
    return factuals + state.best * space.unit, np.isfinite(state.best_cost)


@dataclass(eq=False)
class _State:
    """Where each of `q` queries is: changes in MADs `(q, d)`, and numbers a query `(q,)`."""

    change: Matrix
    p: Matrix
    slope: Matrix  # of p, by changes
    weight: Matrix  # λ
    stride: Matrix
    crossings: NDArray[np.int64]  # of the border; the more there were, the slower λ moves
    flipped: NDArray[np.bool_]
    best: Matrix
    best_cost: Matrix
    idle: NDArray[np.int64]  # steps since the best got better, once the class was won and lost again

    @classmethod
    def at(cls, space: Space, factuals: Matrix, change: Matrix, model: Model, pace: Pace) -> _State:
        rows = factuals + change * space.unit
        p, flipped = model.ask(rows)
        slope = _slopes(space, rows, model)
        pull = np.abs(2 * (p - pace.goal)[:, None] * slope).max(axis=1)
        q = len(factuals)
        return cls(
            change=change,
            p=p,
            slope=slope,
            weight=1 / np.maximum(pull, TINY),
            stride=np.full(q, pace.first_step),
            crossings=np.zeros(q, dtype=np.int64),
            flipped=flipped,
            best=change.copy(),
            best_cost=np.where(flipped, np.abs(change).sum(axis=1), np.inf),
            idle=np.zeros(q, dtype=np.int64),
        )


def _step(
    state: _State,
    running: NDArray[np.intp],
    space: Space,
    factuals: Matrix,
    box: tuple[Matrix, Matrix],
    model: Model,
    pace: Pace,
) -> None:
    """One proximal step of the running queries, taken back where the objective did not fall as far as it should (Beck,
    Teboulle 2009); such a query tries again with half the stride."""
    change, weight, p = state.change[running], state.weight[running], state.p[running]
    slope = (2 * weight * (p - pace.goal))[:, None] * state.slope[running]
    steepest = np.maximum(np.abs(slope).max(axis=1), TINY)
    stride = np.minimum(state.stride[running], LONGEST_STEP / steepest)
    trial = np.clip(_soften(change - stride[:, None] * slope, stride[:, None]), *box)
    moved = trial - change
    rows = factuals[running] + trial * space.unit
    p_there, flipped = model.ask(rows)

    expected = weight * (p - pace.goal) ** 2 + (slope * moved).sum(axis=1) + (moved**2).sum(axis=1) / (2 * stride)
    taken = weight * (p_there - pace.goal) ** 2 <= expected * (1 + 1e-9)
    state.stride[running] = np.where(taken, stride * 1.5, stride / 2)
    state.idle[running] += (
        state.crossings[running] > 1
    )  # before that λ is still coming down from where the class flipped
    if not taken.any():
        return
    here, trial, flipped = running[taken], trial[taken], flipped[taken]
    state.crossings[here] += flipped != state.flipped[here]
    rate = np.maximum(LEAST_RATE, pace.growth ** (SLOWING ** state.crossings[here]))
    state.weight[here] *= np.where(flipped, 1 / rate, rate)
    state.change[here], state.p[here], state.flipped[here] = trial, p_there[taken], flipped
    state.slope[here] = _slopes(space, rows[taken], model)

    cost = np.abs(trial).sum(axis=1)
    better = flipped & (cost < state.best_cost[here])
    much_better = flipped & (cost < 0.999 * state.best_cost[here])
    state.best[here[better]], state.best_cost[here[better]] = trial[better], cost[better]
    state.idle[here[much_better]] = 0


def _slopes(space: Space, rows: Matrix, model: Model) -> Matrix:
    return np.where(space.moves, model.slopes(rows) * space.unit, 0.0)


def _soften(values: Matrix, threshold: Matrix) -> Matrix:
    """Towards 0 by the threshold, and no farther."""
    softened: Matrix = np.sign(values) * np.maximum(np.abs(values) - threshold, 0)
    return softened
