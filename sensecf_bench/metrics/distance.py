"""How far a counterfactual is from the person who asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.metrics.rowwise import RowMetric, factuals_of

if TYPE_CHECKING:
    from sensecf_bench.judged import Judged
    from sensecf_bench.schema import Matrix


class Distance(RowMetric):
    """Gower distance between counterfactual and factual: mean over features of the range-scaled difference.

    (1/d) Σⱼ δⱼ with δⱼ = |x*ⱼ − xⱼ| / range of feature j in the training rows for numbers, rank difference over the
    number of steps for ordered levels, 0 or 1 for unordered levels (Gower 1971, "A general coefficient of similarity").
    Within the training range it lies in [0, 1]; beyond it, it may be more.
    """

    name = "distance"
    direction = "lower"
    unit = "Gower distance"

    def of_rows(self, judged: Judged, part: slice) -> Matrix:
        mean: Matrix = judged.schema.gaps(judged.rows[part], factuals_of(judged, part)).mean(axis=1)
        return mean


class DistanceL2(RowMetric):
    """Euclidean distance between counterfactual and factual after min-max scaling; not squared, not averaged.

    √(Σⱼ δⱼ²) with the differences δⱼ of `distance`: min-max scaled by the training range, 0 or 1 for unordered levels.
    """

    name = "distance-l2"
    direction = "lower"
    unit = "L2 of min-max scaled differences"

    def of_rows(self, judged: Judged, part: slice) -> Matrix:
        gaps = judged.schema.gaps(judged.rows[part], factuals_of(judged, part))
        length: Matrix = np.sqrt(np.einsum("ij,ij->i", gaps, gaps))
        return length
