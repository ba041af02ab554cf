"""What a prompt may say about the data: the schema, the classes, and statistics of the training rows. No row is in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.schema import Feature, FeatureSchema, Mask, Matrix

    Classes = NDArray[np.int64]


@dataclass(frozen=True)
class Spread:
    """How a number is spread over the training rows; `typical` is its median in each class that there are rows of."""

    low: float
    lower_quartile: float
    upper_quartile: float
    high: float
    typical: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Shares:
    """How common each level is in the training rows; `typical` is the most common one in each class."""

    shares: tuple[float, ...]
    typical: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Described:
    """A feature and what the training rows say of it."""

    feature: Feature
    seen: Spread | Shares


@dataclass(frozen=True, eq=False)
class Brief:
    """Everything a prompt may say that is the same for all queries of a task.

    `rules` are constraints between features in words, one sentence each: the schema's own, then what else a plugin has
    to say. Prompts state them as data.
    """

    schema: FeatureSchema
    classes: tuple[str, str]
    target: int
    features: tuple[Described, ...]
    rules: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        schema: FeatureSchema,
        classes: tuple[str, str],
        target: int,
        train_matrix: Matrix,
        train_labels: Classes,
        rules: Sequence[str] = (),
    ) -> Brief:
        """Describe training rows of shape `(n, d)` in internal coding with their true classes of shape `(n,)`; `rules`
        are sentences beside the schema's constraints, which are stated without being asked for."""
        schema.frozen_scales()
        if not len(train_matrix):
            raise DataError("there are no training rows to describe", "give the generator some")
        present = [(name, train_labels == code) for code, name in enumerate(classes) if (train_labels == code).any()]
        described = [
            Described(f, _spread(column, present) if f.is_numeric else _shares(f, column, present))
            for f, column in zip(schema.features, train_matrix.T)
        ]
        constraints = (constraint.in_words() for constraint in schema.constraints)
        return cls(schema, classes, target, tuple(described), (*constraints, *rules))

    @property
    def wanted(self) -> str:
        """The name of the class people want to be in."""
        return self.classes[self.target]

    @property
    def unwanted(self) -> str:
        return self.classes[1 - self.target]


def _spread(column: Matrix, present: Sequence[tuple[str, Mask]]) -> Spread:
    low, lower, upper, high = (float(q) for q in np.quantile(column, [0.0, 0.25, 0.75, 1.0]))
    return Spread(low, lower, upper, high, tuple((name, float(np.median(column[rows]))) for name, rows in present))


def _shares(feature: Feature, column: Matrix, present: Sequence[tuple[str, Mask]]) -> Shares:
    def counted(codes: Matrix) -> NDArray[np.intp]:
        return np.bincount(codes.astype(np.intp), minlength=len(feature.levels))

    shares = counted(column) / len(column)
    common = [(name, feature.levels[int(np.argmax(counted(column[rows])))]) for name, rows in present]
    return Shares(tuple(float(share) for share in shares), tuple(common))
