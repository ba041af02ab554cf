"""Whether the explained classifier changes its mind: among all who asked, and among those who got an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.contracts import MeanMetric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.judged import Judged
    from sensecf_bench.schema import Matrix


class Validity(MeanMetric):
    """Share of all queries whose counterfactual the explained classifier puts in the target class.

    (1/n) Σᵢ mean over the admitted rows x* of query i of 1(f(x*) = target), and 0 for a query without an admitted row:
    silence, an unreadable answer and a crash all count against the method. f is the harness's own frozen classifier
    (Mothilal, Sharma and Tan 2020 for the ratio; the denominator is ours).
    """

    name = "validity"
    direction = "higher"
    unit = "share"
    is_share = True

    def values(self, judged: Judged) -> Matrix:
        return np.where(judged.found, judged.mean_over_rows(judged.flipped), 0.0)

    def eligible(self, judged: Judged) -> NDArray[np.bool_]:
        return np.ones(len(judged), dtype=bool)


class FlipRate(MeanMetric):
    """Share of returned counterfactuals that the explained classifier puts in the target class.

    As validity, over the queries with an admitted row only. A method that answers one query well scores 1 here, so it
    stands beside validity and never in its place.
    """

    name = "flip-rate"
    direction = "higher"
    unit = "share"
    is_share = True

    def values(self, judged: Judged) -> Matrix:
        return judged.mean_over_rows(judged.flipped)
