"""How many features a counterfactual changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.metrics.rowwise import RowMetric, factuals_of

if TYPE_CHECKING:
    from sensecf_bench.judged import Judged
    from sensecf_bench.schema import Matrix


class Sparsity(RowMetric):
    """Number of features changed per counterfactual, each at its precision.

    Σⱼ 1(x*ⱼ ≠ xⱼ), where ≠ means at least half of the feature's smallest meaningful step apart; a categorical feature
    counts once and never once per one-hot column (Mothilal, Sharma and Tan 2020 count the same, and report 1 − share).
    """

    name = "sparsity"
    direction = "lower"
    unit = "features"

    def of_rows(self, judged: Judged, part: slice) -> Matrix:
        changed = judged.schema.changed(judged.rows[part], factuals_of(judged, part))
        return np.asarray(changed.sum(axis=1), dtype=np.float64)


class SparsityShare(RowMetric):
    """Share of the features that a counterfactual changes, each at its precision.

    Sparsity divided by the number of features, so that tables of different width can stand side by side.
    """

    name = "sparsity-share"
    direction = "lower"
    unit = "share"
    is_share = True

    def of_rows(self, judged: Judged, part: slice) -> Matrix:
        changed = judged.schema.changed(judged.rows[part], factuals_of(judged, part))
        return np.asarray(changed.mean(axis=1), dtype=np.float64)
