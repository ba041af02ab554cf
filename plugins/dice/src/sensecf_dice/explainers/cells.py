"""The few rows that DiCE's post-hoc search moves about, without pandas between every two steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from sensecf_dice.codec import Codec, Matrix


class Cells:
    """Looks enough like a DataFrame for `ExplainerBase.do_posthoc_sparsity_enhancement`.

    `at[label, feature]` gives and takes numbers in the type of the frame's column, since DiCE's search depends on it;
    `loc[[label]][names]` is that row as a matrix in the schema's coding, ready for the classifier.
    """

    def __init__(self, frame: pd.DataFrame, codec: Codec) -> None:
        self._frame, self._codec = frame, codec
        self.index = frame.index
        self.at = self.loc = self
        self._row = {label: i for i, label in enumerate(frame.index)}
        self._matrix = codec.matrix(frame)
        self._columns = {name: list(frame[name]) for name in codec.numeric}
        self._outcome: dict[str, Any] = {}
        self.cast = {name: frame[name].dtype.type for name in codec.numeric}

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, list):
            return _Row(self._matrix[self._row[key[0]]].reshape(1, -1))
        label, name = key
        return self._columns[name][self._row[label]]

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, str):
            self._outcome[key] = value
            return
        label, name = key
        self._columns[name][self._row[label]] = self.cast[name](value)
        self._matrix[self._row[label], self._codec.column_of[name]] = value

    def stepped(self, label: Any, name: str, values: list[Any]) -> Matrix:
        """The row `label` once for each of these values of one feature, shape `(len(values), d)`."""
        rows = np.repeat(self._matrix[self._row[label]].reshape(1, -1), len(values), axis=0)
        rows[:, self._codec.column_of[name]] = values
        return rows

    def frame(self) -> pd.DataFrame:
        """The rows as they are now."""
        return self._frame.assign(**self._columns, **self._outcome)


class _Row:
    """What `frame.loc[[label]]` gives: a row that is asked for its feature columns next."""

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix

    def __getitem__(self, names: Any) -> Matrix:
        return self._matrix
