"""Whether a method always turns the same knob."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.contracts import Metric, Sums, ratio

if TYPE_CHECKING:
    from sensecf_bench.judged import Judged
    from sensecf_bench.schema import Matrix


class FeatureEntropy(Metric):
    """Normalised entropy of how often each feature is changed: 0 is always the same one, 1 is all alike.

    −Σⱼ pⱼ log pⱼ / log d with pⱼ the share of feature j among all changes (Shannon 1948). The totals themselves are how
    often each feature is changed. Neither end is better: a good method changes what matters. Undefined when nothing
    is changed, or with a single feature.
    """

    name = "feature-entropy"
    direction = "none"
    unit = "share of log d"

    def sums(self, judged: Judged) -> Sums:
        d = len(judged.schema)
        parts = np.zeros((len(judged), d))
        by_query = np.argsort(judged.owner, kind="stable")
        for part in judged.in_chunks():
            some = by_query[part]
            owner = judged.owner[some]
            i, j = np.nonzero(judged.schema.changed(judged.rows[some], judged.factuals[owner]))
            first, last = int(owner[0]), int(owner[-1]) + 1
            counts = np.bincount(
                (owner[i] - first) * d + j, weights=1.0 / judged.rows_per_query[owner[i]], minlength=(last - first) * d
            )
            parts[first:last] += counts.reshape(-1, d)
        return Sums(parts, judged.found, judged.found)

    def value(self, totals: Matrix) -> Matrix:
        share = ratio(totals, np.broadcast_to(totals.sum(axis=-1, keepdims=True), totals.shape))
        logs = np.log(share, out=np.zeros_like(share), where=share > 0)
        entropy: Matrix = -(share * logs).sum(axis=-1)
        d = totals.shape[-1]
        # No counts give NaN, and the clip keeps rounding from saying 1.0000000000000002.
        return np.clip(entropy / np.log(d), 0.0, 1.0) if d > 1 else np.full(entropy.shape, np.nan)
