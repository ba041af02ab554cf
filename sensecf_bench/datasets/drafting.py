"""Drafting a schema from a table: what each column seems to be, for a person to correct."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.contracts import Feature
from sensecf_bench.schema import level_name

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

MOST_DECIMALS = 6
MOST_LEVELS = 12


def decimal_step(values: NDArray[Any]) -> float:
    """The finest decimal in which the values are written: 0.1 for 12.5 and 3.0, but at least 10⁻⁶, or as much finer as
    the largest value lies below 1."""
    numbers = values.astype(np.float64)
    numbers = np.abs(numbers[np.isfinite(numbers) & (values != 0)])
    magnitude = int(np.ceil(np.log10(numbers.max()))) if len(numbers) else 0
    finest = MOST_DECIMALS - min(0, magnitude)
    for decimals in range(finest):
        if np.allclose(numbers, np.round(numbers, decimals), rtol=1e-12, atol=0.0):
            return float(10.0**-decimals)
    return float(10.0**-finest)


def draft_feature(name: str, column: pd.Series[Any]) -> Feature:
    """What a column seems to be. Bounds are left open, mutability and direction at their most liberal: both are
    matters of knowledge and not of data."""
    present = column.dropna()
    distinct = sorted({level_name(v) for v in present.unique()})
    if present.dtype.kind in "iuf" and len(distinct) > 2:
        if np.all(present == np.rint(present)):
            return Feature(name=name, kind="integer")
        return Feature(name=name, kind="continuous", precision=decimal_step(present.to_numpy()))
    return Feature(name=name, kind="binary" if len(distinct) == 2 else "categorical", levels=tuple(distinct))
