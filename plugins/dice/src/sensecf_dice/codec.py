"""The schema's matrices and the tables DiCE works on, translated into each other.

DiCE gets neutral column names, because it adds columns of its own (`distance`, `sparsity`, the outcome) to the user's,
and numeric columns first, because it looks precisions up by position among all features although it lists them by
position among the continuous ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sensecf_bench import FeatureSchema

    Matrix = NDArray[np.float64]

OUTCOME = "outcome"


class Codec:
    """Column `columns[j]` of the schema is DiCE's feature `names[j]`; the first `len(numeric)` are continuous to DiCE.

    Binary, ordinal and categorical features are all DiCE's categorical ones, with their levels as strings: DiCE knows no
    order among levels, and fails on integer-coded ones.
    """

    def __init__(self, schema: FeatureSchema) -> None:
        self.schema = schema
        self.columns: NDArray[np.intp] = np.argsort(~schema.numeric, kind="stable")
        self.names = [f"f{j:03d}" for j in range(len(schema))]
        self.column_of = dict(zip(self.names, self.columns.tolist(), strict=True))
        self.numeric = self.names[: int(schema.numeric.sum())]
        self.levelled = self.names[len(self.numeric) :]
        self.levels = {name: self.feature(name).levels for name in self.levelled}
        self._codes = {name: {level: float(i) for i, level in enumerate(self.levels[name])} for name in self.levelled}

    def feature(self, name: str) -> Any:
        return self.schema.features[self.column_of[name]]

    def codes(self, name: str, levels: list[str]) -> Matrix:
        """The schema's codes of some levels of one feature."""
        code = self._codes[name]
        return np.array([code[level] for level in levels], dtype=np.float64)

    def frame(self, matrix: Matrix) -> pd.DataFrame:
        """Rows for DiCE: its names and order, levels as strings, integers as int64."""
        frame = self.schema.decode(matrix).iloc[:, self.columns]
        frame.columns = self.names
        return frame

    def matrix(self, frame: pd.DataFrame) -> Matrix:
        """DiCE's rows in the schema's coding, shape `(n, d)`."""
        rows = np.empty((len(frame), len(self.names)), dtype=np.float64)
        for name in self.numeric:
            rows[:, self.column_of[name]] = frame[name].to_numpy(dtype=np.float64)
        for name in self.levelled:
            rows[:, self.column_of[name]] = self.codes(name, frame[name].tolist())
        return rows
