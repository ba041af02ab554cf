"""Whether a counterfactual stays within what was seen in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.metrics.rowwise import RowMetric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.judged import Judged


class Plausibility(RowMetric):
    """Share of counterfactuals with every feature inside the range and vocabulary of the training rows.

    1(for all j: minⱼ ≤ x*ⱼ ≤ maxⱼ) for numbers and ordered levels, 1(level seen in training) for unordered ones. A method
    that copies rows meets it by construction, and it looks at one feature at a time: read it beside the other two
    plausibilities, `copying`, and the share that the factual rows themselves reach.
    """

    name = "plausibility"
    direction = "higher"
    unit = "share"
    is_share = True
    of_factuals = True

    def of_rows(self, judged: Judged, part: slice) -> NDArray[np.bool_]:
        schema, rows = judged.schema, judged.rows[part]
        inside = schema.in_training_range(rows)
        for j in np.flatnonzero(schema.nominal):
            inside[:, j] = np.isin(rows[:, j], judged.reference.rows[:, j])
        return np.asarray(inside.all(axis=1), dtype=bool)
