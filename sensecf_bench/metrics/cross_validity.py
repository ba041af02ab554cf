"""Whether the change convinces more than the one classifier it was made for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.contracts import MeanMetric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.judged import Judged
    from sensecf_bench.schema import Matrix


class CrossValidity(MeanMetric):
    """Share of all queries whose counterfactual classifiers of other families put in the target class.

    As validity, with 1(f(x*) = target) replaced by its mean over the panel: classifiers of the other families, trained
    on the same rows (robustness to model multiplicity; Pawelczyk, Broelemann and Kasneci 2020). A counterfactual that
    only exploits a quirk of one model scores low. Undefined without a panel.
    """

    name = "cross-validity"
    direction = "higher"
    unit = "share"
    is_share = True

    def values(self, judged: Judged) -> Matrix:
        if not judged.panel:
            return np.full(len(judged), np.nan)
        target = judged.target[judged.owner]
        agreeing = np.zeros(len(judged.rows))
        for predicted in judged.panel.values():
            agreeing += predicted == target
        return np.where(judged.found, judged.mean_over_rows(agreeing / len(judged.panel)), 0.0)

    def eligible(self, judged: Judged) -> NDArray[np.bool_]:
        return np.full(len(judged), bool(judged.panel))
