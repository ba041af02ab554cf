"""Which values an edit may give a feature: within its hard bounds, and on the allowed side of what the person has now.

A feature without direction has the same values for everybody, so that one grammar serves all rows. One with a direction has
the values that are a change in it: whoever is at the end of the one way they may go gets none.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sensecf_bench import FeatureSchema
from sensecf_bench.prompting import row_text
from sensecf_huggingface.grammar.numbers import EXACT, Grid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sensecf_bench import Feature

MEANINGFUL = 6  # significant digits of a feature without a precision
RESOLVED = 17  # significant digits that a float can tell apart
UNKNOWN_REACH = 15  # digits of a number about which neither bounds nor training rows say anything
NOISE = Decimal("1e-9")  # relative difference below which two numbers without a precision are one
MOST_DIGITS = 308  # of a float


def spelled(feature: Feature, value: Any) -> tuple[str, str]:
    """A feature's name and one of its values as prompts and answers spell them."""
    text = row_text(FeatureSchema((feature,)), {feature.name: value})
    _, end = json.JSONDecoder().raw_decode(text, 1)
    return text[1:end], text[end + 1 : -1]


def levels(feature: Feature, row: Mapping[str, Any]) -> list[str]:
    """The levels an edit may choose, spelled; a level that no answer could say without being refused is none of them."""
    now = feature.levels.index(str(row[feature.name])) if feature.direction != "any" else -1
    first = now + 1 if feature.direction == "increase" else 0
    last = now if feature.direction == "decrease" else len(feature.levels)
    return [_spelled_level(feature, level) for level in feature.levels[first:last] if _sayable(level)]


def listed(feature: Feature, row: Mapping[str, Any], values: Sequence[float]) -> list[str]:
    """Of some numbers those that an edit may choose, spelled."""
    now = float(row[feature.name])
    step = (feature.step or float(NOISE) * max(1.0, abs(now))) / 2
    if feature.direction == "increase":
        values = [value for value in values if value >= now + step]
    elif feature.direction == "decrease":
        values = [value for value in values if value <= now - step]
    whole = feature.kind == "integer"
    return [_spelled_number(feature, round(value) if whole else float(value)) for value in values]


def numbers(schema: FeatureSchema, feature: Feature, row: Mapping[str, Any], *, inside: bool = False) -> Grid | None:
    """The numbers an edit may choose, with `inside` only those within the range of the training rows; None where there is
    none."""
    now = Decimal(repr(float(row[feature.name]))) if feature.direction != "any" else None
    return _numbers(feature, _seen(schema, feature), now, inside)


@lru_cache(65536)
def _numbers(feature: Feature, seen: tuple[float, float] | None, now: Decimal | None, inside: bool) -> Grid | None:
    bounds = seen if inside and seen is not None else feature.bounds  # the training rows keep the hard ones
    low, high = (None if edge is None else Decimal(repr(edge)) for edge in bounds)
    if now is not None:
        step = Decimal(repr(feature.step)) / 2 if feature.step else NOISE * max(Decimal(1), abs(now))
        if feature.direction == "increase":
            least = EXACT.add(now, step)
            low = least if low is None else max(low, least)
        else:
            most = EXACT.subtract(now, step)
            high = most if high is None else min(high, most)
    known = [abs(edge) for edge in (low, high, now) if edge is not None]
    reach = _reach(known, seen)
    low = -reach if low is None else low
    high = reach if high is None else high
    if low > high:
        return None
    if feature.kind == "integer":
        grid = Grid.between(low, high, 0)
        return None if grid.empty else grid
    decimals = _decimals(feature, max(abs(low), abs(high)) if seen is None else _largest(seen), reach)
    while (grid := Grid.between(low, high, decimals)).empty:
        decimals += 1  # bounds closer together than the precision: the fewest decimals that reach between them
    return grid


def _reach(known: list[Decimal], seen: tuple[float, float] | None) -> Decimal:
    """How far a number goes on a side where nothing bounds it: a digit beyond all that is known of the feature."""
    if not known and seen is None:
        return Decimal(10) ** UNKNOWN_REACH - 1
    largest = max([*known, *([] if seen is None else [_largest(seen)])])
    digits = max(1, largest.adjusted() + 1) + 1 if largest else 2
    return Decimal(repr(sys.float_info.max)) if digits > MOST_DIGITS else Decimal(10) ** digits - 1


def _decimals(feature: Feature, largest: Decimal, reach: Decimal) -> int:
    """Decimals that mean something: those of the precision, or else of six significant digits."""
    leading = largest.adjusted() if largest else 0
    if feature.precision is None:
        return max(0, MEANINGFUL - 1 - leading)
    exponent = Decimal(repr(feature.precision)).normalize().as_tuple().exponent
    wanted = -exponent if isinstance(exponent, int) else 0
    return max(0, min(wanted, RESOLVED - 1 - leading))


def _seen(schema: FeatureSchema, feature: Feature) -> tuple[float, float] | None:
    """The range of the training rows, where it is known."""
    if schema.scales is None:
        return None
    j = schema.names.index(feature.name)
    return float(schema.scales.low[j]), float(schema.scales.high[j])


def _largest(seen: tuple[float, float]) -> Decimal:
    return max(abs(Decimal(repr(edge))) for edge in seen)


@lru_cache(65536)
def _spelled_level(feature: Feature, level: str) -> str:
    return spelled(feature, level)[1]


@lru_cache(65536)
def _spelled_number(feature: Feature, value: float) -> str:
    return spelled(feature, value)[1]


def _sayable(level: str) -> bool:
    return "\0" not in level and not any("\ud800" <= c <= "\udfff" for c in level)
