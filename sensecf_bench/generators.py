"""The sentinels: generators whose scores are known beforehand, so that a harness that drifts is caught.

`identity` can never be valid; a training row is always a copy and always inside the training range.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sensecf_bench.admission import broken_rules
from sensecf_bench.contracts import Generator, QueryBatch, Task
from sensecf_bench.hookspecs import hookimpl
from sensecf_bench.schema import QUERY_ID

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sensecf_bench.schema import Matrix


class Identity(Generator):
    """Sentinel: gives every person back unchanged; its validity must be 0."""

    name = "identity"
    access = "label"
    batch_size = None
    sentinel = True
    expected_failures: ClassVar[Mapping[str, str]] = {
        "finds-something": "it changes nothing, so that a harness in order never counts its rows as valid"
    }

    def generate(self, queries: QueryBatch) -> pd.DataFrame:
        return queries.frame.reset_index()


class _OppositeRow(Generator):
    """Answers with training rows that a person could become: same immutable features, directions respected.

    A query for which there is no such row is left out.
    """

    access = "training-data"
    batch_size = None
    sentinel = True

    def fit(self, task: Task) -> None:
        super().fit(task)
        self.candidates = task.train_matrix[self.in_target_class(task)]

    def in_target_class(self, task: Task) -> NDArray[np.bool_]:
        raise NotImplementedError

    def choose(self, factual: Matrix, reachable: Matrix, seed: int) -> Matrix:
        raise NotImplementedError

    def generate(self, queries: QueryBatch) -> pd.DataFrame:
        ids, rows = [], []
        for query_id, factual, seed in zip(queries.ids, queries.matrix, queries.seeds, strict=True):
            reachable = self.candidates[reachable_from(queries, factual, self.candidates)]
            if len(reachable):
                chosen = self.choose(factual, reachable, int(seed))
                ids.extend([query_id] * len(chosen))
                rows.append(chosen)
        frame = queries.schema.decode(np.vstack(rows) if rows else np.empty((0, len(queries.schema))))
        frame.insert(0, QUERY_ID, ids)
        return frame


class RandomOpposite(_OppositeRow):
    """Sentinel: a random training row of the target class that shares the person's immutable features."""

    name = "random-opposite"

    def in_target_class(self, task: Task) -> NDArray[np.bool_]:
        return np.asarray(task.train_labels == task.target, dtype=bool)

    def choose(self, factual: Matrix, reachable: Matrix, seed: int) -> Matrix:
        rng = np.random.default_rng(seed)
        chosen = rng.choice(len(reachable), size=min(self.task.k, len(reachable)), replace=False)
        rows: Matrix = reachable[chosen]
        return rows


class NearestOpposite(_OppositeRow):
    """Sentinel: the nearest training row that the classifier puts in the target class (Gower distance)."""

    name = "nearest-opposite"

    def in_target_class(self, task: Task) -> NDArray[np.bool_]:
        opposite: NDArray[np.bool_] = task.predict(task.train_matrix) == task.target
        return opposite

    def choose(self, factual: Matrix, reachable: Matrix, seed: int) -> Matrix:
        total = self.task.schema.gaps(reachable, np.broadcast_to(factual, reachable.shape)).sum(axis=1)
        nearest: Matrix = reachable[np.argsort(total, kind="stable")[: self.task.k]]
        return nearest


def reachable_from(queries: QueryBatch, factual: Matrix, candidates: Matrix) -> NDArray[np.bool_]:
    """Which candidate rows of shape `(m, d)` break no rule of the schema for this factual row, shape `(m,)`."""
    broken = broken_rules(queries.schema, np.broadcast_to(factual, candidates.shape), candidates)
    reachable: NDArray[np.bool_] = ~np.any([mask.any(axis=1) for mask in broken.values()], axis=0)
    return reachable


@hookimpl
def sensecf_generators() -> list[type[Generator]]:
    return [Identity, RandomOpposite, NearestOpposite]
