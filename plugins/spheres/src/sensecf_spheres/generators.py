"""Growing Spheres as the harness knows it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from sensecf_bench import Generator, PluginOptions, QueryBatch, Task
from sensecf_spheres.search import Limits, nearest_enemies
from sensecf_spheres.selection import put_back
from sensecf_spheres.space import Space

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sensecf_spheres.space import Matrix

SHARE_OF_TIME = 0.8  # of the deadline: the last call of the classifier must come back, too


class SpheresOptions(PluginOptions):
    """What Growing Spheres can be told."""

    n_in_layer: int = Field(default=2000, ge=1, description="candidates in the ball and in each layer")
    first_radius: float = Field(
        default=0.1, gt=0, description="radius of the first ball, in units of the features' training ranges"
    )
    max_halvings: int = Field(default=20, ge=0, description="times the ball may shrink before its enemies are taken")
    max_radius: float = Field(
        default=1.0, gt=0, description="radius at which a query is given up, in diagonals of the box of training ranges"
    )
    sparse: bool = Field(default=True, description="put features back, smallest change first, while the class holds")


class GrowingSpheres(Generator):
    """Growing Spheres: the nearest of many random rows that flips, then made sparse; labels only (Laugel et al. 2018)."""

    name: ClassVar[str] = "growing-spheres"
    access = "label"
    batch_size = None
    Options = SpheresOptions

    def fit(self, task: Task) -> None:
        super().fit(task)
        self._space = Space.of(task.schema)

    def generate(self, queries: QueryBatch) -> pd.DataFrame:
        ends = time.monotonic() + SHARE_OF_TIME * self.task.seconds_per_query * len(queries)
        answers, found = queries.matrix.copy(), np.zeros(len(queries), dtype=bool)
        for target in (int(t) for t in np.unique(queries.target)):
            group = np.flatnonzero(queries.target == target)
            answers[group], found[group] = self._answer(queries.matrix[group], queries.seeds[group], target, ends)
        frame = queries.schema.decode(answers[found])
        frame.insert(0, "query_id", [queries.ids[i] for i in np.flatnonzero(found)])
        return frame

    def _answer(
        self, factuals: Matrix, seeds: NDArray[np.uint64], target: int, ends: float
    ) -> tuple[Matrix, NDArray[np.bool_]]:
        """A row for each factual, and whether it counts, `(q, d)` and `(q,)`."""
        chosen = self.options
        last_radius = chosen.max_radius * self._space.freedom**0.5
        limits = Limits(chosen.n_in_layer, chosen.first_radius, chosen.max_halvings, last_radius)

        def flips(rows: Matrix) -> NDArray[np.bool_]:
            flipped: NDArray[np.bool_] = self.task.predict(rows) == target
            return flipped

        def in_time() -> bool:
            return time.monotonic() < ends

        rows, found = nearest_enemies(self._space, factuals, seeds, flips, limits, in_time)
        if chosen.sparse:
            rows[found] = put_back(self._space, factuals[found], rows[found], flips, in_time)
        return rows, found
