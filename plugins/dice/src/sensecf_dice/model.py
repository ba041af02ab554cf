"""The explained classifier as DiCE wants to see it. Imports dice_ml."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from dice_ml.constants import BackEndTypes, ModelTypes
from dice_ml.model_interfaces.base_model import BaseModel

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sensecf_dice.codec import Codec, Matrix

_ABOVE, _BELOW = np.nextafter(0.5, 1.0), np.nextafter(0.5, 0.0)


class FrameClassifier:
    """The classifier with scikit-learn's face, as any user of dice_ml would pass it: frames in, probabilities out."""

    def __init__(self, codec: Codec, predict_proba: Callable[[Matrix], Matrix]) -> None:
        self._codec, self._predict_proba = codec, predict_proba

    def predict_proba(self, frame: pd.DataFrame) -> Matrix:
        return self._predict_proba(self._codec.matrix(frame))

    def predict(self, frame: pd.DataFrame) -> NDArray[np.int64]:
        classes: NDArray[np.int64] = np.argmax(self.predict_proba(frame), axis=1).astype(np.int64)
        return classes


class MemoModel(BaseModel):  # type: ignore[misc]  # dice_ml is untyped
    """DiCE's model interface over matrices or frames, which never asks the classifier twice about one row of a query.

    With `decisive`, a probability of exactly one half is moved by one unit in the last place to the side on which the
    classifier decides: DiCE accepts `>= 0.5` for class 1 where the classifier, on a tie, says class 0.
    """

    model_type = ModelTypes.Classifier

    def __init__(self, codec: Codec, predict_proba: Callable[[Matrix], Matrix], *, decisive: bool) -> None:
        super().__init__(model=FrameClassifier(codec, predict_proba), backend=BackEndTypes.Sklearn)
        self._codec, self._predict_proba, self._decisive = codec, predict_proba, decisive
        self.forget()

    def forget(self) -> None:
        """Start a query with nothing known, so that its cost does not depend on the queries before it."""
        self._known: dict[bytes, int] = {}  # where its scores are
        self._scores = np.empty((0, 2))

    def get_output(self, input_instance: Any, model_score: bool = True) -> Any:
        rows = input_instance if isinstance(input_instance, np.ndarray) else self._codec.matrix(input_instance)
        scores = self.scores(rows)
        return scores if model_score else np.argmax(scores, axis=1)

    def get_num_output_nodes2(self, input_instance: Any) -> int:
        return 2

    def scores(self, rows: Matrix) -> Matrix:
        """Probabilities of classes 0 and 1 of rows in the schema's coding."""
        keys = [row.tobytes() for row in np.ascontiguousarray(rows)]
        fresh = {key: i for i, key in enumerate(keys) if key not in self._known}
        if fresh:
            answers = self._predict_proba(rows[list(fresh.values())])
            if self._decisive:
                answers = _decided(answers)
            self._known.update(zip(fresh, range(len(self._scores), len(self._scores) + len(fresh)), strict=True))
            self._scores = np.concatenate([self._scores, answers])
        scores: Matrix = self._scores[[self._known[key] for key in keys]]
        return scores


def _decided(scores: Matrix) -> Matrix:
    of_one = np.where(scores[:, 1] > scores[:, 0], np.maximum(scores[:, 1], _ABOVE), np.minimum(scores[:, 1], _BELOW))
    return np.column_stack([1.0 - of_one, of_one])
