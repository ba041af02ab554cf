"""The two forms an answer may have, and their JSON schemas.

`edits` lists the changes alone, `row` is the whole changed row. The schemas keep to what strict structured outputs and
grammar compilers both take: objects with every property required and none beside, enumerations, and bounds.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sensecf_bench.errors import SchemaError
from sensecf_bench.prompting.values import value_text

if TYPE_CHECKING:
    from sensecf_bench.schema import Feature, FeatureSchema

Style = Literal["edits", "row"]
Row = Mapping[str, Any]

FINEST_BOUNDED = 1e-6  # grammar compilers spell bounded numbers with up to six decimals; finer ones go without bounds


@dataclass(frozen=True, eq=False)
class AnswerFormat:
    """What an answer looks like.

    edits:                  `{"changes": [{"feature": name, "value": value}, …]}`, with `"rationale"` after it if asked for
    row:                    `{name: value, …}` with every feature
    row with a rationale:   `{"row": {name: value, …}, "rationale": "…"}`, so that no feature's name can collide with it
    """

    schema: FeatureSchema
    style: Style = "edits"
    rationale: bool = True

    def __post_init__(self) -> None:
        if not self.schema.mutable.any():
            raise SchemaError("no feature of this schema may change", "there is no counterfactual to ask for")

    @property
    def body(self) -> str:
        """The property that holds the proposal; empty where the answer is the proposal itself."""
        if self.style == "edits":
            return "changes"
        return "row" if self.rationale else ""

    def json_schema(self, row: Row | None = None, *, bounds: bool = True) -> dict[str, Any]:
        """The JSON schema of an answer.

        Without a row it is the same for all queries, and a compiled grammar can be kept. With the query's row, immutable
        features are held to their value and directions are respected. `bounds=False` leaves out limits of numbers and
        of the list's length, for decoders that refuse them.
        """
        inner = self._changes(row, bounds) if self.style == "edits" else self._row(row, bounds)
        if not self.body:
            return inner
        properties = {self.body: inner}
        if self.rationale:
            properties["rationale"] = {"type": "string"}
        return _object(properties)

    def _changes(self, row: Row | None, bounds: bool) -> dict[str, Any]:
        kinds = [
            _object({"feature": {"type": "string", "const": f.name}, "value": _value_schema(f, row, bounds)})
            for f in self.schema.features
            if f.mutable
        ]
        listed: dict[str, Any] = {"type": "array", "items": {"anyOf": kinds}}
        return {**listed, "maxItems": len(kinds)} if bounds else listed

    def _row(self, row: Row | None, bounds: bool) -> dict[str, Any]:
        return _object({f.name: _value_schema(f, row, bounds) for f in self.schema.features})


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _value_schema(feature: Feature, row: Row | None, bounds: bool) -> dict[str, Any]:
    if not feature.is_numeric:
        return {"type": "string", "enum": _levels(feature, row)}
    entry: dict[str, Any] = {"type": "integer" if feature.kind == "integer" else "number"}
    if row is not None and not feature.mutable:
        return {**entry, "enum": [_shown(feature, row)]}
    if feature.precision is not None and feature.precision < FINEST_BOUNDED:
        return entry
    low, high = _limits(feature, row)
    if bounds and low is not None:
        entry["minimum"] = low
    if bounds and high is not None:
        entry["maximum"] = high
    return entry


def _levels(feature: Feature, row: Row | None) -> list[str]:
    if row is None:
        return list(feature.levels)
    now = feature.levels.index(str(row[feature.name]))
    if not feature.mutable:
        return [feature.levels[now]]
    first = now if feature.direction == "increase" else 0
    last = now if feature.direction == "decrease" else len(feature.levels) - 1
    return list(feature.levels[first : last + 1])


def _limits(feature: Feature, row: Row | None) -> tuple[float | None, float | None]:
    hard = low, high = _hard_limits(feature)
    if row is None or feature.direction == "any":
        return hard
    now = _shown(feature, row)
    if feature.direction == "increase":
        low = now if low is None else max(low, now)
    else:
        high = now if high is None else min(high, now)
    # A person beyond the bounds cannot come back within them in the allowed direction; an empty range compiles nowhere.
    return hard if low is not None and high is not None and low > high else (low, high)


def _hard_limits(feature: Feature) -> tuple[float | None, float | None]:
    low, high = feature.bounds
    if feature.kind == "integer":
        return None if low is None else math.ceil(low), None if high is None else math.floor(high)
    return _short(low), _short(high)


def _short(limit: float | None) -> float | None:
    """Whole limits as whole numbers: grammars of decimals are larger."""
    return int(limit) if limit is not None and limit.is_integer() and abs(limit) < 2**53 else limit


def _shown(feature: Feature, row: Row) -> float:
    """The value as the prompt shows it: whoever copies it has changed nothing."""
    shown: float = json.loads(value_text(feature, row[feature.name]))
    return shown
