"""Tasks and queries made by hand: a table of every kind of feature and rule, and classifiers whose slopes are known."""

import numpy as np

from sensecf_bench import FeatureSchema
from sensecf_bench.testing import hand_made
from sensecf_bench.testing.hand_made import EVERY_KIND, rows_of_every_kind

ROWS = rows_of_every_kind(200)
SCHEMA = FeatureSchema(EVERY_KIND).with_scales(ROWS)


WEIGHTS = np.array([-0.1, 1 / 8000, -1 / 20, -1.0, 0.5, 0.0, -1 / 60, 0.3, 1 / 40])
DRUG = np.array([0.0, 1.5, -0.5])


def health(rows):
    """A score that every feature has a part in, summed row by row: it must not depend on how many rows there are."""
    return (WEIGHTS * (rows - [5, 10000, 80, 0, 1.5, 0, 55, 7, 30])).sum(axis=1) + DRUG[rows[:, 5].astype(int)]


class Smooth:
    """A logistic model of a score with constant slopes, as a task wants it; it notes the rows of each call."""

    def __init__(self, score=health, weights=WEIGHTS):
        self.score, self.weights, self.calls = score, np.array(weights), []

    def predict_proba(self, rows):
        self.calls.append(len(rows))
        p = 1 / (1 + np.exp(-self.score(rows)))
        return np.column_stack([1 - p, p])

    def gradient(self, rows):
        self.calls.append(len(rows))
        p = 1 / (1 + np.exp(-self.score(rows)))[:, None]
        return p * (1 - p) * self.weights


class Nobody(Smooth):
    """Puts everybody in class 0, everywhere alike."""

    def predict_proba(self, rows):
        self.calls.append(len(rows))
        return np.tile([1.0, 0.0], (len(rows), 1))

    def gradient(self, rows):
        self.calls.append(len(rows))
        return np.zeros(rows.shape)


def linear(weights, shift=0.0):
    weights = np.array(weights, dtype=float)
    return Smooth(lambda rows: (rows * weights).sum(axis=1) + shift, weights)


def task_of(schema, model, seconds=30.0, train=None, target=1):
    train = ROWS if train is None else train
    labels = np.zeros(len(train), dtype=np.int64)
    settings = {"seconds_per_query": seconds, "target": target, "differentiator": model.gradient}
    return hand_made.task_of(schema, train, labels, model.predict_proba, **settings)


def queries_of(schema, asked, target=1):
    seeds = np.arange(7, 7 + len(asked), dtype=np.uint64)
    return hand_made.queries_of(schema, asked, np.full(len(asked), 1 - target), seeds)


ASKED = ROWS[health(ROWS) < 0][:25]
