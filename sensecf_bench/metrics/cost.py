"""What a valid counterfactual costs."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.contracts import Metric, Sums, ratio

if TYPE_CHECKING:
    from sensecf_bench.judged import Judged, Spent
    from sensecf_bench.schema import Matrix


class Cost(Metric):
    """What was spent on all queries, divided by the number of valid counterfactuals that came of it.

    Σᵢ spentᵢ / Σᵢ (admitted rows of query i that the explained classifier puts in the target class). What went into
    failures is paid for by the successes, so a method that fails often is dear. Undefined without a valid one.
    """

    direction = "lower"

    @abstractmethod
    def spent(self, spent: Spent) -> Matrix:
        """What each query took, shape `(n,)`."""

    def sums(self, judged: Judged) -> Sums:
        spent = self.spent(judged.spent)
        valid = np.bincount(judged.owner, weights=judged.flipped, minlength=len(judged))
        known = np.isfinite(spent)
        parts = np.where(known[:, None], np.column_stack([spent, valid]), 0.0)
        return Sums(parts, np.ones(len(judged), dtype=bool), known)

    def value(self, totals: Matrix) -> Matrix:
        return ratio(totals[..., 0], totals[..., 1])


class CostSeconds(Cost):
    """Seconds of generation per valid counterfactual, fitting left out; depends on the machine."""

    name = "cost-seconds"
    unit = "s"
    timing = True

    def spent(self, spent: Spent) -> Matrix:
        return spent.seconds


class CostCalls(Cost):
    """Calls of the explained classifier per valid counterfactual."""

    name = "cost-calls"
    unit = "calls"

    def spent(self, spent: Spent) -> Matrix:
        return spent.calls


class CostRows(Cost):
    """Rows that the explained classifier was asked to predict per valid counterfactual."""

    name = "cost-rows"
    unit = "rows"

    def spent(self, spent: Spent) -> Matrix:
        return spent.rows


class CostTokens(Cost):
    """Language-model tokens, prompt and answer, per valid counterfactual; 0 for methods without one."""

    name = "cost-tokens"
    unit = "tokens"

    def spent(self, spent: Spent) -> Matrix:
        return spent.tokens


class CostUSD(Cost):
    """US dollars paid to model providers per valid counterfactual; 0 for methods that pay nobody."""

    name = "cost-usd"
    unit = "USD"

    def spent(self, spent: Spent) -> Matrix:
        return spent.usd
