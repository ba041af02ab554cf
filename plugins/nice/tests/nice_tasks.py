"""Tasks and queries made by hand, so that tests can choose schema, rows and classifier freely."""

from pathlib import Path

import numpy as np

from sensecf_bench import Feature, FeatureSchema, QueryBatch, Task


def schema_of(levels, rows, **changes):
    """A schema with a number for each 0 in `levels`; `changes` gives one feature (`f2={...}`) other settings."""
    features = [
        Feature(
            **{"name": f"f{j}"}
            | ({"kind": "categorical", "levels": tuple("abcdefgh"[:n])} if n else {"kind": "continuous"})
            | changes.get(f"f{j}", {})
        )
        for j, n in enumerate(levels)
    ]
    return FeatureSchema(tuple(features)).with_scales(rows)


def task_of(schema, rows, labels, predict_proba, target=1):
    return Task(
        schema=schema,
        classes=("no", "yes"),
        target=target,
        seed=0,
        k=1,
        seconds_per_query=30.0,
        scratch=Path(),
        access="training-data",
        predictor=predict_proba,
        _train=rows,
        _train_labels=labels,
    )


def queries_of(schema, asked, predict_proba):
    """Every row is asked to become the class it is not."""
    current = predict_proba(asked).argmax(axis=1) if len(asked) else np.empty(0, dtype=np.int64)
    ids = tuple(f"q{i}" for i in range(len(asked)))
    return QueryBatch(schema, ids, asked, current, 1 - current, np.zeros(len(asked), dtype=np.uint64))


class Counted:
    """A predictor that notes the rows of each call."""

    def __init__(self, predict_proba):
        self.predict_proba = predict_proba
        self.calls = []

    def __call__(self, rows):
        self.calls.append(len(rows))
        return self.predict_proba(rows)


def answers_of(generator, queries):
    """Answers by query id, in internal coding."""
    frame = generator.generate(queries)
    return dict(zip(frame["query_id"], queries.schema.encode(frame), strict=True))
