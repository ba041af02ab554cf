"""For how many of those who asked there is an answer at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.contracts import MeanMetric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.judged import Judged
    from sensecf_bench.schema import Matrix


class Coverage(MeanMetric):
    """Share of all queries with an admitted counterfactual, valid or not.

    |{i : query i has an admitted row}| / |{i : asked}|. Read it beside every metric that speaks of returned rows only:
    those are computed over the queries counted here.
    """

    name = "coverage"
    direction = "higher"
    unit = "share"
    is_share = True

    def values(self, judged: Judged) -> Matrix:
        return judged.found.astype(np.float64)

    def eligible(self, judged: Judged) -> NDArray[np.bool_]:
        return np.ones(len(judged), dtype=bool)
