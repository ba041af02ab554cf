"""What the features of a table are: kinds, units, domains, and who may change what.

Inside the harness a table is a float64 matrix, one column per feature in schema order: numbers in raw units, and the
position of a level for binary, ordinal and categorical features. DataFrames stand at the edges, for people.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sensecf_bench.constraints import LinearConstraint
from sensecf_bench.errors import SchemaError

if TYPE_CHECKING:
    from typing import Self

    import pandas as pd
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]
    Mask = NDArray[np.bool_]

Kind = Literal["continuous", "integer", "binary", "ordinal", "categorical"]
Direction = Literal["any", "increase", "decrease"]

QUERY_ID = "query_id"
HARNESS_PREFIX = "cf_"  # columns the harness adds beside the features in stored tables
RELATIVE_SLACK = 1e-9


class Feature(BaseModel):
    """One column: its kind, unit and domain, and whether a person may change it.

    `bounds` are hard limits (physical or clinical) and not what was observed; `precision` is the smallest difference
    that means anything, in the feature's unit; `direction` says which way a change may go.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(min_length=1)
    kind: Kind
    unit: str = ""
    bounds: tuple[float | None, float | None] = (None, None)
    levels: tuple[str, ...] = ()
    precision: float | None = Field(default=None, gt=0)
    mutable: bool = True
    direction: Direction = "any"
    description: str = ""
    group: str = ""

    @property
    def is_numeric(self) -> bool:
        return self.kind in ("continuous", "integer")

    @property
    def step(self) -> float:
        """The smallest change that counts, in raw units (a level for levelled features; 0 if any change counts)."""
        if self.precision is not None:
            return self.precision
        return 0.0 if self.kind == "continuous" else 1.0

    @model_validator(mode="after")
    def _domain_fits_kind(self) -> Self:
        if self.name == QUERY_ID or self.name.startswith(HARNESS_PREFIX):
            raise ValueError(
                f"feature {self.name!r}: {QUERY_ID!r} and names in {HARNESS_PREFIX!r}… are the harness's own"
            )
        low, high = self.bounds
        if self.is_numeric:
            if self.levels:
                raise ValueError(f"feature {self.name!r} is {self.kind}: give bounds, not levels")
            if low is not None and high is not None and low >= high:
                raise ValueError(f"feature {self.name!r}: lower bound {low} is not below upper bound {high}")
            return self
        if (low, high) != (None, None) or self.precision is not None:
            raise ValueError(f"feature {self.name!r} is {self.kind}: give levels, not bounds or precision")
        if len(set(self.levels)) != len(self.levels):
            raise ValueError(f"feature {self.name!r}: a level is listed twice")
        if len(self.levels) < 2 or (self.kind == "binary" and len(self.levels) != 2):
            raise ValueError(
                f"feature {self.name!r} is {self.kind}: it needs "
                f"{'exactly' if self.kind == 'binary' else 'at least'} 2 levels, not {len(self.levels)}"
            )
        if self.kind == "categorical" and self.direction != "any":
            raise ValueError(f"feature {self.name!r} is categorical: its levels have no order, so no direction")
        return self


@dataclass(frozen=True)
class Scales:
    """The range of each feature in the training rows, frozen before any answer is seen (raw units, shape `(d,)`)."""

    low: Matrix
    high: Matrix

    @property
    def span(self) -> Matrix:
        return self.high - self.low


