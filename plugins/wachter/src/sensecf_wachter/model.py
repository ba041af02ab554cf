"""The explained classifier as the descent asks it: how likely the target class is, and which way that grows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench import Task
    from sensecf_wachter.space import Matrix


@dataclass(frozen=True, eq=False)
class Model:
    """A task's classifier with one class in view."""

    task: Task
    target: int

    def ask(self, rows: Matrix) -> tuple[Matrix, NDArray[np.bool_]]:
        """Probability of the target class and whether it wins, two `(n,)` from `(n, d)`."""
        probabilities = self.task.predict_proba(rows)
        return probabilities[:, self.target], probabilities.argmax(axis=1) == self.target

    def slopes(self, rows: Matrix) -> Matrix:
        """Derivative of the probability of the target class by each feature, `(n, d)`."""
        slopes = self.task.gradient(rows)
        return slopes if self.target == self.task.target else -slopes
