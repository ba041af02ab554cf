"""Whether an answer is a row that nobody was shown: a training row that was taken away, or a test row.

A generator gets neither, so a match means that it has looked elsewhere, unless rows of the table are so alike that
matches come about by chance. Two rows match if no feature differs at its precision, as in the metric `copying`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sensecf_bench.schema import FeatureSchema, Mask, Matrix

LEVEL = 1e-3  # so many matches are more than chance if they are less probable than this
RULE_OF_THREE = 3.0  # what was not seen among n is at most 3/n of all, at 95 %


@dataclass(frozen=True, eq=False)
class Hidden:
    """The rows `(m, d)` that a generator must not know, beside those `(n, d)` that it was shown."""

    schema: FeatureSchema
    shown: Matrix
    hidden: Matrix

    def matches(self, answers: Matrix) -> int:
        """How many answers, `(r, d)`, match a hidden row and none that was shown."""
        return int(np.count_nonzero(self._found_in(answers, self.hidden) & ~self._found_in(answers, self.shown)))

    def by_chance(self, matches: int, answers: int) -> bool:
        """Whether so many matches among so many answers may be coincidence.

        The probability of one is taken to be the share of hidden rows that match a shown one: different people who are
        alike. With few of them that share may be 0 by luck, so it is at least the probability that a row whose features
        are drawn independently, each from what people have, matches a hidden one: next to nothing where features are many
        or fine, not where they are few and coarse. A table without a continuous feature, where answers differ from people
        in little, is taken to have as many matches as the rule of three allows.
        """
        if not matches:
            return True
        from scipy.stats import binom

        share = max(self._twins, self._coincidence)
        if not any(f.kind == "continuous" for f in self.schema.features):
            share = max(share, min(1.0, RULE_OF_THREE / max(1, len(self.hidden))))
        return bool(binom.sf(matches - 1, answers, share) >= LEVEL)

    @cached_property
    def _twins(self) -> float:
        return float(self._found_in(self.hidden, self.shown).mean()) if len(self.hidden) else 0.0

    @cached_property
    def _coincidence(self) -> float:
        alike = [self._alike(j, step) for j, step in enumerate(self.schema.steps)]
        return min(1.0, len(self.hidden) * float(np.prod(alike)))

    def _alike(self, j: int, step: float) -> float:
        """The probability that a shown and a hidden row, drawn at random, do not differ in a feature."""
        shares = []
        for rows in (self.shown, self.hidden):
            values, counts = np.unique(np.rint(rows[:, j] / step) if step > 0 else rows[:, j], return_counts=True)
            shares.append(dict(zip(values.tolist(), (counts / max(1, len(rows))).tolist(), strict=True)))
        return float(sum(share * shares[1].get(value, 0.0) for value, share in shares[0].items()))

    def _found_in(self, rows: Matrix, among: Matrix) -> Mask:
        found = np.zeros(len(rows), dtype=bool)
        for i, row in enumerate(rows):
            found[i] = bool((~self.schema.changed(np.broadcast_to(row, among.shape), among).any(axis=1)).any())
        return found
