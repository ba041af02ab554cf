"""The explained classifier as cfnow sees it: columns in, the target class's probability out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_cfnow.deadline import Deadline

    Matrix = NDArray[np.float64]


class Model:
    """Answers cfnow for one query. cfnow asks again about rows it knows; each distinct row is predicted once.

    `rows_of` turns columns `(n, c)` into rows `(n, d)`; `predict_proba` knows rows.
    """

    def __init__(
        self,
        rows_of: Callable[[Matrix], Matrix],
        predict_proba: Callable[[Matrix], Matrix],
        target: int,
        deadline: Deadline,
    ) -> None:
        self._rows_of, self._predict_proba, self._target = rows_of, predict_proba, target
        self._deadline = deadline
        self._known: dict[bytes, float] = {}
        self.times_asked = 0

    def __call__(self, columns: Any) -> Matrix:
        """The probability of the target class, `(n, 1)`; at least 0.5 exactly if the classifier decides for it.

        Raises OutOfTimeError.
        """
        self.times_asked += 1
        self._deadline.check()
        rows = self._rows_of(np.asarray(columns, dtype=np.float64))
        keys = [row.tobytes() for row in rows]
        new = {key: i for i, key in enumerate(keys) if key not in self._known}
        if new:
            probabilities = self._predict_proba(rows[list(new.values())])
            self._known.update(zip(new, decisive(probabilities, self._target).tolist(), strict=True))
        return np.array([[self._known[key]] for key in keys])


def decisive(probabilities: Matrix, target: int) -> Matrix:
    """The target's probability, `(n,)`, moved by a bit where the classifier breaks a tie against or for the target.

    cfnow takes 0.5 for a flip; a classifier that is undecided decides for class 0.
    """
    wins = probabilities.argmax(axis=1) == target
    asked = probabilities[:, target]
    return np.where(wins, np.maximum(asked, 0.5), np.minimum(asked, np.nextafter(0.5, 0)))
