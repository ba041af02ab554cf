"""Tasks and queries made by hand, so that a test can choose schema, rows and classifier freely."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.contracts import CounterfactualBatch, FeatureSchema, Generator, QueryBatch, Task
from sensecf_bench.schema import QUERY_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.queries import Classes
    from sensecf_bench.schema import Matrix

Predictor = Callable[["Matrix"], "Matrix"]


def task_of(schema: FeatureSchema, rows: Matrix, labels: Classes, predict_proba: Predictor, **settings: Any) -> Task:
    """A task on training rows of shape `(n, d)` in internal coding, with every access there is; `settings` are fields of
    `Task` that are to be otherwise, such as `target`, `k`, `access` or `differentiator`."""
    usual: dict[str, Any] = {
        "classes": ("no", "yes"),
        "target": 1,
        "seed": 0,
        "k": 1,
        "seconds_per_query": 30.0,
        "scratch": Path(),
        "access": "gradient",
    }
    return Task(schema=schema, predictor=predict_proba, _train=rows, _train_labels=labels, **{**usual, **settings})


def queries_of(
    schema: FeatureSchema, rows: Matrix, current: Classes, seeds: NDArray[np.uint64] | None = None
) -> QueryBatch:
    """Queries q0, q1, … of people who are to leave their class `current`, shape `(n,)`, for the other one."""
    ids = tuple(f"q{i}" for i in range(len(rows)))
    own = np.zeros(len(rows), dtype=np.uint64) if seeds is None else seeds
    return QueryBatch(schema, ids, rows, current, 1 - current, own)


def answers_of(generator: Generator, queries: QueryBatch) -> dict[str, Matrix]:
    """The last row that a fitted generator proposes for each query it answers, in internal coding."""
    answer = generator.generate(queries)
    frame = answer.rows if isinstance(answer, CounterfactualBatch) else answer
    if frame is None:
        return {}
    return dict(zip(frame[QUERY_ID], queries.schema.encode(frame), strict=True))


class Counted:
    """A predictor that notes the number of rows of each call, in `calls`."""

    def __init__(self, predict_proba: Predictor) -> None:
        self.predict_proba = predict_proba
        self.calls: list[int] = []

    def __call__(self, rows: Matrix) -> Matrix:
        self.calls.append(len(rows))
        return self.predict_proba(rows)
