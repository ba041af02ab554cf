"""Rows as cfnow knows them: columns that are numbers, 0/1, or one-hot groups recognised by the prefix of their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench import FeatureSchema

    Matrix = NDArray[np.float64]


class Coding:
    """Turns a person's row of `d` features into cfnow's `c` columns, and cfnow's columns back into rows.

    Numbers are divided by `units`, shape `(d,)`; binary features are 0/1, ordinal and categorical ones one-hot. Only
    the features marked in `offered`, shape `(d,)`, become columns: the others keep the person's values.
    """

    def __init__(self, schema: FeatureSchema, offered: NDArray[np.bool_], units: Matrix) -> None:
        self.schema = schema
        self.feat_types: dict[str, str] = {}
        self.has_ohe = False
        self.offered = [j for j in range(len(schema)) if offered[j]]
        self._units = units
        self._slices: list[tuple[int, slice]] = []
        for j in self.offered:
            feature, start = schema.features[j], len(self.feat_types)
            # Positions instead of names: cfnow cuts a name at its first underscore to find the group.
            if feature.is_numeric:
                self.feat_types[f"number{j}"] = "num"
            elif feature.kind == "binary":
                self.feat_types[f"binary{j}"] = "cat"
            else:
                self.feat_types |= {f"level{j}_{i}": "cat" for i in range(len(feature.levels))}
                self.has_ohe = True
            self._slices.append((j, slice(start, len(self.feat_types))))
        numbers = [(j, part.start) for j, part in self._slices if schema.numeric[j]]
        self._numbers, self._number_columns = [j for j, _ in numbers], [column for _, column in numbers]
        self._levels = [(j, part) for j, part in self._slices if not schema.numeric[j]]

    def encode(self, row: Matrix) -> pd.Series[float]:
        """One person's row, shape `(d,)`, as cfnow takes it."""
        values = np.zeros(len(self.feat_types))
        for j, columns in self._slices:
            if columns.stop - columns.start > 1:
                values[columns.start + int(row[j])] = 1.0
            else:
                values[columns] = row[j] / (self._units[j] if self.schema.numeric[j] else 1.0)
        return pd.Series(values, index=list(self.feat_types))

    def decode(self, columns: Matrix, factual: Matrix) -> Matrix:
        """Rows in internal coding, shape `(n, d)`, from columns `(n, c)`; other features are the factual's, `(d,)`."""
        rows = np.empty((len(columns), len(factual)))
        rows[:] = factual
        numbers, units = columns[:, self._number_columns], self._units[self._numbers]
        given = factual[self._numbers]
        # The way there and back may lose the last bit of a number that was not moved.
        rows[:, self._numbers] = np.where(numbers == given / units, given, numbers * units)
        for j, part in self._levels:
            block = columns[:, part]
            rows[:, j] = block.argmax(axis=1) if block.shape[1] > 1 else block[:, 0] > 0.5
        return rows
