"""What a classifier is retrained on: the rows that scarcity left, and what an arm makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.augmentation.scarcity import Scarcity, retained
from sensecf_bench.errors import BenchError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.queries import Classes
    from sensecf_bench.schema import FeatureSchema, Matrix


class Impossible(BenchError):  # noqa: N818
    """An arm cannot be carried out on these rows: the `reason` is shown in its place, and nothing else stops."""

    @property
    def reason(self) -> str:
        return self.message


@dataclass(frozen=True, eq=False)
class Material:
    """Rows to train on, `(n, d)`, with their classes and, where they do not all count alike, their weights, `(n,)`."""

    schema: FeatureSchema
    rows: Matrix
    labels: Classes
    weights: Matrix | None = None


@dataclass(frozen=True, eq=False)
class Reduced:
    """The training rows that scarcity left, `(n, d)`, and for each depleted class how many rows are to be filled up.

    The schema's scales are frozen from these rows alone: nothing here knows anything of a row that was taken away.
    """

    schema: FeatureSchema
    rows: Matrix
    labels: Classes
    missing: Mapping[int, int]
    seed: int

    @classmethod
    def of(
        cls,
        schema: FeatureSchema,
        matrix: Matrix,
        labels: Classes,
        train: NDArray[np.intp],
        scarcity: Scarcity,
        undesired: int,
        seed: int,
    ) -> Reduced:
        """Reduce the rows `train` of a whole table, `(n, d)` with classes `(n,)`.

        Raises Impossible where no row of some class is left.
        """
        kept = retained(labels, train, scarcity, undesired, seed)
        before, after = (np.bincount(labels[positions], minlength=2) for positions in (train, kept))
        for c in (0, 1):
            if not after[c]:
                raise Impossible(f"{scarcity.label} leaves no training row of class {c} (of {before[c]})")
        missing = {c: int(before[c] - after[c]) for c in scarcity.depleted(undesired)}
        return cls(schema.with_scales(matrix[kept]), matrix[kept], labels[kept], missing, seed)

    def of_class(self, c: int) -> Matrix:
        """The retained rows of one class, in their order."""
        rows: Matrix = self.rows[self.labels == c]
        return rows

    @property
    def as_is(self) -> Material:
        """The retained rows and nothing else."""
        return Material(self.schema, self.rows, self.labels)

    def with_rows(self, rows: Matrix, labels: Classes) -> Material:
        """The retained rows, and after them others, `(m, d)` with classes `(m,)`."""
        return Material(self.schema, np.vstack([self.rows, rows]), np.concatenate([self.labels, labels]))
