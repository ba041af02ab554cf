"""The table that generators and classifiers are tried on: small, made by hand, easy, with all five kinds of feature.

Nothing here needs scikit-learn, so that a check costs little more than what is checked.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.contracts import Classifier, Dataset, Feature, FeatureSchema, Split, Table, classes_of
from sensecf_bench.engine.context import Explained, prepare_data
from sensecf_bench.testing.local import Setting

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.queries import Classes
    from sensecf_bench.schema import Matrix

ROWS = 100
QUERIES = 6
SEED = 0
NAP = 0.02  # what a prediction of the slow rule takes

FEATURES = (
    Feature(name="glucose", kind="continuous", unit="mg/dL", bounds=(40, 400), precision=0.1),
    Feature(name="bmi", kind="continuous", unit="kg/m²", bounds=(12, 60), precision=0.1),
    Feature(name="age", kind="integer", unit="years", bounds=(18, 100), direction="increase"),
    Feature(name="visits", kind="integer", bounds=(0, 20)),
    Feature(name="smoker", kind="binary", levels=("no", "yes"), direction="decrease"),
    Feature(name="activity", kind="ordinal", levels=("low", "medium", "high")),
    Feature(name="site", kind="categorical", levels=("north", "south", "west"), mutable=False),
    Feature(name="diet", kind="categorical", levels=("mixed", "plants", "fast food", "other")),
)
WEIGHTS = np.array([0.06, 0.25, 0.01, 0.05, 0.4, -0.5, 0.0, 0.0])
CENTRE = np.array([122.0, 27.5, 50.0, 6.0, 0.5, 1.0, 0.0, 0.0])
OF_DIET = np.array([0.0, -0.2, 0.3, 0.1])


class EasyTable(Dataset):
    """A hundred made-up people, half of them at risk, told apart by glucose and body mass index."""

    name = "easy-table"

    def load(self) -> Table:
        schema, matrix, outcome = FeatureSchema(FEATURES), *people()
        return Table(
            name=self.name,
            schema=schema,
            frame=schema.decode(matrix),
            outcome=outcome,
            ids=tuple(f"person-{i:02d}" for i in range(len(matrix))),
            classes=("well", "at risk"),
            undesired=1,
        )

    def split(self, table: Table, seed: int) -> Split:
        order = np.random.default_rng(seed).permutation(len(table.outcome))
        return Split(*(np.sort(part) for part in np.split(order, [ROWS * 6 // 10, ROWS * 7 // 10])))


class FrozenTable(EasyTable):
    """The same people, of whom nothing may change."""

    name = "frozen-table"

    def load(self) -> Table:
        table = super().load()
        features = tuple(f.model_copy(update={"mutable": False, "direction": "any"}) for f in FEATURES)
        return replace(table, schema=FeatureSchema(features))


class GuardedTable(EasyTable):
    """The same people, who cannot change what would be easiest, so that a method blind to rules breaks one."""

    name = "guarded-table"

    def load(self) -> Table:
        table = super().load()
        guarded: dict[str, dict[str, object]] = {"glucose": {"mutable": False}, "bmi": {"direction": "increase"}}
        features = tuple(f.model_copy(update=guarded.get(f.name, {})) for f in FEATURES)
        return replace(table, schema=FeatureSchema(features))


class Rule(Classifier):
    """A logistic rule with weights written down beforehand."""

    name = "rule"
    differentiable = True

    def fit(self, schema: FeatureSchema, rows: Matrix, labels: Classes, seed: int) -> None:
        pass

    def predict_proba(self, rows: Matrix) -> Matrix:
        # Sums run along each row, so that a row gets the same last bit alone and among others.
        logit = ((rows - CENTRE) * WEIGHTS).sum(axis=1) + OF_DIET[rows[:, -1].astype(np.intp)]
        at_risk = 1.0 / (1.0 + np.exp(-logit))
        return np.column_stack([1.0 - at_risk, at_risk])

    def gradient(self, rows: Matrix) -> Matrix:
        slope: Matrix = self.predict_proba(rows).prod(axis=1)[:, None] * WEIGHTS
        return slope


class Stubborn(Rule):
    """Puts everybody at risk whatever they do."""

    name = "stubborn"

    def predict_proba(self, rows: Matrix) -> Matrix:
        return np.tile([0.1, 0.9], (len(rows), 1))

    def gradient(self, rows: Matrix) -> Matrix:
        return np.zeros(rows.shape)


class Slow(Rule):
    """Takes its time over each call."""

    name = "slow"

    def predict_proba(self, rows: Matrix) -> Matrix:
        time.sleep(NAP)
        return super().predict_proba(rows)


def people() -> tuple[Matrix, NDArray[np.int64]]:
    """Rows in internal coding and who is at risk, `(n, d)` and `(n,)`; always the same."""
    rng = np.random.default_rng(20)
    risk = (np.arange(ROWS) % 2).astype(np.int64)
    rows = np.column_stack(
        [
            np.round(np.where(risk, rng.uniform(130, 175, ROWS), rng.uniform(80, 112, ROWS)), 1),
            np.round(np.where(risk, rng.uniform(28, 36, ROWS), rng.uniform(20, 27, ROWS)), 1),
            rng.integers(30, 71, ROWS),
            rng.integers(0, 13, ROWS),
            rng.random(ROWS) < np.where(risk, 0.7, 0.2),
            np.where(risk, rng.integers(0, 2, ROWS), rng.integers(1, 3, ROWS)),
            rng.integers(0, 3, ROWS),
            rng.integers(0, 4, ROWS),
        ]
    )
    return rows.astype(np.float64), risk


@cache
def setting(dataset: type[Dataset] = EasyTable, classifier: type[Classifier] = Rule) -> Setting:
    """Six people at risk, to be explained by a classifier; computed once."""
    data = prepare_data(dataset(), SEED)
    model = classifier()
    model.fit(data.schema, data.matrix[data.train], data.labels[data.train], SEED)
    predicted = classes_of(model.predict_proba(data.matrix[data.test]))
    explained = Explained(data, model.name, model, predicted, {})
    return Setting(explained, explained.queries(QUERIES))
