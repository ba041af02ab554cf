"""A small hand-made table for tests of prompts: every kind of feature, every restriction."""

import numpy as np
import pandas as pd

from sensecf_bench.admission import admit
from sensecf_bench.contracts import Feature, FeatureSchema, QueryBatch
from sensecf_bench.prompting import Brief, Prompt, Shot
from sensecf_bench.schema import QUERY_ID

SCHEMA = FeatureSchema(
    (
        Feature(name="age", kind="integer", unit="years", bounds=(18, 120), mutable=False),
        Feature(
            name="daily_steps", kind="integer", bounds=(0, None), direction="increase", description="mean of a week"
        ),
        Feature(name="glucose", kind="continuous", unit="mg/dL", bounds=(40, 400), precision=0.1, direction="decrease"),
        Feature(name="deep_sleep", kind="continuous", unit="%", bounds=(0, 100), precision=0.5),
        Feature(name="balance", kind="continuous", bounds=(None, 2.5)),
        Feature(name="smoker", kind="binary", levels=("no", "yes"), direction="decrease"),
        Feature(name="stage", kind="ordinal", levels=("I", "II", "III"), unit="NYHA", direction="increase"),
        Feature(name="drug", kind="categorical", levels=("none", "statin <10 mg", "β-blocker")),
    )
)
TRAIN = np.array(
    [
        [50, 4000, 150.0, 30.0, 0.125, 1, 0, 0],
        [61, 2500, 210.8, 30.5, -1.0, 1, 2, 1],
        [33, 9000, 95.04, 41.0, 1e-7, 0, 0, 2],
        [44, 12000, 101.0, 38.5, 1 / 3, 0, 1, 0],
        [70, 7000, 88.8, 35.0, 2.0, 0, 0, 0],
    ]
)
LABELS = np.array([1, 1, 0, 0, 0])
CLASSES = ("low stress", "high stress")
FACTUAL = {
    "age": 50,
    "daily_steps": 4000,
    "glucose": 150.04,
    "deep_sleep": 30.1,
    "balance": 0.125,
    "smoker": "yes",
    "stage": "I",
    "drug": "none",
}
COUNTERFACTUAL = {**FACTUAL, "daily_steps": 9000, "glucose": 95.0, "drug": "statin <10 mg"}
RULES = ("deep_sleep + rem_sleep <= 100",)


def brief(rules=()):
    return Brief.of(SCHEMA.with_scales(TRAIN), CLASSES, 0, TRAIN, LABELS, rules)


def prompt(style="edits", **settings):
    return Prompt.of(brief(), style, **settings)


def shot():
    return Shot(FACTUAL, COUNTERFACTUAL)


def frame(row):
    """A table of one row in raw units."""
    return pd.DataFrame([dict(row)])


def reason(schema, factual, row):
    """What admission says of a proposed row."""
    one = np.ones(1, np.int64)
    queries = QueryBatch(schema, ("q",), factual[None], one, 1 - one, one.astype(np.uint64))
    columns = {QUERY_ID: np.array(["q"], dtype=object)}
    for name in schema.names:
        columns[name] = np.empty(1, dtype=object)
        columns[name][0] = row[name]
    return admit(columns, queries, 1).reasons[0]
