"""The generator cfnow-fast: two climbs a query, tuned, and then what undoing the dearest change brings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from sensecf_bench import Generator, PluginOptions, QueryBatch, Task
from sensecf_cfnow.deadline import Deadline, OutOfTimeError
from sensecf_cfnow.fast.anchors import find_anchors
from sensecf_cfnow.fast.climbing import climb
from sensecf_cfnow.fast.judge import Judge
from sensecf_cfnow.fast.space import Space
from sensecf_cfnow.fast.tuning import tune

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]
    Mask = NDArray[np.bool_]

CLIMBS = 2
LARGEST_ARRAY = 1 << 22  # numbers; queries beyond it are answered in several groups


class FastOptions(PluginOptions):
    """Options of cfnow-fast."""

    steps: int = Field(default=40, ge=1, description="most moves of a climb; one prediction call each")
    tuning: int = Field(default=8, ge=0, description="most rounds of moving back; two prediction calls each")
    improvements: int = Field(default=1, ge=0, description="times the dearest change is undone and another way sought")


class CfnowFast(Generator):
    """CFNOW's objective and two phases in a batched search of our own: climb until the class flips, then move back."""

    name = "cfnow-fast"
    access = "probability"
    batch_size = None
    Options = FastOptions

    def fit(self, task: Task) -> None:
        super().fit(task)
        self._space = Space(task.schema)
        self._anchors: dict[int, Matrix] = {}

    def generate(self, queries: QueryBatch) -> pd.DataFrame:
        answers = queries.matrix.copy()
        found = np.zeros(len(queries), dtype=bool)
        deadline = Deadline(self.task.seconds_per_query * len(queries))
        with contextlib.suppress(OutOfTimeError):  # groups without an answer by then are abstained from
            for target, group in self._groups(queries):
                judge = Judge(self.task.predict_proba, target, deadline)
                answers[group], found[group] = self._answer(queries.matrix[group], judge)
        frame = queries.schema.decode(answers[found])
        frame.insert(0, "query_id", [queries.ids[i] for i in np.flatnonzero(found)])
        return frame

    def _groups(self, queries: QueryBatch) -> Iterator[tuple[int, NDArray[np.intp]]]:
        """Positions of queries that want one class, as many as keep the working arrays small."""
        per_query = CLIMBS * len(self._space.feature) * queries.matrix.shape[1]
        size = max(1, LARGEST_ARRAY // per_query)
        for target in (int(t) for t in np.unique(queries.target)):
            asked = np.flatnonzero(queries.target == target)
            yield from ((target, asked[i : i + size]) for i in range(0, len(asked), size))

    def _answer(self, factuals: Matrix, judge: Judge) -> tuple[Matrix, Mask]:
        """A row for each factual, and whether it flips, `(q, d)` and `(q,)`."""
        space, limits = self._space, self._space.reach(factuals)
        # One climb may cross a whole range at once and hardly fails; the other takes smaller moves and ends nearer.
        allowed = np.repeat([np.ones_like(space.far), ~space.far], len(factuals), axis=0)
        starts = np.tile(factuals, (CLIMBS, 1))
        both = np.tile(limits[0], (CLIMBS, 1)), np.tile(limits[1], (CLIMBS, 1))
        ends, costs = self._reach(starts, starts, both, allowed, judge)
        costs = costs.reshape(CLIMBS, -1)
        nearest = costs.argmin(axis=0)
        answers = ends.reshape(CLIMBS, *factuals.shape)[nearest, np.arange(len(factuals))]
        best = costs.min(axis=0)
        self._rescue(answers, best, factuals, limits, judge)
        self._improve(answers, best, factuals, limits, judge)
        return answers, np.isfinite(best)

    def _reach(
        self, starts: Matrix, factuals: Matrix, limits: tuple[Matrix, Matrix], allowed: Mask, judge: Judge
    ) -> tuple[Matrix, Matrix]:
        """Tuned ends of the climbs from the starts, `(s, d)`, and their costs, `(s,)`: infinite without a flip."""
        rows, flipped = climb(starts, factuals, limits, allowed, self._space, judge, self.options.steps)
        rows[flipped] = tune(rows[flipped], factuals[flipped], self._space, judge, self.options.tuning)
        return rows, np.where(flipped, self._space.cost(rows, factuals), np.inf)

    def _rescue(
        self, answers: Matrix, costs: Matrix, factuals: Matrix, limits: tuple[Matrix, Matrix], judge: Judge
    ) -> None:
        """Set out again from rows of the target class, for those whose climbs failed; replaces answers in place."""
        lost = np.flatnonzero(np.isinf(costs))
        if not len(lost):
            return
        if judge.target not in self._anchors:
            self._anchors[judge.target] = find_anchors(self._space, judge, self.options.steps)
        for anchor in self._anchors[judge.target]:
            low, high = limits[0][lost], limits[1][lost]
            starts = np.clip(np.broadcast_to(anchor, low.shape), low, high)
            allowed = np.broadcast_to(True, (len(lost), len(self._space.feature)))
            ends, new_costs = self._reach(starts, factuals[lost], (low, high), allowed, judge)
            nearer = new_costs < costs[lost]
            answers[lost[nearer]], costs[lost[nearer]] = ends[nearer], new_costs[nearer]

    def _improve(
        self, answers: Matrix, costs: Matrix, factuals: Matrix, limits: tuple[Matrix, Matrix], judge: Judge
    ) -> None:
        """Undo each answer's dearest change, forbid it, and climb again; what ends nearer replaces the answer in place.

        A change that could not be replaced is not undone again.
        """
        kept = np.zeros(answers.shape, dtype=bool)
        for _ in range(self.options.improvements):
            gaps = np.where(kept, 0.0, self._space.gaps(answers, factuals))
            asked = np.flatnonzero(np.isfinite(costs) & (gaps > 0).any(axis=1))
            if not len(asked):
                return
            dearest = gaps[asked].argmax(axis=1)
            kept[asked, dearest] = True
            starts, own = answers[asked], factuals[asked]
            here = np.arange(len(asked)), dearest
            starts[here] = own[here]
            low, high = limits[0][asked], limits[1][asked]
            low[here] = high[here] = own[here]
            allowed = np.broadcast_to(~self._space.far, (len(asked), len(self._space.far)))
            ends, new_costs = self._reach(starts, own, (low, high), allowed, judge)
            nearer = new_costs < costs[asked]
            answers[asked[nearer]], costs[asked[nearer]] = ends[nearer], new_costs[nearer]
            kept[asked[nearer]] = False
