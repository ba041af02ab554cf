"""Bootstrap resamples of clusters, as totals: linear in the number of queries, and flat in memory.

Drawing G of G clusters with replacement gives them multinomial counts. Those are drawn block by block, first how many
draws fall into a block and then which clusters they hit, which is the same distribution: each block of sums is read
once, stays in the processor's cache, and no table of resamples × clusters ever exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from sensecf_bench.schema import Matrix

BLOCK = 8192  # clusters; part of what a seed means, so a change of it changes every interval in its last digits


@dataclass(frozen=True, eq=False)
class Clusters:
    """Which queries belong together. Clusters are in the order of their labels, so the order of queries is no matter."""

    code: NDArray[np.intp]  # (n,) cluster of each query
    by_cluster: NDArray[np.intp]  # (n,) positions of the queries, cluster after cluster
    starts: NDArray[np.intp]  # (G + 1,) where each cluster begins in `by_cluster`

    @classmethod
    def of(cls, labels: ArrayLike) -> Clusters:
        _, code = np.unique(np.asarray(labels), return_inverse=True)
        code = code.astype(np.intp)
        starts = np.concatenate([[0], np.cumsum(np.bincount(code))]).astype(np.intp)
        return cls(code, np.argsort(code, kind="stable"), starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def count(self, queries: NDArray[np.bool_]) -> int:
        """How many clusters have one of these queries."""
        return len(np.unique(self.code[queries]))

    def resampled_totals(self, parts: Sequence[Matrix], seed: int, resamples: int, at_once: int = 256) -> list[Matrix]:
        """Totals of shape `(resamples, m)` for each of the parts of shape `(n, m)`, all under the same weights.

        `at_once` bounds the working memory and changes nothing but rounding.
        """
        widths = [p.shape[1] for p in parts]
        totals = np.zeros((resamples, sum(widths)))
        if parts and resamples and len(self):
            rng = np.random.default_rng(seed)
            draws = self._draws_per_block(rng, resamples)
            for block in range(draws.shape[1]):
                sums = self._block_sums(parts, block * BLOCK)
                for start in range(0, resamples, at_once):
                    weights = _weights(rng, draws[start : start + at_once, block], len(sums))
                    totals[start : start + at_once] += weights @ sums
        edges = np.cumsum([0, *widths])
        return [totals[:, a:b] for a, b in pairwise(edges.tolist())]

    def _draws_per_block(self, rng: np.random.Generator, resamples: int) -> NDArray[np.int64]:
        sizes = np.diff(np.append(np.arange(0, len(self), BLOCK), len(self)))
        draws: NDArray[np.int64] = rng.multinomial(len(self), sizes / len(self), size=resamples)
        return draws

    def _block_sums(self, parts: Sequence[Matrix], first: int) -> Matrix:
        """Sums of the clusters from `first` on, a column for each part of each metric, at most `BLOCK` rows."""
        edges = self.starts[first : first + BLOCK + 1]
        queries = self.by_cluster[edges[0] : edges[-1]]
        return np.hstack([np.add.reduceat(p[queries], edges[:-1] - edges[0], axis=0) for p in parts])


def _weights(rng: np.random.Generator, draws: NDArray[np.int64], clusters: int) -> Matrix:
    """How often each cluster is drawn, shape `(len(draws), clusters)`, for that many draws in each resample."""
    resample = np.repeat(np.arange(len(draws)) * clusters, draws)
    hits = resample + rng.integers(0, clusters, size=len(resample))
    counts = np.bincount(hits, minlength=len(draws) * clusters).reshape(len(draws), clusters)
    return counts.astype(np.float64)
