"""Tasks and queries made by hand: a table of every kind of feature and rule, and classifiers that can be read."""

import numpy as np

from sensecf_bench import FeatureSchema
from sensecf_bench.testing import hand_made
from sensecf_bench.testing.hand_made import EVERY_KIND, rows_of_every_kind

ROWS = rows_of_every_kind(200)
SCHEMA = FeatureSchema(EVERY_KIND).with_scales(ROWS)


def health(rows):
    """A score that every feature has a part in."""
    drug = np.array([0.0, 1.5, -0.5])[rows[:, 5].astype(int)]
    return (
        -0.1 * (rows[:, 0] - 5)
        + (rows[:, 1] - 10000) / 8000
        - (rows[:, 2] - 80) / 20
        - rows[:, 3]
        + 0.5 * (rows[:, 4] - 1.5)
        + drug
        - (rows[:, 6] - 55) / 60
        + 0.3 * (rows[:, 7] - 7)
        + (rows[:, 8] - 30) / 40
    )


def healthy(rows):
    """Probabilities of a logistic model of health."""
    p = 1 / (1 + np.exp(-health(rows)))
    return np.column_stack([1 - p, p])


def nobody(rows):
    """A classifier that puts everybody in class 0."""
    return np.tile([1.0, 0.0], (len(rows), 1))


def task_of(schema, predict_proba, seconds=30.0, access="label"):
    labels = np.zeros(len(ROWS), dtype=np.int64)
    return hand_made.task_of(schema, ROWS, labels, predict_proba, seconds_per_query=seconds, access=access)


def queries_of(schema, asked, target=1):
    seeds = np.arange(7, 7 + len(asked), dtype=np.uint64)
    return hand_made.queries_of(schema, asked, np.full(len(asked), 1 - target), seeds)


ASKED = ROWS[healthy(ROWS)[:, 1] < 0.5][:25]
