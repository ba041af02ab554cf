"""How unlike the training rows a row is: the error of rebuilding it from their principal components.

NICE asks for an auto-encoder's reconstruction error and brings none. Principal components are the linear auto-encoder
(Bourlard, Kamp 1988); they need no training loop and no library beyond numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench import FeatureSchema

    Matrix = NDArray[np.float64]

BLOCK_CELLS = 1 << 16


@dataclass(frozen=True, eq=False)
class ReconstructionError:
    """Squared length of what the kept components cannot express, over the schema's embedding of `e` coordinates.

    `discarded`, `(c, e)`, holds the orthonormal components that were not kept, `mean`, `(e,)`, the training mean.
    """

    schema: FeatureSchema
    mean: Matrix
    discarded: Matrix

    @classmethod
    def of(cls, schema: FeatureSchema, training_rows: Matrix, variance_kept: float) -> ReconstructionError:
        """Keep as few components of the training rows, `(n, d)`, as hold that share of their variance.

        At least one component is discarded, or every row would be rebuilt without error.
        """
        embedded = schema.embed(training_rows)
        mean = embedded.mean(axis=0)
        centred = embedded - mean
        variance, components = np.linalg.eigh(centred.T @ centred)  # ascending
        share_discarded = np.cumsum(variance) / max(float(variance.sum()), np.finfo(np.float64).tiny)
        n_discarded = max(1, int((share_discarded <= 1 - variance_kept).sum()))
        return cls(schema, mean, np.ascontiguousarray(components.T[:n_discarded]))

    def __call__(self, rows: Matrix) -> Matrix:
        """The error of each row, `(n,)` from `(n, d)`.

        Sums are taken row by row and not by a matrix product, whose last bits depend on how many rows it is given:
        an answer must not depend on the queries it travels with.
        """
        centred = np.ascontiguousarray(self.schema.embed(rows) - self.mean)
        errors = np.empty(len(rows))
        step = max(1, BLOCK_CELLS // self.discarded.size)
        for i in range(0, len(rows), step):
            lost = (centred[i : i + step, None] * self.discarded).sum(axis=2)
            errors[i : i + step] = (lost * lost).sum(axis=1)
        return errors
