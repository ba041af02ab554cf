"""The four NICE generators, as the harness knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from sensecf_bench import Generator, PluginOptions, QueryBatch, Task
from sensecf_nice.descent import walk
from sensecf_nice.distance import Heom, Reach
from sensecf_nice.neighbours import nearest_that_flips
from sensecf_nice.reconstruction import ReconstructionError
from sensecf_nice.rewards import Plausibility, Proximity, Reward, Sparsity

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from sensecf_nice.distance import Matrix

LARGEST_ARRAY = 1 << 23  # numbers; queries beyond it are answered in several groups


class NiceOptions(PluginOptions):
    """What all four generators can be told."""

    stock: bool = Field(
        default=False,
        description="answer as NICEx does, blind to immutable features and directions; the harness rejects such rows",
    )
    justified: bool = Field(default=True, description="neighbours must be training rows that the classifier gets right")
    most_neighbours: int | None = Field(
        default=None, ge=1, description="neighbours tried before a query is given up; all of them if not set"
    )


class PlausibilityOptions(NiceOptions):
    """Options of nice-plausibility."""

    variance_kept: float = Field(
        default=0.95, gt=0, lt=1, description="share of variance that the principal components keep"
    )


class Nice(Generator):
    """NICE: the nearest training row of the target class, as far as it may be copied (Brughmans et al. 2023)."""

    name: ClassVar[str] = "nice"
    access = "training-data"
    batch_size = None
    Options = NiceOptions

    def fit(self, task: Task) -> None:
        super().fit(task)
        rows, labels = task.train_matrix, task.train_labels
        predicted = task.predict(rows)
        eligible = predicted == labels if self.options.justified else np.ones(len(rows), dtype=bool)
        if not self.options.stock:
            low, high = task.schema.hard_bounds
            eligible &= ((rows >= low) & (rows <= high)).all(axis=1)
        self._candidates = {target: rows[eligible & (predicted == target)] for target in range(len(task.classes))}
        self._heom = Heom.of(task.schema, rows)
        self._reach = Reach.anywhere(task.schema) if self.options.stock else Reach.of(task.schema)
        self._reward = self.reward(task)

    def reward(self, task: Task) -> Reward | None:
        """What the walk towards the neighbour is greedy for; None answers with the neighbour itself."""
        return None

    def generate(self, queries: QueryBatch) -> pd.DataFrame:
        answers = queries.matrix.copy()
        found = np.zeros(len(queries), dtype=bool)
        for target, group in self._groups(queries):
            answers[group], found[group] = self._answer(queries.matrix[group], target)
        frame = queries.schema.decode(answers[found])
        frame.insert(0, "query_id", [queries.ids[i] for i in np.flatnonzero(found)])
        return frame

    def _groups(self, queries: QueryBatch) -> Iterator[tuple[int, NDArray[np.intp]]]:
        """Positions of queries that want one class, as many as keep the working arrays small."""
        for target in (int(t) for t in np.unique(queries.target)):
            asked = np.flatnonzero(queries.target == target)
            per_query = max(len(self._candidates[target]), queries.matrix.shape[1] ** 2)
            size = max(1, LARGEST_ARRAY // per_query)
            yield from ((target, asked[i : i + size]) for i in range(0, len(asked), size))

    def _answer(self, factuals: Matrix, target: int) -> tuple[Matrix, NDArray[np.bool_]]:
        """A row for each factual, and whether it counts, `(q, d)` and `(q,)`."""
        candidates = self._candidates[target]
        if not len(candidates):
            return factuals, np.zeros(len(factuals), dtype=bool)
        goals, found = nearest_that_flips(
            factuals,
            candidates,
            self._heom,
            self._reach,
            lambda rows: self.task.predict(rows) == target,
            self.options.most_neighbours,
        )
        if self._reward is not None:
            goals[found] = walk(factuals[found], goals[found], target, self.task.predict_proba, self._reward)
        return goals, found


class NiceSparsity(Nice):
    """NICE, sparsity: copies a neighbour feature by feature, the largest gain in probability first."""

    name = "nice-sparsity"

    def reward(self, task: Task) -> Reward:
        return Sparsity()


class NiceProximity(Nice):
    """NICE, proximity: copies a neighbour feature by feature, the largest gain per distance first."""

    name = "nice-proximity"

    def reward(self, task: Task) -> Reward:
        return Proximity(self._heom)


class NicePlausibility(Nice):
    """NICE, plausibility: copies a neighbour feature by feature, largest gain times fall in reconstruction error first."""

    name = "nice-plausibility"
    Options = PlausibilityOptions

    def reward(self, task: Task) -> Reward:
        return Plausibility(ReconstructionError.of(task.schema, task.train_matrix, self.options.variance_kept))
