"""People who might be: training rows moved about among their neighbours, so that a small table has enough to learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench import QueryBatch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench import FeatureSchema, Task

    Matrix = NDArray[np.float64]

NEIGHBOURS = 8
REACH = 0.7  # of the way to a neighbour, or as far away from it
WOBBLE = 0.25  # standard deviation, of the same way, in which each feature goes its own
KEPT = 0.7  # share of levels that stay the person's own
BEYOND = 0.002  # share of numbers moved past what was seen, as a few of any new people's are
MENDED = 2  # times as many where they may be changed: bringing them back is rarely asked for and has to be learnt
PATIENCE = 5  # draws, until there are as many as asked for that keep the constraints between features
STRAY = 0.05  # how far past, as a share of the range


def imagined(schema: FeatureSchema, train: Matrix, n: int, chance: np.random.Generator) -> Matrix:
    """`n` rows in internal coding that keep hard bounds and constraints, shape `(n, d)`.

    Each is a training row plus a share of the way to one of its nearest neighbours (Gower distance), in either direction:
    SMOTE (Chawla et al. 2002) draws between neighbours only, which makes people more alike than they are; this keeps the
    spread of the training rows, tails included. Training rows stand in for those that could not be had.
    """
    near = _neighbours(schema, train)
    kept, missing = [], n
    for _ in range(PATIENCE):
        rows = _within(schema, _strayed(schema, _moved(schema, train, near, missing, chance), chance))
        kept.append(rows[schema.keeps(rows)])
        missing -= len(kept[-1])
        if not missing:
            break
    kept.append(train[chance.integers(len(train), size=missing)])
    return np.concatenate(kept)


def asked_about(task: Task, people: Matrix, seeds: NDArray[np.uint64]) -> QueryBatch:
    """Questions about people of the undesired class who are not the harness's own, shape `(n, d)`."""
    n = len(people)
    names = tuple(f"person-{i}" for i in range(n))
    return QueryBatch(task.schema, names, people, np.full(n, 1 - task.target), np.full(n, task.target), seeds)


def _neighbours(schema: FeatureSchema, train: Matrix) -> NDArray[np.intp]:
    """Positions of the nearest other training rows of each, shape `(n, k)`; a single row is its own neighbour."""
    from sklearn.neighbors import NearestNeighbors

    if len(train) == 1:
        return np.zeros((1, 1), dtype=np.intp)
    nearest = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(train) - 1), metric="manhattan").fit(schema.embed(train))
    found: NDArray[np.intp] = nearest.kneighbors(return_distance=False)
    return found


def _moved(schema: FeatureSchema, train: Matrix, near: NDArray[np.intp], n: int, chance: np.random.Generator) -> Matrix:
    own = chance.integers(len(train), size=n)
    other = near[own, chance.integers(near.shape[1], size=n)]
    way = chance.uniform(-REACH, REACH, (n, 1)) + WOBBLE * chance.normal(size=(n, len(schema)))
    rows = train[own] + way * (train[other] - train[own])
    levels = ~schema.numeric
    stays = chance.random((n, int(levels.sum()))) < KEPT
    rows[:, levels] = np.where(stays, train[own][:, levels], train[other][:, levels])
    return rows


def _strayed(schema: FeatureSchema, rows: Matrix, chance: np.random.Generator) -> Matrix:
    scales = schema.frozen_scales()
    for j in np.flatnonzero(schema.numeric):
        share = BEYOND * (MENDED if schema.mutable[j] else 1)
        draw = chance.random(len(rows))
        beyond = STRAY * scales.span[j] * chance.random(len(rows))
        rows[:, j] = np.where(draw < share / 2, scales.low[j] - beyond, rows[:, j])
        rows[:, j] = np.where(draw > 1 - share / 2, scales.high[j] + beyond, rows[:, j])
    return rows


def _within(schema: FeatureSchema, rows: Matrix) -> Matrix:
    whole = np.array([f.kind == "integer" for f in schema.features])
    rows[:, whole] = np.rint(rows[:, whole])
    low, high = schema.hard_bounds
    inside: Matrix = np.clip(rows, low, high)
    return inside
