"""From where the descent ended to rows that the schema allows, with no change that is not needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sensecf_wachter.model import Model
    from sensecf_wachter.space import Matrix, Space

STRETCHES = np.array([1.0, 1.01, 1.03, 1.1, 1.25, 1.5, 2.0, 3.0])
HALVINGS = 12


def settle(space: Space, factuals: Matrix, ends: Matrix, model: Model) -> tuple[Matrix, NDArray[np.bool_]]:
    """Lawful rows near the ends of the descent, `(q, d)`, and whether each is in the target class.

    Rounding may lose the class again; the change is then stretched, as little as will do.
    """
    stretched = factuals[:, None] + STRETCHES[:, None] * (ends - factuals)[:, None]
    rows = space.lawful(factuals[:, None], stretched)
    flipped = model.ask(rows.reshape(-1, rows.shape[2]))[1].reshape(rows.shape[:2])
    first = (np.arange(len(rows)), flipped.argmax(axis=1))
    return rows[first], flipped[first]


def put_back(space: Space, factuals: Matrix, rows: Matrix, model: Model, in_time: Callable[[], bool]) -> Matrix:
    """Rows with the factual's value in every feature that can have it, tried once each, the smallest change in MADs
    first. A step of all queries is one question."""
    rows = rows.copy()
    order = np.argsort(np.abs(rows - factuals) / space.unit, axis=1, kind="stable")
    for rank in range(rows.shape[1]):
        column = order[:, rank]
        asked = np.flatnonzero(rows[np.arange(len(rows)), column] != factuals[np.arange(len(rows)), column])
        if not len(asked):
            continue
        if not in_time():
            break
        trials = rows[asked]
        trials[np.arange(len(asked)), column[asked]] = factuals[asked, column[asked]]
        flipped = model.ask(trials)[1]
        rows[asked[flipped]] = trials[flipped]
    return rows


def draw_near(space: Space, factuals: Matrix, rows: Matrix, model: Model, in_time: Callable[[], bool]) -> Matrix:
    """Rows moved straight towards their factuals as far as the class holds, by bisection."""
    best = rows.copy()
    near, far = np.zeros(len(rows)), np.ones(len(rows))
    for _ in range(HALVINGS if len(rows) else 0):
        if not in_time():
            break
        middle = (near + far) / 2
        trials = space.lawful(factuals, factuals + middle[:, None] * (rows - factuals))
        flipped = model.ask(trials)[1]
        best[flipped] = trials[flipped]
        near, far = np.where(flipped, near, middle), np.where(flipped, middle, far)
    return best
