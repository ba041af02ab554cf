"""Tasks and queries made by hand, so that tests can choose schema, rows and classifier freely."""

from pathlib import Path

import numpy as np

from sensecf_bench import Feature, FeatureSchema, QueryBatch, Task

KINDS = ("continuous", "categorical", "integer", "binary", "continuous", "ordinal", "continuous", "integer")
LEVELS = {"binary": ("n", "y"), "categorical": ("a", "b", "c", "d"), "ordinal": ("low", "mid", "high")}


def draw(seed=0, n=120, kinds=KINDS):
    """A table of `n` rows in internal coding: numbers around 50 with spreads of their own, some of them zero."""
    rng = np.random.default_rng(seed)
    columns = [
        rng.integers(0, len(LEVELS[kind]), n).astype(float)
        if kind in LEVELS
        else np.where(rng.random(n) < 0.1, 0.0, rng.normal(50, 10 ** rng.uniform(0, 1.3), n))
        for kind in kinds
    ]
    table = np.column_stack(columns)
    whole = np.array([kind == "integer" for kind in kinds])
    table[:, whole] = np.rint(table[:, whole])
    return table


def schema_of(rows, changes=None, kinds=KINDS):
    """A schema of features f0, f1, ...; `changes` gives features other settings by name."""
    features = [
        Feature(
            **{"name": f"f{j}", "kind": kind}
            | ({"levels": LEVELS[kind]} if kind in LEVELS else {})
            | (changes or {}).get(f"f{j}", {})
        )
        for j, kind in enumerate(kinds)
    ]
    return FeatureSchema(tuple(features)).with_scales(rows)


def classifier_of(kind, rows, seed=0):
    """A function from rows `(n, d)` to probabilities `(n, 2)`; each row is computed alone, whatever it comes with.

    "stumps" votes in tenths, so that many moves tie and many gain nothing; "constant" never decides for class 1.
    """
    low, span = rows.min(axis=0), np.ptp(rows, axis=0)
    weight = np.random.default_rng(seed).normal(0, 3, rows.shape[1])

    def predict_proba(matrix):
        unit = np.ascontiguousarray((np.asarray(matrix, dtype=float) - low) / span) - 0.5
        if kind == "constant":
            positive = np.full(len(unit), 0.1)
        elif kind == "logistic":
            positive = 1 / (1 + np.exp(-(unit * weight).sum(axis=1)))
        else:
            positive = np.round((np.where(unit * np.sign(weight) > 0.1, 1.0, 0.0)).mean(axis=1), 1)
        return np.column_stack([1 - positive, positive])

    return predict_proba


def task_of(schema, rows, predict_proba, target=1, access="probability", seconds=30.0, k=1):
    return Task(
        schema=schema,
        classes=("no", "yes"),
        target=target,
        seed=0,
        k=k,
        seconds_per_query=seconds,
        scratch=Path(),
        access=access,
        predictor=predict_proba,
        _train=rows,
        _train_labels=predict_proba(rows).argmax(axis=1),
    )


def queries_of(schema, asked, predict_proba):
    """Every row is asked to become the class it is not."""
    current = predict_proba(asked).argmax(axis=1) if len(asked) else np.empty(0, dtype=np.int64)
    ids = tuple(f"q{i}" for i in range(len(asked)))
    return QueryBatch(schema, ids, asked, current, 1 - current, np.arange(len(asked), dtype=np.uint64))


class Counted:
    """A predictor that notes the rows of each call."""

    def __init__(self, predict_proba):
        self.predict_proba = predict_proba
        self.calls = []

    def __call__(self, rows):
        self.calls.append(len(rows))
        return self.predict_proba(rows)


def fitted(generator, schema, rows, predict_proba, **task):
    generator.fit(task_of(schema, rows, predict_proba, access=type(generator).access, **task))
    return generator


def answers_of(generator, queries):
    """Answers by query id, in internal coding, without asking whether they may be admitted."""
    frame = generator.generate(queries)
    if frame is None:
        return {}
    return dict(zip(frame["query_id"], queries.schema.encode(frame), strict=True))