@dataclass(frozen=True, eq=False)
class FeatureSchema:
    """The features of a table, in column order, with the distance scales of its training rows once those are known, and
    the constraints between features that every row keeps."""

    features: tuple[Feature, ...]
    scales: Scales | None = None
    constraints: tuple[LinearConstraint, ...] = ()

    def __post_init__(self) -> None:
        if not self.features:
            raise SchemaError("a schema needs at least one feature")
        twice = _named_twice(self.names)
        if twice:
            raise SchemaError(f"feature named twice: {', '.join(twice)}", "give each feature its own name")
        twice = _named_twice([c.name for c in self.constraints])
        if twice:
            raise SchemaError(f"constraint named twice: {', '.join(twice)}", "give each constraint its own name")
        for constraint in self.constraints:
            self._refuse_unfit(constraint)

    def _refuse_unfit(self, constraint: LinearConstraint) -> None:
        for name in constraint.features:
            if name not in self.names:
                raise SchemaError(
                    f"constraint {constraint.name!r} is about {name!r}, which is no feature",
                    f"the features are {', '.join(self.names[:20])}",
                )
            feature = self.features[self.names.index(name)]
            if not feature.is_numeric:
                raise SchemaError(
                    f"constraint {constraint.name!r} is about {name!r}, which is {feature.kind}: levels cannot be added up",
                    "constrain continuous and integer features only",
                )

    # -- shape -------------------------------------------------------------------------------------------------
    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(f.name for f in self.features)

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def numeric(self) -> Mask:
        """Which columns hold numbers in raw units, shape `(d,)`."""
        return np.array([f.is_numeric for f in self.features])

    @cached_property
    def nominal(self) -> Mask:
        """Which columns hold levels without order (binary and categorical), shape `(d,)`."""
        return np.array([f.kind in ("binary", "categorical") for f in self.features])

    @cached_property
    def mutable(self) -> Mask:
        return np.array([f.mutable for f in self.features])

    @cached_property
    def steps(self) -> Matrix:
        return np.array([f.step for f in self.features], dtype=np.float64)

    @cached_property
    def hard_bounds(self) -> tuple[Matrix, Matrix]:
        """Hard limits as two arrays of shape `(d,)`; infinite where there is none, level positions for levels."""
        low = [(-np.inf if f.bounds[0] is None else f.bounds[0]) if f.is_numeric else 0.0 for f in self.features]
        high = [
            (np.inf if f.bounds[1] is None else f.bounds[1]) if f.is_numeric else len(f.levels) - 1.0
            for f in self.features
        ]
        return np.array(low, dtype=np.float64), np.array(high, dtype=np.float64)

    # -- identity ----------------------------------------------------------------------------------------------
    def to_json(self) -> dict[str, Any]:
        """Features, and constraints where there are any, as plain JSON; scales are not in it."""
        content: dict[str, Any] = {"features": [f.model_dump(mode="json") for f in self.features]}
        if self.constraints:  # schemas without any keep the fingerprints that they had before there were constraints
            content["constraints"] = [c.model_dump(mode="json") for c in self.constraints]
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any], scales: Scales | None = None) -> FeatureSchema:
        """The schema that `to_json` wrote; anything else in the content is passed over."""
        features = tuple(Feature.model_validate(f) for f in content["features"])
        constraints = tuple(LinearConstraint.model_validate(c) for c in content.get("constraints", ()))
        return cls(features, scales, constraints)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over features, constraints and scales: two tables with one fingerprint are measured with one ruler."""
        payload = self.to_json()
        if self.scales is not None:
            payload["scales"] = [self.scales.low.tolist(), self.scales.high.tolist()]
        return hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()

    def json_schema(self) -> dict[str, Any]:
        """JSON schema of one row in raw units, by feature name. Constraints between features it cannot say."""
        properties: dict[str, Any] = {}
        for f in self.features:
            if f.is_numeric:
                entry: dict[str, Any] = {"type": "integer" if f.kind == "integer" else "number"}
                if f.bounds[0] is not None:
                    entry["minimum"] = f.bounds[0]
                if f.bounds[1] is not None:
                    entry["maximum"] = f.bounds[1]
            else:
                entry = {"enum": list(f.levels)}
            properties[f.name] = entry
        return {
            "type": "object",
            "properties": properties,
            "required": list(self.names),
            "additionalProperties": False,
        }

    # -- coding ------------------------------------------------------------------------------------------------
    def encode(self, frame: pd.DataFrame, *, quote: bool = True) -> Matrix:
        """Turn a table in raw units into the internal matrix, shape `(n, d)`.

        Raises SchemaError naming the column and the first row that does not fit, and quoting its value unless told not to.
        """
        missing = [n for n in self.names if n not in frame.columns]
        if missing:
            raise SchemaError(
                f"the table has no column {', '.join(map(repr, missing[:5]))}",
                "name the columns as the schema does, or take them out of the schema",
            )
        matrix = np.empty((len(frame), len(self)), dtype=np.float64)
        for j, f in enumerate(self.features):
            codes, bad = encode_column(f, frame[f.name].to_numpy())
            if bad.any():
                i = int(np.flatnonzero(bad)[0])
                wanted = "a finite number" if f.is_numeric else f"one of {list(f.levels)}"
                raise SchemaError(
                    f"column {f.name!r}, row {i}: {written(frame[f.name].iloc[i]) if quote else 'what it holds'} is not {wanted} "
                    f"({int(bad.sum())} such rows)",
                    "correct the value, or the feature's kind or levels in the schema",
                )
            matrix[:, j] = codes
        return matrix

    def decode(self, matrix: Matrix) -> pd.DataFrame:
        """Turn an internal matrix back into a table in raw units (levels as strings, integers as int64)."""
        import pandas as pd

        columns: dict[str, Any] = {}
        for j, f in enumerate(self.features):
            values = matrix[:, j]
            if f.kind == "continuous":
                columns[f.name] = values.copy()
            elif f.kind == "integer":
                columns[f.name] = np.rint(values).astype(np.int64)
            else:
                columns[f.name] = np.array(f.levels, dtype=object)[values.astype(np.intp)]
        return pd.DataFrame(columns)

    # -- constraints between features ---------------------------------------------------------------------------
    def breaks(self, constraint: LinearConstraint, rows: Matrix) -> Mask:
        """Which rows of shape `(n, d)` break one of the schema's constraints, shape `(n,)`; a NaN breaks none."""
        broken: Mask = constraint.excess(rows[:, self.columns(constraint)]) > RELATIVE_SLACK
        return broken

    def keeps(self, rows: Matrix) -> Mask:
        """Which rows of shape `(n, d)` keep every constraint between features, shape `(n,)`: for generators that search.

        Each feature's own bounds, direction and mutability are not looked at: see `hard_bounds` and `mutable`.
        """
        kept = np.ones(len(rows), dtype=bool)
        for constraint in self.constraints:
            kept &= ~self.breaks(constraint, rows)
        return kept

    def columns(self, constraint: LinearConstraint) -> list[int]:
        """The positions of a constraint's features."""
        return [self.names.index(name) for name in constraint.features]

    # -- comparing rows ----------------------------------------------------------------------------------------
    def with_scales(self, training_rows: Matrix) -> FeatureSchema:
        """The same schema with its distance scales frozen from the training rows, shape `(n, d)`."""
        return replace(self, scales=Scales(training_rows.min(axis=0), training_rows.max(axis=0)))

    def frozen_scales(self) -> Scales:
        if self.scales is None:
            raise SchemaError("this schema has no distance scales yet", "call with_scales(training_rows) first")
        return self.scales

    def in_training_range(self, rows: Matrix) -> Mask:
        """Which features lie between the least and the greatest of the training rows, `(n, d)`, levels by their rank."""
        scales = self.frozen_scales()
        slack = RELATIVE_SLACK * np.maximum(np.abs(scales.low), np.abs(scales.high))
        inside: Mask = (rows >= scales.low - slack) & (rows <= scales.high + slack)
        return inside

    def changed(self, rows: Matrix, others: Matrix) -> Mask:
        """Which features differ at their precision; both arguments of shape `(n, d)`."""
        noise = RELATIVE_SLACK * np.maximum(1.0, np.abs(others))
        least = np.where(self.steps > 0, self.steps * (0.5 - RELATIVE_SLACK), noise)
        differs: Mask = np.abs(rows - others) >= least
        return differs

    def gaps(self, rows: Matrix, others: Matrix) -> Matrix:
        """Gower's difference of each feature, in [0, 1] within the training range: |a - b| / range for numbers and
        ranks, 0 or 1 for unordered levels (Gower 1971). Both arguments of shape `(n, d)`."""
        gaps: Matrix = np.subtract(rows, others, dtype=np.float64)
        np.abs(gaps, out=gaps)
        gaps /= self._gower_span
        gaps[:, self.nominal] = rows[:, self.nominal] != others[:, self.nominal]
        return gaps

    @cached_property
    def _gower_span(self) -> Matrix:
        span = self.frozen_scales().span.copy()
        for j, f in enumerate(self.features):
            if not f.is_numeric:
                span[j] = len(f.levels) - 1
        span[span == 0] = 1.0
        return span

    def embed(self, rows: Matrix) -> Matrix:
        """Coordinates in which the Manhattan distance is the sum of Gower's differences, so that nearest-neighbour
        libraries can be used as they are: numbers and ranks over their span, levels as half one-hot columns."""
        parts = []
        for j, f in enumerate(self.features):
            column = rows[:, j : j + 1]
            if self.nominal[j]:
                parts.append(0.5 * (column == np.arange(len(f.levels))))
            else:
                parts.append((column - self.frozen_scales().low[j]) / self._gower_span[j])
        return np.hstack(parts)


