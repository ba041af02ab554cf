"""The two generators that run cfnow itself: one query in, up to k rows out."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from sensecf_bench import Generator, PluginOptions, QueryBatch, Task, Unavailable
from sensecf_cfnow.deadline import SHARE, Deadline, OutOfTimeError
from sensecf_cfnow.model import Model
from sensecf_cfnow.rules import Rules
from sensecf_cfnow.search import mended, quiet, seeded

if TYPE_CHECKING:
    import pandas as pd

    from sensecf_cfnow.coding import Coding, Matrix

STOCK_SECONDS = 120.0  # cfnow's own limit


class CfnowOptions(PluginOptions):
    """Options of both strategies. `stock` takes cfnow's own defaults for whatever is not set beside it."""

    stock: bool = Field(
        default=False, description="cfnow as it comes: raw units, none of the schema's rules, its clock"
    )
    iterations: int = Field(default=100, ge=1, description="most rounds of one search for a flip (it_max)")
    fine_tuning: int = Field(default=20, ge=1, description="rounds of moving back towards the query (ft_it_max)")
    step: float = Field(
        default=0.1, gt=0, lt=1, description="share of a number that one move changes (ft_change_factor)"
    )


class RandomOptions(CfnowOptions):
    """Options of cfnow-random."""

    iterations: int = Field(default=5, ge=1, description="most rounds of one search for a flip (it_max)")
    fine_tuning: int = Field(default=10, ge=1, description="rounds of moving back towards the query (ft_it_max)")
    strategy: Literal["random-sequential", "random"] = Field(
        default="random-sequential", description="whether changes add up or each is made to the query itself"
    )
    changes: int = Field(default=100, ge=1, description="changes tried in one step (threshold_changes)")


NAMES = {
    "iterations": "it_max",
    "fine_tuning": "ft_it_max",
    "step": "ft_change_factor",
    "strategy": "cf_strategy",
    "changes": "threshold_changes",
}


class _Cfnow(Generator):
    """What both strategies share."""

    access = "probability"
    batch_size = 1
    preload = ("sensecf_cfnow.upstream", "sensecf_cfnow.coding")
    Options = CfnowOptions

    def available(self) -> None:
        if importlib.util.find_spec("cfnow") is None:
            raise Unavailable("cfnow is not installed", 'pip install "cfnow>=0.0.6,<0.1"')

    def fit(self, task: Task) -> None:
        super().fit(task)
        from sensecf_cfnow.upstream import find_tabular

        self._find = find_tabular
        self._rules = Rules.of(task.schema)
        span = task.schema.frozen_scales().span
        self._units = np.where(span > 0, span, 1.0)

    def settings(self) -> dict[str, Any]:
        """What find_tabular is told, by its own names; in stock mode only what was set."""
        chosen = self.options.model_dump(
            exclude={"stock"}, include=self.options.model_fields_set if self.options.stock else None
        )
        return {NAMES[name]: value for name, value in chosen.items()}

    def generate(self, queries: QueryBatch) -> pd.DataFrame | None:
        answers, ids = [], []
        for i, query_id in enumerate(queries.ids):
            answer = self._stock_answer if self.options.stock else self._answer
            with seeded(int(queries.seeds[i])), quiet():
                rows = answer(queries.matrix[i], int(queries.target[i]))
            answers.append(rows[: self.task.k])
            ids += [query_id] * len(answers[-1])
        if not ids:
            return None
        matrix = np.vstack(answers)
        frame = self.task.schema.decode(matrix)
        for j, feature in enumerate(self.task.schema.features):
            if feature.kind == "integer" and self.options.stock:
                frame[feature.name] = matrix[:, j]  # decoding would round what the harness has to see
        frame.insert(0, "query_id", ids)
        return frame

    def _answer(self, factual: Matrix, target: int) -> Matrix:
        """Distinct permitted rows that flip, nearest first, shape `(n, d)`."""
        from sensecf_cfnow.coding import Coding

        nothing = np.empty((0, len(factual)))
        free = self._rules.free(factual)
        if not free.any():
            return nothing
        coding = Coding(self.task.schema, free, self._units)

        def permitted(columns: Matrix) -> Matrix:
            return self._rules.settle(coding.decode(columns, factual), factual)

        model = Model(permitted, self.task.predict_proba, target, Deadline(self.task.seconds_per_query))
        try:
            with mended(model):
                found = self._search(coding, factual, model, limit_seconds=np.inf, **self.bounded(coding))
        except OutOfTimeError:
            return nothing
        rows = permitted(found)
        _, first = np.unique(rows, axis=0, return_index=True)
        return rows[np.sort(first)]

    def bounded(self, coding: Coding) -> dict[str, Any]:
        """What find_tabular is told outside stock mode."""
        return self.settings()

    def _stock_answer(self, factual: Matrix, target: int) -> Matrix:
        """cfnow's rows, nearest first, shape `(n, d)`; its clock is set to what the query's time allows."""
        from sensecf_cfnow.coding import Coding

        schema = self.task.schema
        coding = Coding(schema, np.ones(len(schema), dtype=bool), np.ones(len(schema)))

        def predict_proba(columns: Any) -> Matrix:
            return self.task.predict_proba(coding.decode(np.asarray(columns, dtype=np.float64), factual))

        seconds = min(STOCK_SECONDS, SHARE * self.task.seconds_per_query)
        return coding.decode(
            self._search(coding, factual, predict_proba, limit_seconds=seconds, **self.settings()), factual
        )

    def _search(self, coding: Coding, factual: Matrix, model: Any, **settings: Any) -> Matrix:
        """What find_tabular finds, as its columns, shape `(n, c)`."""
        found = self._find(
            coding.encode(factual),
            model,
            count_cf=self.task.k,
            feat_types=coding.feat_types,
            has_ohe=coding.has_ohe,
            **{"cf_strategy": self.strategy, **settings},
        )
        return np.reshape(np.asarray(found.cfs, dtype=np.float64), (-1, len(coding.feat_types)))

    strategy: ClassVar[str]


class CfnowGreedy(_Cfnow):
    """CFNOW, greedy: makes the change that raises the target's probability most, then moves back (tabu search)."""

    name = "cfnow-greedy"
    strategy = "greedy"

    def bounded(self, coding: Coding) -> dict[str, Any]:
        # A list as long as there are features forbids every move.
        return {**self.settings(), "size_tabu": min(5, len(coding.offered) - 1)}


class CfnowRandom(_Cfnow):
    """CFNOW, random: tries random sets of ever more changes until one flips, then moves back."""

    name = "cfnow-random"
    dear = "it searches for one person at a time, up to seconds each"
    strategy = "random-sequential"
    Options = RandomOptions
