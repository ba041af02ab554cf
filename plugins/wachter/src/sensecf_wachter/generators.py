"""Wachter's counterfactuals as the harness knows them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from sensecf_bench import Generator, PluginOptions, QueryBatch, Task
from sensecf_wachter.descent import Pace, descend
from sensecf_wachter.model import Model
from sensecf_wachter.refinement import draw_near, put_back, settle
from sensecf_wachter.space import Space

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import NDArray

    from sensecf_wachter.space import Matrix

SHARE_OF_TIME = 0.8  # of the deadline: the last call of the classifier must come back, too


class WachterOptions(PluginOptions):
    """What the descent can be told."""

    goal: float = Field(default=1.0, gt=0.5, le=1, description="probability of the target class that is aimed at")
    step_size: float = Field(default=1.0, gt=0, description="first step size; it adapts to each query")
    growth: float = Field(default=1.2, gt=1.01, description="factor by which λ grows with a step until the class flips")
    steps: int = Field(default=500, ge=1, description="most steps of one descent")
    patience: int = Field(
        default=100,
        ge=1,
        description="steps without a cheaper answer, once λ has come down, after which a descent ends",
    )
    restarts: int = Field(
        default=2, ge=0, description="descents from random training rows of the target class, where the first failed"
    )


class Wachter(Generator):
    """Gradient descent from the person to the target class, the fewest MADs away (Wachter, Mittelstadt, Russell 2018)."""

    name: ClassVar[str] = "wachter"
    access = "gradient"
    batch_size = None
    Options = WachterOptions

    def fit(self, task: Task) -> None:
        super().fit(task)
        rows = task.train_matrix
        self._space = Space.of(task.schema, rows, hold_levels=not _answers_between_levels(task))
        self._predicted = task.predict(rows)

    def generate(self, queries: QueryBatch) -> pd.DataFrame:
        ends = time.monotonic() + SHARE_OF_TIME * self.task.seconds_per_query * len(queries)
        answers, found = queries.matrix.copy(), np.zeros(len(queries), dtype=bool)
        for target in (int(t) for t in np.unique(queries.target)):
            group = np.flatnonzero(queries.target == target)
            answers[group], found[group] = self._answer(
                queries.matrix[group], queries.seeds[group], target, lambda: time.monotonic() < ends
            )
        frame = queries.schema.decode(answers[found])
        frame.insert(0, "query_id", [queries.ids[i] for i in np.flatnonzero(found)])
        return frame

    def _answer(
        self, factuals: Matrix, seeds: NDArray[np.uint64], target: int, in_time: Callable[[], bool]
    ) -> tuple[Matrix, NDArray[np.bool_]]:
        """A row for each factual, and whether it counts, `(q, d)` and `(q,)`."""
        rows, found = factuals.copy(), np.zeros(len(factuals), dtype=bool)
        if not self._space.moves.any():
            return rows, found
        chosen, model = self.options, Model(self.task, target)
        pace = Pace(chosen.goal, chosen.growth, chosen.steps, chosen.patience, chosen.step_size)
        elsewhere = self.task.train_matrix[self._predicted == target]
        randoms = [np.random.default_rng(int(seed)) for seed in seeds]
        for attempt in range(1 + chosen.restarts):
            left = np.flatnonzero(~found)
            if not len(left) or (attempt and not len(elsewhere)):
                break
            starts = factuals[left]
            if attempt:
                starts = elsewhere[[randoms[i].integers(len(elsewhere)) for i in left]]
            ends, flipped = descend(self._space, factuals[left], starts, model, pace, in_time)
            left, ends = left[flipped], ends[flipped]
            if len(left):
                rows[left], found[left] = settle(self._space, factuals[left], ends, model)
        asked = factuals[found]
        kept = put_back(self._space, asked, rows[found], model, in_time)
        rows[found] = draw_near(self._space, asked, kept, model, in_time)
        return rows, found


def _answers_between_levels(task: Task) -> bool:
    """Whether the classifier can be asked about what lies between two levels of a binary or ordinal feature."""
    between = [f.kind in ("binary", "ordinal") for f in task.schema.features]
    if not any(between):
        return True
    row = task.train_matrix[:1].copy()
    row[:, between] = 0.5
    try:
        task.predict_proba(row)
        task.gradient(row)
    except ValueError:  # what a model says to a level it does not know, here and over the pipe
        return False
    return True
