"""How different the answers to one question are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.contracts import MeanMetric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.judged import Judged
    from sensecf_bench.schema import Matrix


class Diversity(MeanMetric):
    """Mean pairwise Gower distance among the counterfactuals of a query with two or more.

    2 / (m(m − 1)) Σ_{a<b} distance(x*ₐ, x*_b) over the m admitted rows of a query, then the mean over queries with m ≥ 2
    (Mothilal, Sharma and Tan 2020).
    """

    name = "diversity"
    direction = "higher"
    unit = "Gower distance"

    def values(self, judged: Judged) -> Matrix:
        by_query = np.argsort(judged.owner, kind="stable")
        owner = judged.owner[by_query]
        totals = np.zeros(len(judged))
        # Rows of a query stand together, so its pairs are the rows 1, 2, ... places apart: no table of all pairs.
        for apart in range(1, int(judged.rows_per_query.max(initial=0))):
            first = np.flatnonzero(owner[:-apart] == owner[apart:])
            gaps = np.empty(len(first))
            for start in range(0, len(first), 50_000):
                some = first[start : start + 50_000]
                pairs = judged.schema.gaps(judged.rows[by_query[some]], judged.rows[by_query[some + apart]])
                gaps[start : start + 50_000] = pairs.mean(axis=1)
            totals += np.bincount(owner[first], weights=gaps, minlength=len(judged))
        rows = judged.rows_per_query
        values = np.full(len(judged), np.nan)
        np.divide(totals, rows * (rows - 1) / 2, out=values, where=rows > 1)
        return values

    def eligible(self, judged: Judged) -> NDArray[np.bool_]:
        return np.asarray(judged.rows_per_query > 1, dtype=bool)
