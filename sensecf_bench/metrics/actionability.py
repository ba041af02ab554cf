"""Whether a person could follow the advice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.admission import broken_rules
from sensecf_bench.metrics.rowwise import RowMetric, factuals_of
from sensecf_bench.queries import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.judged import Judged
    from sensecf_bench.schema import Matrix


class Actionability(RowMetric):
    """Share of answered queries whose rows change no immutable feature and respect direction, hard bounds and constraints.

    Over the queries for which rows came back (outcome FOUND or REJECTED): 0 for REJECTED, and for FOUND the share of
    admitted rows that break no rule of the schema, which admission has seen to. A query rejected because its values
    could not be read as numbers or levels counts as not actionable too: nobody can follow advice that cannot be read.
    Of a query with several rows the refused ones do not count once another was admitted (Ustun, Spangher and Liu 2019
    for actionable recourse; Guidotti 2022).
    """

    name = "actionability"
    direction = "higher"
    unit = "share"
    is_share = True

    def of_rows(self, judged: Judged, part: slice) -> NDArray[np.bool_]:
        broken = broken_rules(judged.schema, factuals_of(judged, part), judged.rows[part])
        followed = np.ones(len(judged.rows[part]), dtype=bool)
        for mask in broken.values():
            followed &= ~mask.any(axis=1)
        return followed

    def values(self, judged: Judged) -> Matrix:
        return np.where(judged.outcome_is(Outcome.REJECTED), 0.0, super().values(judged))

    def eligible(self, judged: Judged) -> NDArray[np.bool_]:
        return judged.outcome_is(Outcome.FOUND, Outcome.REJECTED)
