"""Small tables in which rows are scarce, and classifiers simple enough to say beforehand what they will learn."""

import numpy as np

from sensecf_bench.augmentation.material import Reduced
from sensecf_bench.augmentation.scarcity import Scarcity
from sensecf_bench.contracts import Classifier, Feature, FeatureSchema

NUMBERS = (Feature(name="glucose", kind="continuous"), Feature(name="sleep", kind="continuous"))
LEVELS = (
    Feature(name="sex", kind="binary", levels=("f", "m")),
    Feature(name="drug", kind="categorical", levels=("a", "b", "c")),
)
ALL_KINDS = (
    Feature(name="glucose", kind="continuous", precision=0.1),
    Feature(name="steps", kind="integer"),
    Feature(name="stage", kind="ordinal", levels=("I", "II", "III", "IV")),
    *LEVELS,
)
TABLES = {"numbers": NUMBERS, "levels": LEVELS, "mixed": ALL_KINDS}


def table(features=NUMBERS, n=60, seed=5):
    """A schema, rows and classes, half of them positive; features drift apart a little with the class."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.array([0, 1]), n // 2)
    columns = []
    for f in features:
        if f.kind == "continuous":
            column = rng.normal(100, 10, n) + 8 * labels
            columns.append(column if f.precision is None else np.round(column, 1))
        elif f.kind == "integer":
            columns.append(rng.integers(0, 5000, n) + 1500.0 * labels)
        else:
            columns.append(np.minimum(rng.integers(0, len(f.levels), n) + labels, len(f.levels) - 1.0))
    rows = np.column_stack(columns)
    return FeatureSchema(tuple(features)).with_scales(rows), rows, labels


def scarce(features=NUMBERS, scenario="A", reduction=0.5, n=60, seed=0):
    schema, rows, labels = table(features, n)
    return Reduced.of(schema, rows, labels, np.arange(n), Scarcity(scenario, reduction), 1, seed)


def small(rows, labels, missing, features=NUMBERS, seed=0):
    """Retained rows written down by hand."""
    rows = np.asarray(rows, dtype=float)
    schema = FeatureSchema(tuple(features)).with_scales(rows)
    return Reduced(schema, rows, np.asarray(labels, dtype=np.int64), missing, seed)


class Logistic(Classifier):
    """Logistic regression, whose loss is a weighted sum over rows and nothing else: no scaling, no folds, no draws."""

    name = "logistic"
    weighted = True

    def fit(self, schema, rows, labels, seed):
        self.fit_weighted(schema, rows, labels, None, seed)

    def fit_weighted(self, schema, rows, labels, weights, seed):
        from sklearn.linear_model import LogisticRegression

        # The unit is that of the table, not of the rows at hand: how a row counts must not move the others.
        self.model = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit((rows - 100) / 10, labels, weights)

    def predict_proba(self, rows):
        return self.model.predict_proba((rows - 100) / 10)


class Nearest(Classifier):
    """The class of the nearest training row: the order of the rows is no matter, and it remembers all of them."""

    name = "nearest"

    def fit(self, schema, rows, labels, seed):
        self.rows, self.labels = rows, labels

    def predict_proba(self, rows):
        gaps = np.abs(rows[:, None] - self.rows[None]).sum(axis=2)
        positive = self.labels[gaps.argmin(axis=1)].astype(float)
        return np.column_stack([1 - positive, positive])
