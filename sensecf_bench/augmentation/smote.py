"""Synthetic rows between neighbours of one class, as imbalanced-learn makes them, in units that people write.

Chawla, Bowyer, Hall and Kegelmeyer 2002: SMOTE for features with an order, SMOTENC where some have none, SMOTEN where
none has one.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.augmentation.material import Impossible

if TYPE_CHECKING:
    from sensecf_bench.augmentation.material import Reduced
    from sensecf_bench.schema import FeatureSchema, Matrix

NEIGHBOURS = 5


def smote(reduced: Reduced, c: int, missing: int) -> Matrix:
    """As many synthetic rows of a class as are missing, `(missing, d)`, from its 5 nearest neighbours, or all there are.

    Neighbours are sought with ordered features in standard deviations of the retained rows, so that no unit outweighs
    the others; what lies between two rows does not hang on it. Values are rounded to the schema's precision and whole
    numbers and levels, within the range of the retained rows. Raises Impossible for a class of a single row.
    """
    n = int((reduced.labels == c).sum())
    if n < 2:
        raise Impossible(f"SMOTE needs two training rows of a class to put rows between, and class {c} has {n}")
    ordered = ~reduced.schema.nominal
    scale = np.ones(len(reduced.schema))
    scale[ordered] = reduced.rows[:, ordered].std(axis=0)
    scale[scale < np.finfo(np.float64).tiny] = 1.0
    sampler = _sampler(reduced.schema, {c: n + missing}, min(NEIGHBOURS, n - 1), reduced.seed)
    rows, _ = sampler.fit_resample(reduced.rows / scale, reduced.labels)
    return _as_people_write(reduced, np.asarray(rows[len(reduced.rows) :], dtype=np.float64) * scale)


def _sampler(schema: FeatureSchema, wanted: dict[int, int], neighbours: int, seed: int) -> Any:
    from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC

    settings = {"sampling_strategy": wanted, "k_neighbors": neighbours, "random_state": seed}
    if schema.nominal.all():
        return SMOTEN(**settings)
    if schema.nominal.any():
        return SMOTENC(np.flatnonzero(schema.nominal).tolist(), **settings)
    return SMOTE(**settings)


def _as_people_write(reduced: Reduced, rows: Matrix) -> Matrix:
    low, high = reduced.rows.min(axis=0), reduced.rows.max(axis=0)
    for j, step in enumerate(reduced.schema.steps):
        if step > 0:
            rows[:, j] = np.round(np.rint(rows[:, j] / step) * step, _decimals(step))
    return np.clip(rows, low, high)


def _decimals(step: float) -> int:
    """After how many decimals a multiple of the step ends, so that 3 · 0.1 is 0.3."""
    exponent = Decimal(repr(float(step))).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