def _named_twice(names: Sequence[str]) -> list[str]:
    return sorted({n for n in names if names.count(n) > 1})


def encode_column(feature: Feature, values: NDArray[Any]) -> tuple[Matrix, Mask]:
    """Code one column; the mask marks the values outside the feature's domain (their code is NaN)."""
    if feature.is_numeric and values.dtype.kind in "iuf":
        codes = values.astype(np.float64)
        codes[~np.isfinite(codes)] = np.nan
    elif feature.is_numeric:
        codes = np.array([_number(v) for v in values], dtype=np.float64)
    else:
        position = _positions(feature)
        codes = np.array([_position(v, position) for v in values], dtype=np.float64)
    return codes, np.isnan(codes)


def encode_value(feature: Feature, value: Any) -> float:
    """The code of one value; NaN for one outside the feature's domain."""
    return _number(value) if feature.is_numeric else _position(value, _positions(feature))


def level_name(value: Any) -> str:
    """The name of a level as people write it: whole floats lose their `.0`, so that 1, 1.0 and "1" are one level."""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def written(value: Any) -> str:
    """A value as a message shows it, the same whether it came as numpy's or as Python's own."""
    return repr(value.item() if isinstance(value, np.generic) else value)


def _number(value: Any) -> float:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        return np.nan
    try:
        number = float(value)
    except OverflowError:  # a whole number beyond what a float can hold
        return np.nan
    return number if np.isfinite(number) else np.nan


def _position(value: Any, position: Mapping[str, float]) -> float:
    """The position of a level; NaN for what is none, a missing value among them whatever the levels are called."""
    if isinstance(value, str):
        return position.get(value, np.nan)
    if value is None or (isinstance(value, (float, np.floating)) and np.isnan(value)):
        return np.nan
    try:
        return position.get(level_name(value), np.nan)
    except ValueError:  # a whole number too long to be written out
        return np.nan


@lru_cache(1024)
def _positions(feature: Feature) -> Mapping[str, float]:
    return {level: float(i) for i, level in enumerate(feature.levels)}
