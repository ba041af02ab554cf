"""The explained classifier, for one target class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_cfnow.deadline import Deadline

    Matrix = NDArray[np.float64]
    Mask = NDArray[np.bool_]

DECIMALS = 15


@dataclass(frozen=True, eq=False)
class Judge:
    """Says of rows `(n, d)` how probable the target is and whether the classifier decides for it, both `(n,)`."""

    predict_proba: Callable[[Matrix], Matrix]
    target: int
    deadline: Deadline

    def __call__(self, rows: Matrix) -> tuple[Matrix, Mask]:
        """Raises OutOfTimeError."""
        if not len(rows):
            return np.empty(0), np.empty(0, dtype=bool)
        self.deadline.check()
        probabilities = self.predict_proba(rows)
        flipped: Mask = probabilities.argmax(axis=1) == self.target
        # The last bits of a matrix product depend on the company a row is in, and must not decide between two moves.
        return np.round(probabilities[:, self.target], DECIMALS), flipped
