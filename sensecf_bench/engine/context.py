"""What cells share: a dataset split under one seed, and a classifier fitted on its training rows.

Everything here is a function of (dataset, classifier, seed), so any process can rebuild it and get the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.contracts import Classifier, Dataset, FeatureSchema, Generator, Table, Task, classes_of, settled
from sensecf_bench.engine.restricted import by_position, why_restricted
from sensecf_bench.errors import DataError, SchemaError
from sensecf_bench.queries import QueryBatch, query_seed

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from sensecf_bench.queries import Classes
    from sensecf_bench.schema import Matrix


@dataclass(frozen=True, eq=False)
class Data:
    """One table, split and labelled under one seed, as internal matrices; `schema` has its scales frozen."""

    table: Table
    schema: FeatureSchema
    seed: int
    ids: tuple[str, ...]
    matrix: Matrix  # (n, d), all rows
    labels: Classes  # (n,)
    train: NDArray[np.intp]
    validation: NDArray[np.intp]
    test: NDArray[np.intp]
    restricted: str = ""  # why the rows may not be passed on

    @property
    def target(self) -> int:
        """The class people want to be in."""
        return 1 - self.table.undesired

    def queries_about(self, rows: NDArray[np.intp]) -> QueryBatch:
        """The people at these positions, from the undesired class into the other."""
        return QueryBatch(
            schema=self.schema,
            ids=tuple(self.ids[i] for i in rows),
            matrix=self.matrix[rows],
            current=np.full(len(rows), self.table.undesired, dtype=np.int64),
            target=np.full(len(rows), self.target, dtype=np.int64),
            seeds=np.array([query_seed(self.seed, self.ids[i]) for i in rows], dtype=np.uint64),
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 over schema, classes, rows, labels and split."""
        asked = [self.schema.fingerprint, self.table.name, *self.table.classes, str(self.table.undesired), *self.ids]
        digest = hashlib.sha256("\x1f".join(asked).encode())
        for array in (self.matrix, self.labels, self.train, self.validation, self.test):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def prepare_data(dataset: Dataset, seed: int) -> Data:
    """Load, check, split and label a table. Raises DataError or SchemaError naming the table and what is wrong; of a
    restricted table neither messages nor ids tell anything about a person."""
    restricted = why_restricted(dataset)
    table = dataset.load()
    try:
        matrix = table.schema.encode(table.frame, quote=not restricted)
    except SchemaError as error:
        raise SchemaError(f"dataset {table.name!r}: {error.message}", error.fix) from error
    split = _checked_split(dataset, table, seed)
    labels = dataset.labels(table, split.train)
    _refuse_one_class(table, labels, split.train)
    _refuse_constant(table, matrix, split.train)
    _refuse_impossible(table, matrix, quote=not restricted)
    schema = table.schema.with_scales(matrix[split.train])
    ids = by_position(len(table.ids)) if restricted else table.ids
    return Data(table, schema, seed, ids, matrix, labels, split.train, split.validation, split.test, restricted)


@dataclass(frozen=True, eq=False)
class Explained:
    """A classifier fitted on the training rows of `data`: the model that counterfactuals are asked for."""

    data: Data
    name: str
    model: Classifier
    test_classes: Classes  # what the model says of the test rows, in their order
    quality: Mapping[str, float]  # accuracy, f1, auc on the test rows; f1 of the undesired class

    def queries(self, limit: int | None = None) -> QueryBatch:
        """Test rows that the classifier puts in the undesired class, at most `limit`. The order depends on the seed alone,
        so that classifiers are asked about the same people as far as they agree."""
        data = self.data
        shuffled = np.random.default_rng(data.seed).permutation(len(data.test))
        asked = data.test[shuffled[self.test_classes[shuffled] == data.table.undesired]][:limit]
        return data.queries_about(asked)

    def task(
        self,
        generator: type[Generator],
        scratch: Path,
        *,
        k: int = 1,
        seconds_per_query: float = 30.0,
        predictor: Callable[[Matrix], Matrix] | None = None,
    ) -> Task:
        """The task a generator is given; predictions come from the model here unless another `predictor` is named."""
        data = self.data
        rows, labels = data.matrix[data.train], data.labels[data.train]
        rows.setflags(write=False)
        labels.setflags(write=False)
        return Task(
            schema=data.schema,
            classes=data.table.classes,
            target=data.target,
            seed=data.seed,
            k=k,
            seconds_per_query=seconds_per_query,
            scratch=scratch,
            access=generator.access,
            predictor=predictor or self.model.predict_proba,
            differentiator=self.model.gradient if self.model.differentiable else None,
            _train=rows,
            _train_labels=labels,
        )


