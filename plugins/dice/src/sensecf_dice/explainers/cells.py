"""The few rows that DiCE's post-hoc search moves about, without pandas between every two steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from sensecf_dice.codec import Codec, Matrix


class Cells:
    """Looks enough like a DataFrame for `ExplainerBase.do_posthoc_sparsity_enhancement`.

    `at[label, feature]` gives and takes numbers in the `types` of the columns, since DiCE's search depends on them;
    `loc[[label]][names]` is that row as a matrix in the schema's coding, ready for the classifier.
    """

    def __init__(self, rows: Matrix, codec: Codec, types: Mapping[str, np.dtype[Any]]) -> None:
        self._codec, self._matrix = codec, rows.copy()
        self.index = range(len(rows))
        self.at = self.loc = self
        # As plain numbers, which is how a Series gives them out: NumPy's would be rounded in another way.
        self._columns = {name: rows[:, codec.column_of[name]].astype(types[name]).tolist() for name in codec.numeric}
        self.cast = {name: types[name].type for name in codec.numeric}

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, list):
            return _Row(self._matrix[key[0]].reshape(1, -1))
        label, name = key
        return self._columns[name][label]

    def __setitem__(self, key: Any, value: Any) -> None:
        if isinstance(key, str):
            return  # the outcome, which nobody asks for
        label, name = key
        self._columns[name][label] = self.cast[name](value)
        self._matrix[label, self._codec.column_of[name]] = value

    def stepped(self, label: Any, name: str, values: list[Any]) -> Matrix:
        """The row `label` once for each of these values of one feature, shape `(len(values), d)`."""
        rows = np.repeat(self._matrix[label].reshape(1, -1), len(values), axis=0)
        rows[:, self._codec.column_of[name]] = values
        return rows

    def rows(self) -> Matrix:
        """The rows as they are now, in the types of their columns."""
        rows = self._matrix.copy()
        for name, values in self._columns.items():
            rows[:, self._codec.column_of[name]] = values
        return rows


class Number(NamedTuple):
    """What a query's column is asked for: its only value."""

    iat: tuple[Any]


class _Row:
    """What `frame.loc[[label]]` gives: a row that is asked for its feature columns next."""

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix

    def __getitem__(self, names: Any) -> Matrix:
        return self._matrix
