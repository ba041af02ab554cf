"""What DiCE is told of a schema and of one query: decimals, which features may vary, and how far."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from sensecf_bench import Feature
    from sensecf_dice.codec import Codec, Matrix


@dataclass(frozen=True)
class Ask:
    """One query in DiCE's words."""

    features_to_vary: list[str]
    permitted_range: dict[str, list[Any]]


class Rules:
    """The schema's rules over training rows of shape `(n, d)`.

    `sampled` is for random sampling, which draws from a range that it widens by one step of the feature's precision.
    """

    def __init__(self, codec: Codec, training_rows: Matrix, *, sampled: bool) -> None:
        self._codec, self._sampled = codec, sampled
        hard_low, hard_high = codec.schema.hard_bounds
        self._low = np.maximum(training_rows.min(axis=0), hard_low)
        self._high = np.minimum(training_rows.max(axis=0), hard_high)
        self._seen = {name: set(training_rows[:, codec.column_of[name]].tolist()) for name in codec.levelled}
        self.decimals = {
            name: decimals(codec.feature(name), training_rows[:, codec.column_of[name]]) for name in codec.numeric
        }

    def knows(self, factual: Matrix) -> bool:
        """Whether each level of the query occurs in the training rows; DiCE cannot read others."""
        return all(factual[self._codec.column_of[name]] in seen for name, seen in self._seen.items())

    def ask(self, factual: Matrix) -> Ask:
        """Which features this query, shape `(d,)`, may vary, and in what range; features without any room are left out."""
        permitted = {}
        for name in self._codec.names:
            feature = self._codec.feature(name)
            if not feature.mutable:
                continue
            value = float(factual[self._codec.column_of[name]])
            room = self._range(name, feature, value) if feature.is_numeric else self._levels(name, feature, value)
            if room:
                permitted[name] = room
        return Ask(list(permitted), permitted)

    def _levels(self, name: str, feature: Feature, value: float) -> list[str]:
        codes = [
            code
            for code in range(len(feature.levels))
            if code in self._seen[name]
            and not (feature.direction == "increase" and code < value)
            and not (feature.direction == "decrease" and code > value)
        ]
        return [feature.levels[code] for code in codes] if any(code != value for code in codes) else []

    def _range(self, name: str, feature: Feature, value: float) -> list[Any]:
        column, places = self._codec.column_of[name], self.decimals[name]
        low, high = float(self._low[column]), float(self._high[column])
        if feature.direction == "increase":
            low = max(low, value)
        elif feature.direction == "decrease":
            high = min(high, value)
        step = 10.0**-places
        if high - low < step * (1 - 1e-6):
            return []
        if places == 0:
            return [math.ceil(low), math.floor(high)]
        if self._sampled:
            return [math.ceil(low / step - 1e-6) * step, (math.floor(high / step + 1e-6) - 1) * step]
        return [float(np.float32(low)), float(np.float32(high))]  # DiCE compares them with single-precision values

    # -- reading DiCE's answers ------------------------------------------------------------------------------------
    @cached_property
    def _grid(self) -> Matrix:
        """DiCE's step in each column of the schema, shape `(d,)`; 0 for levels."""
        grid = np.zeros(len(self._codec.names))
        for name, places in self.decimals.items():
            grid[self._codec.column_of[name]] = 10.0**-places
        return grid

    def settle(self, rows: Matrix, factual: Matrix) -> Matrix:
        """DiCE's answer without what its single precision and its rounding did to it: numbers on its grid, and where
        that number is the query's own after the same treatment, the query's own."""
        settled = rows.copy()
        for name, places in self.decimals.items():
            column = self._codec.column_of[name]
            settled[:, column] = np.round(rows[:, column], places)
        cast = np.abs(factual) * float(np.finfo(np.float32).eps)
        return np.where(np.abs(settled - factual) <= 0.5 * self._grid * (1 + 1e-6) + cast, factual, settled)


def decimals(feature: Feature, values: Matrix) -> int:
    """Decimals with which DiCE may round this feature: the fewest that write its precision and all its training values
    exactly, but no more than single precision can tell apart."""
    if feature.kind == "integer":
        return 0
    magnitude = max(float(np.abs(values).max()), 1e-12)
    finest = int(np.clip(math.floor(-math.log10(magnitude * 2.0**-22)), 1, 12))
    for places in range(finest):
        scale = 10.0**places
        step = None if feature.precision is None else feature.precision * scale
        if step is not None and abs(step - round(step)) > 1e-6:
            continue
        if np.all(np.abs(np.round(values, places) - values) <= 1e-9 * np.maximum(1.0 / scale, np.abs(values))):
            return places
    return finest
