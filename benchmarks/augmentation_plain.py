"""The plain side of augmentation.py: the grid of scarcity as one loop in one process, with nothing kept between turns.

For every scenario, reduction, seed and classifier anew: the split, the classifier on all rows and on those that are left,
the reference classifier, the counterfactuals of every generator, the controls, and the classifier on each of these.
Models are scikit-learn's and xgboost's own, in pipelines with the harness's settings. What decides which numbers come out
is the harness's: the table and its split, who is taken away and who is asked, controls, the generators' classes, and
what differs by rounding alone.
Nothing is checked, stored or kept apart from the generators. Reads its settings from one file and writes scores to another.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.augmentation.controls import CONTROLS
from sensecf_bench.augmentation.material import Impossible, Reduced
from sensecf_bench.augmentation.scarcity import Scarcity, Scenario, retained
from sensecf_bench.contracts import Dataset, Generator, Table, settled
from sensecf_bench.queries import QueryBatch, query_seed
from sensecf_bench.registry import discover
from sensecf_bench.schema import QUERY_ID, FeatureSchema
from sensecf_bench.testing.hand_made import task_of

if TYPE_CHECKING:
    from sensecf_bench.queries import Classes
    from sensecf_bench.schema import Matrix

SENTINELS = ("identity", "random-opposite", "nearest-opposite")
REFERENCE = "svm"


@dataclass(frozen=True)
class Grid:
    """What is looped over; `nicex` is the folder of NICEx's package, which then stands in for the generator."""

    generator: str
    dataset: str
    options: dict[str, Any]  # of the dataset
    scenarios: Sequence[Scenario]
    reductions: Sequence[float]
    seeds: Sequence[int]
    classifiers: Sequence[str]
    nicex: str = ""

    @property
    def rounds(self) -> Iterator[tuple[Scenario, float, int, str]]:
        for scenario in self.scenarios:
            for reduction in self.reductions:
                for seed in self.seeds:
                    for classifier in self.classifiers:
                        yield scenario, reduction, seed, classifier


# -- models ------------------------------------------------------------------------------------------------------------
def estimator(classifier: str, labels: Classes, seed: int) -> Any:
    if classifier == "svm":
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.model_selection import StratifiedKFold
        from sklearn.svm import SVC

        folds = StratifiedKFold(min(5, int(np.bincount(labels).min())), shuffle=True, random_state=seed)
        return CalibratedClassifierCV(SVC(), method="sigmoid", cv=folds, ensemble=False)
    if classifier == "random-forest":
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(100, random_state=seed, n_jobs=1)
    if classifier == "xgboost":
        from xgboost import XGBClassifier

        return XGBClassifier(
            n_estimators=100, max_depth=6, learning_rate=0.3, tree_method="hist", random_state=seed, n_jobs=1
        )
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier((64, 32), alpha=1e-2, max_iter=1000, random_state=seed)


