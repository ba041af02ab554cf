"""Whether a counterfactual is a training row handed on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.metrics.rowwise import RowMetric, fitted
from sensecf_bench.schema import RELATIVE_SLACK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.judged import Judged
    from sensecf_bench.schema import FeatureSchema, Matrix


class Copying(RowMetric):
    """Share of counterfactuals that equal a training row, every feature at its precision.

    1(there is a training row t that differs from x* in no feature), "differs" as in sparsity. No direction: a copied row
    is a real person's and may be the best advice there is, but it meets every plausibility check by construction, adds
    nothing to training data, and hands on a patient's record. It tells how to read the other columns.
    """

    name = "copying"
    direction = "none"
    unit = "share"
    is_share = True

    def of_rows(self, judged: Judged, part: slice) -> NDArray[np.bool_]:
        schema, training = judged.schema, judged.reference.rows
        tolerance = _tolerance(schema, training)
        tree = fitted(judged.reference, "copying", lambda: _tree(training / tolerance))
        rows = judged.rows[part]
        copied = np.zeros(len(rows), dtype=bool)
        _, nearest = tree.query(rows / tolerance, p=np.inf, distance_upper_bound=1.0)
        near = np.flatnonzero(nearest < len(training))
        copied[near] = ~schema.changed(rows[near], training[nearest[near]]).any(axis=1)
        return copied


def _tolerance(schema: FeatureSchema, training: Matrix) -> Matrix:
    """The difference at which a value counts as changed, shape `(d,)`. In these units a copy is a training row within
    Chebyshev distance 1, which a tree finds without comparing all pairs; rounding to a grid would part values that lie
    close to each other on two sides of a grid line."""
    noise = RELATIVE_SLACK * np.maximum(1.0, np.abs(training).max(axis=0, initial=0.0))
    least: Matrix = np.where(schema.steps > 0, 0.5 * schema.steps, noise)
    return least


def _tree(points: Matrix) -> Any:
    from scipy.spatial import KDTree

    return KDTree(points)
