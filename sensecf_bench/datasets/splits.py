"""Stratified training, validation and test rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.contracts import Split

MANY_VALUES = 20


def stratified(outcome: NDArray[Any], seed: int, validation: float = 0.2, test: float = 0.2) -> Split:
    """Split positions 0..n-1; a numeric outcome of many values is stratified by its quartiles.

    Raises DataError when a stratum is too small to be split.
    """
    from sklearn.model_selection import train_test_split

    from sensecf_bench.contracts import Split

    strata = _strata(outcome)
    everyone = np.arange(len(outcome))
    try:
        rest, test_rows = train_test_split(everyone, test_size=test, random_state=seed, stratify=strata)
        train, validation_rows = train_test_split(
            rest, test_size=validation / (1 - test), random_state=seed, stratify=strata[rest]
        )
    except ValueError as error:
        raise DataError(
            f"the table cannot be split into training, validation and test rows: {error}",
            "bring more rows of the rarer class",
        ) from error
    return Split(np.sort(train), np.sort(validation_rows), np.sort(test_rows))


def _strata(outcome: NDArray[Any]) -> NDArray[Any]:
    if outcome.dtype.kind == "f" and len(np.unique(outcome)) > MANY_VALUES:
        return np.searchsorted(np.quantile(outcome, [0.25, 0.5, 0.75]), outcome)
    return outcome