def pipeline(classifier: str, schema: FeatureSchema, labels: Classes, seed: int) -> Any:
    """Numbers first, standardised for a smooth model; then unordered levels, one-hot where there are more than two."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = StandardScaler() if classifier in ("svm", "mlp") else "passthrough"
    nominal = np.flatnonzero(schema.nominal)
    levels = [np.arange(len(schema.features[j].levels), dtype=np.float64) for j in nominal]
    one_hot = OneHotEncoder(categories=levels, drop="if_binary", sparse_output=False)
    coding = ColumnTransformer([("numbers", numbers, np.flatnonzero(~schema.nominal)), ("levels", one_hot, nominal)])
    return Pipeline([("coding", coding), ("model", estimator(classifier, labels, seed))])


def fitted(
    classifier: str, schema: FeatureSchema, rows: Matrix, labels: Classes, seed: int, weights: Matrix | None = None
) -> Any:
    weighing = {} if weights is None or (weights == 1).all() else {"model__sample_weight": weights}
    return pipeline(classifier, schema, labels, seed).fit(rows, labels, **weighing)


def scores(truth: Any, probability: Matrix) -> dict[str, float]:
    from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score, roc_auc_score

    called = probability > 0.5
    return {
        "accuracy": float(accuracy_score(truth, called)),
        "precision": float(precision_score(truth, called, zero_division=0)),
        "recall": float(recall_score(truth, called, zero_division=0)),
        "f1": float(f1_score(truth, called, zero_division=0)),
        "auc": float(roc_auc_score(truth, settled(probability))),
    }


# -- counterfactuals ---------------------------------------------------------------------------------------------------
def counterfactuals(
    cls: type[Generator], reference: Any, reduced: Reduced, ids: Sequence[str], fills: int
) -> tuple[Matrix, Classes]:
    """Rows of class `fills` made from the retained rows of the other one: those that the reference classifier believes."""

    def predict_proba(rows: Matrix) -> Matrix:
        return np.asarray(reference.predict_proba(rows), dtype=np.float64)

    said = predict_proba(reduced.rows).argmax(axis=1)
    willing = np.flatnonzero((reduced.labels != fills) & (said != fills))
    seeds = np.array([query_seed(reduced.seed, ids[int(i)]) for i in willing], dtype=np.uint64)
    first = np.argsort(seeds, kind="stable")[: reduced.missing[fills]]
    asked = willing[first]
    nothing = np.empty((0, len(reduced.schema))), np.empty(0, dtype=np.int64)
    if not len(asked):
        return nothing
    generator = cls()
    generator.fit(task_of(reduced.schema, reduced.rows, reduced.labels, predict_proba, target=fills, seed=reduced.seed))
    current, target = np.full(len(asked), 1 - fills), np.full(len(asked), fills)
    names = tuple(ids[int(i)] for i in asked)
    answer: Any = generator.generate(
        QueryBatch(reduced.schema, names, reduced.rows[asked], current, target, seeds[first])
    )
    if answer is None or not len(answer):
        return nothing
    rows = reduced.schema.encode(answer.drop(columns=QUERY_ID))
    rows = rows[predict_proba(rows).argmax(axis=1) == fills]
    return rows, np.full(len(rows), fills)


# -- the loop ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Whole:
    """A table that has been read, `(n, d)`."""

    dataset: Dataset
    table: Table
    matrix: Matrix

    @classmethod
    def of(cls, made: type[Dataset], options: dict[str, Any]) -> Whole:
        dataset = made(made.Options.model_validate(options))
        table = dataset.load()
        return cls(dataset, table, table.schema.encode(table.frame))

    def arms(
        self, scarcity: Scarcity, seed: int, classifier: str, generators: dict[str, type[Generator]]
    ) -> Iterator[tuple[str, dict[str, float]]]:
        """Every arm that adds something, with its scores on the test rows."""
        table, matrix = self.table, self.matrix
        split = self.dataset.split(table, seed)
        labels = self.dataset.labels(table, split.train)
        truth = labels[split.test] == table.undesired

        def scored(rows: Matrix, classes: Classes, weights: Matrix | None = None) -> dict[str, float]:
            model = fitted(classifier, table.schema, rows, classes, seed, weights)
            return scores(truth, model.predict_proba(matrix[split.test])[:, table.undesired])

        yield "full", scored(matrix[split.train], labels[split.train])
        reduced = Reduced.of(table.schema, matrix, labels, split.train, scarcity, table.undesired, seed)
        yield "reduced", scored(reduced.rows, reduced.labels)
        for name, control in CONTROLS.items():
            try:
                material = control(reduced)
            except Impossible:
                continue
            yield name, scored(material.rows, material.labels, material.weights)
        reference = fitted(REFERENCE, table.schema, reduced.rows, reduced.labels, seed)
        kept = retained(labels, split.train, scarcity, table.undesired, seed)
        ids = [table.ids[i] for i in kept]
        positive_first = sorted(reduced.missing, key=lambda c: c != table.undesired)
        for name, cls in generators.items():
            parts = [counterfactuals(cls, reference, reduced, ids, c) for c in positive_first]
            material = reduced.with_rows(np.vstack([r for r, _ in parts]), np.concatenate([c for _, c in parts]))
            if len(material.rows) > len(reduced.rows):
                yield name, scored(material.rows, material.labels)


def nicex(folder: str) -> type[Generator]:
    """NICEx's own package behind the plugin `nice-reference`. It asks for an old pandas that it makes no use of, so it is
    taken by its folder and not from an environment."""
    spec = importlib.util.spec_from_file_location(
        "nice", Path(folder) / "__init__.py", submodule_search_locations=[folder]
    )
    if spec is None or spec.loader is None or not (Path(folder) / "__init__.py").exists():
        sys.exit(f"{folder} is not the folder of NICEx's package `nice`")
    sys.modules["nice"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return discover().generator("nice-reference")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    grid = Grid(**json.loads(given.settings.read_text()))
    warnings.simplefilter("ignore")  # of networks that have not converged
    registry = discover()
    generators = {name: registry.generator(name) for name in (grid.generator, *SENTINELS)}
    if grid.nicex:
        generators[grid.generator] = nicex(grid.nicex)
    whole, found = Whole.of(registry.dataset(grid.dataset), grid.options), []
    for scenario, reduction, seed, classifier in grid.rounds:
        where = {"scenario": scenario, "reduction": reduction, "seed": seed, "classifier": classifier}
        for arm, values in whole.arms(Scarcity(scenario, reduction), seed, classifier, generators):
            found.append({**where, "arm": arm, **values})
    given.out.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
