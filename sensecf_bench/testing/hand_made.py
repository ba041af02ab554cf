"""Tasks and queries made by hand, so that a test can choose schema, rows and classifier freely."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.contracts import CounterfactualBatch, Feature, FeatureSchema, Generator, QueryBatch, Task
from sensecf_bench.schema import QUERY_ID

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.queries import Classes
    from sensecf_bench.schema import Matrix

Predictor = Callable[["Matrix"], "Matrix"]
EVERY_KIND = (
    Feature(name="dose", kind="continuous", bounds=(0, 10), precision=0.5),
    Feature(name="steps", kind="integer", bounds=(0, 20000), direction="increase"),
    Feature(name="weight", kind="continuous", direction="decrease"),
    Feature(name="smokes", kind="binary", levels=("no", "yes"), direction="decrease"),
    Feature(name="fitness", kind="ordinal", levels=("low", "fair", "good", "top")),
    Feature(name="drug", kind="categorical", levels=("a", "b", "c")),
    Feature(name="age", kind="integer", mutable=False),
    Feature(name="sleep", kind="continuous"),
    Feature(name="visits", kind="integer", precision=5),
)


def rows_of_every_kind(n: int, seed: int = 0) -> Matrix:
    """Random people, shape `(n, 9)`, with the features `EVERY_KIND`: all kinds, bounds, directions and precisions."""
    random = np.random.default_rng(seed)
    rows: Matrix = np.column_stack(
        [
            np.rint(random.uniform(0, 10, n) / 0.5) * 0.5,
            random.integers(0, 20000, n),
            random.normal(80, 15, n),
            random.integers(0, 2, n),
            random.integers(0, 4, n),
            random.integers(0, 3, n),
            random.integers(20, 90, n),
            random.normal(7, 1, n),
            random.integers(0, 60, n),
        ]
    ).astype(np.float64)
    return rows


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
