"""How values and names are written in prompts and answers, and how rows are coded without pandas."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.errors import SchemaError
from sensecf_bench.schema import FeatureSchema, encode_value, written

if TYPE_CHECKING:
    from sensecf_bench.schema import Feature, Matrix

SIGNIFICANT = 12  # digits after which a number is noise and not measurement
ROUGHLY = 4  # digits of a statistic
SMALLEST_PLAIN, LARGEST_PLAIN = 1e-9, 1e16  # beyond these, zeros are harder to count than an exponent is to read
# What begins like a token by which chat templates part the speakers: <|eot_id|>, </s>, [INST]
LIKE_A_CONTROL_TOKEN = re.compile(r"<(?=[|｜]|/?\w+>)|\[(?=/?[A-Z_]+\])")


class Written(str):
    """Text that was made fit for a prompt. Templates print nothing else, so that none can forget to quote."""

    __slots__ = ()


@functools.lru_cache(maxsize=1 << 12)
def quoted(text: str) -> Written:
    """A JSON string on one line, whatever the text holds: what is invisible, or looks like a control token of a chat
    template, is escaped."""
    raw = LIKE_A_CONTROL_TOKEN.sub(lambda found: _escaped(found[0]), json.dumps(text, ensure_ascii=False))
    return Written("".join(c if c.isprintable() else _escaped(c) for c in raw))


def plain(number: float) -> Written:
    """A number as JSON, without a trailing `.0`, and without an exponent unless it is very large or very small."""
    number = float(number) + 0.0  # no -0
    if number == 0 or not SMALLEST_PLAIN <= abs(number) < LARGEST_PLAIN:
        return Written(repr(number).removesuffix(".0"))
    return Written(np.format_float_positional(number, trim="-"))


def roughly(number: float) -> Written:
    """A statistic to four significant digits."""
    return plain(float(f"{number:.{ROUGHLY}g}"))


def percent(share: float) -> Written:
    return Written(f"{100 * share:.0f} %")


@functools.lru_cache(maxsize=1 << 16)
def number_text(feature: Feature, number: float) -> Written:
    """The shortest text that says the same number.

    The same is what differs by less than half the precision and lies within the bounds, so that whoever copies the text
    has changed nothing and broken no rule.
    """
    candidates = [plain(number), plain(float(f"{number:.{SIGNIFICANT}g}"))]
    if feature.kind == "continuous" and feature.precision is not None:
        candidates.append(plain(round(number, _decimals(feature.precision))))
    return min((text for text in candidates if _says(feature, text, number)), key=len, default=candidates[0])


def value_text(feature: Feature, value: Any) -> Written:
    """One value in raw units as JSON."""
    return number_text(feature, float(value)) if feature.is_numeric else quoted(str(value))


def coded(schema: FeatureSchema, row: Mapping[str, Any]) -> Matrix:
    """A row in raw units in internal coding, shape `(d,)`. Raises SchemaError naming the feature that does not fit."""
    vector, bad = _codes(schema, row)
    if bad.any():
        name = schema.names[int(np.argmax(bad))]
        raise SchemaError(f"the row's {name!r} does not fit the schema: {written(row.get(name))}")
    return vector


def loosely_coded(schema: FeatureSchema, row: Mapping[str, Any]) -> Matrix:
    """The same, with NaN for what does not fit."""
    return _codes(schema, row)[0]


def decoded(schema: FeatureSchema, vector: Matrix) -> dict[str, Any]:
    """An internally coded row of shape `(d,)` in raw units, by feature name."""
    return {f.name: _raw(f, float(code)) for f, code in zip(schema.features, vector)}


def as_written(schema: FeatureSchema, vector: Matrix) -> Matrix:
    """The row of shape `(d,)` that a reader of its text would know."""
    shown = [
        float(number_text(f, float(code))) if f.is_numeric else float(code) for f, code in zip(schema.features, vector)
    ]
    return np.array(shown, dtype=np.float64)


def _codes(schema: FeatureSchema, row: Mapping[str, Any]) -> tuple[Matrix, Any]:
    codes = np.array([encode_value(f, row.get(f.name)) for f in schema.features])
    return codes, np.isnan(codes)


def _raw(feature: Feature, code: float) -> Any:
    if not feature.is_numeric:
        return feature.levels[int(code)]
    return round(code) if feature.kind == "integer" else code


def _says(feature: Feature, text: str, number: float) -> bool:
    low, high = feature.bounds
    read = float(text)
    inside = (low is None or read >= low) and (high is None or read <= high)
    return inside and not _alone(feature).changed(np.array([[read]]), np.array([[number]]))[0, 0]


@functools.lru_cache(1024)
def _alone(feature: Feature) -> FeatureSchema:
    return FeatureSchema((feature,))


def _decimals(precision: float) -> int:
    exponent = Decimal(repr(precision)).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) and math.isfinite(precision) else 0


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))