def fit_classifier(data: Data, classifier: Classifier) -> Explained:
    """Fit on the training rows and measure on the test rows; AUC takes probabilities that agree to 12 digits for ties."""
    from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

    classifier.fit(data.schema, data.matrix[data.train], data.labels[data.train], data.seed)
    truth = data.labels[data.test]
    probabilities = classifier.predict_proba(data.matrix[data.test])
    predicted = classes_of(probabilities)
    two_classes = len(np.unique(truth)) == 2
    quality = {
        "accuracy": float(accuracy_score(truth, predicted)),
        "f1": float(f1_score(truth, predicted, pos_label=data.table.undesired, zero_division=0.0)),
        "auc": float(roc_auc_score(truth, settled(probabilities[:, 1]))) if two_classes else float("nan"),
        "test_rows": float(len(truth)),
    }
    return Explained(data, classifier.name, classifier, predicted, quality)


def _checked_split(dataset: Dataset, table: Table, seed: int) -> Any:
    if len(np.unique(table.outcome)) < 2:
        raise DataError(
            f"dataset {table.name!r} has rows of one class only: there is nothing to flip", "bring rows of both classes"
        )
    return dataset.split(table, seed)


def _refuse_one_class(table: Table, labels: Classes, train: NDArray[np.intp]) -> None:
    if len(np.unique(labels[train])) < 2:
        raise DataError(
            f"dataset {table.name!r}: the training rows hold one class only", "bring more rows of the other class"
        )


def _refuse_constant(table: Table, matrix: Matrix, train: NDArray[np.intp]) -> None:
    rows = matrix[train]
    constant = [f.name for f, same in zip(table.schema.features, (rows == rows[0]).all(axis=0), strict=True) if same]
    if constant:
        raise DataError(
            f"dataset {table.name!r}: constant in the training rows: {', '.join(constant[:5])}",
            "take the feature out of the schema: it has no range to measure distances with",
        )


def _refuse_impossible(table: Table, matrix: Matrix, *, quote: bool) -> None:
    for j, f in enumerate(table.schema.features):
        fractions = np.flatnonzero(matrix[:, j] != np.rint(matrix[:, j]))
        if f.kind == "integer" and len(fractions):
            first = int(fractions[0])
            raise SchemaError(
                f"dataset {table.name!r}: column {f.name!r}, row {first}: {matrix[first, j] if quote else 'what it holds'} is not a whole number "
                f"({len(fractions)} such rows)",
                "make the feature continuous, or correct the rows",
            )
    low, high = table.schema.hard_bounds
    outside = ((matrix < low) | (matrix > high)).sum(axis=0)
    for j in np.flatnonzero(outside)[:1]:
        f = table.schema.features[j]
        raise SchemaError(
            f"dataset {table.name!r}: {int(outside[j])} value(s) of {f.name!r} lie outside its hard bounds {list(f.bounds)}",
            "widen the bounds or correct the rows",
        )
    for constraint in table.schema.constraints:
        breaking = np.flatnonzero(table.schema.breaks(constraint, matrix))
        if len(breaking):
            i = int(breaking[0])
            values = ", ".join(f"{table.schema.names[j]}: {matrix[i, j]:g}" for j in table.schema.columns(constraint))
            first_of_them = f"{table.ids[i]!r} ({values})" if quote else f"row {i}"
            raise SchemaError(
                f"dataset {table.name!r}: {len(breaking)} row(s) break the constraint {constraint.name!r} "
                f"({constraint.in_words()}), the first of them {first_of_them}",
                "loosen the constraint or correct the rows: nobody can be asked to keep what the data do not",
            )
