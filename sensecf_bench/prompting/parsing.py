"""Reading an answer: strictly, because a guess about what a model meant would be the harness's proposal, not its own.

The parser judges only whether the text says something definite in the answer format. What it says may break every rule of
the schema (values out of bounds, unknown levels, fractions of integers, changed immutables): that is for admission to
reject, with its own reasons. Two things are overlooked: white space around the answer, and one Markdown fence around
all of it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from sensecf_bench.prompting.values import coded, loosely_coded

if TYPE_CHECKING:
    from sensecf_bench.prompting.answer_format import AnswerFormat
    from sensecf_bench.schema import Feature, FeatureSchema

LONGEST = 2**18  # characters; a thousand features fit several times over
FENCE = "```"


class Unparsable(Exception):  # noqa: N818 - named after the outcome it leads to
    """A text that says nothing definite in the answer format; `why` in a few words."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, eq=False)
class Proposal:
    """What an answer says: a whole row in raw units, the features in which it differs from the factual, and why."""

    row: Mapping[str, Any]
    changed: tuple[str, ...]
    rationale: str = ""


def parse_answer(text: str | None, answer: AnswerFormat, row: Mapping[str, Any]) -> Proposal:
    """Read an answer to the query with this factual row (raw units). Raises Unparsable."""
    content = _loaded(_unfenced(text or ""))
    rationale = ""
    if answer.body:
        parts = _properties(content, (answer.body, "rationale") if answer.rationale else (answer.body,), "the answer")
        content = parts[answer.body]
        rationale = _clean(parts.get("rationale", ""), "the rationale")
    said = _edits(answer.schema, content) if answer.style == "edits" else _whole_row(answer.schema, content)
    proposed = {**row, **said} if answer.style == "edits" else said
    return Proposal(proposed, _changed(answer.schema, row, proposed), rationale)


def _unfenced(text: str) -> str:
    if len(text) > LONGEST:
        raise Unparsable(f"longer than {LONGEST} characters")
    text = text.strip()
    if not text:
        raise Unparsable("empty")
    if not text.startswith(FENCE):
        return text
    language, _, rest = text.removeprefix(FENCE).partition("\n")
    inside = rest.removesuffix(FENCE)
    if language.strip().lower() not in ("", "json") or inside == rest or not inside.endswith("\n"):
        raise Unparsable("a Markdown fence that does not enclose the whole answer")
    return inside


def _loaded(text: str) -> Any:
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_int=_number, parse_float=_number, parse_constant=_no_constant
        )
    except json.JSONDecodeError as error:
        raise Unparsable(f"not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise Unparsable("nested too deeply") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key, value in pairs:
        if key in content:
            raise Unparsable(f"the key {_short(key)} twice in one object")
        content[key] = value
    return content


def _number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Unparsable("a number beyond what a float can hold")
    return number


def _no_constant(name: str) -> NoReturn:
    raise Unparsable(f"{name} is not a JSON number")


def _properties(content: Any, wanted: tuple[str, ...], what: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise Unparsable(f"{what} is {_kind(content)}, not an object")
    for name in wanted:
        if name not in content:
            raise Unparsable(f"{what} has no {_short(name)}")
    for name in content:
        if name not in wanted:
            raise Unparsable(f"{what} has {_short(name)}, which nobody asked for")
    return content


def _edits(schema: FeatureSchema, content: Any) -> dict[str, Any]:
    if not isinstance(content, list):
        raise Unparsable(f"the changes are {_kind(content)}, not a list")
    by_name = {f.name: f for f in schema.features}
    said: dict[str, Any] = {}
    for change in content:
        parts = _properties(change, ("feature", "value"), "a change")
        name = parts["feature"]
        if not isinstance(name, str) or name not in by_name:
            raise Unparsable(f"no feature is called {_short(name)}")
        if name in said:
            raise Unparsable(f"{_short(name)} is changed twice")
        said[name] = _value(by_name[name], parts["value"])
    return said


def _whole_row(schema: FeatureSchema, content: Any) -> dict[str, Any]:
    values = _properties(content, schema.names, "the row")
    return {f.name: _value(f, values[f.name]) for f in schema.features}


def _value(feature: Feature, value: Any) -> Any:
    """A value of the right JSON type: a number (5 and 5.0 are one number), or a level as a string."""
    if not feature.is_numeric:
        return _clean(value, _short(feature.name))
    if not isinstance(value, float):  # every JSON number was read as a float
        raise Unparsable(f"{_short(feature.name)} is {_kind(value)}, not a number")
    whole = feature.kind == "integer" and value.is_integer() and abs(value) < 2**63
    return int(value) if whole else value


def _clean(text: Any, what: str) -> str:
    """A string that any file and database can hold."""
    if not isinstance(text, str):
        raise Unparsable(f"{what} is {_kind(text)}, not a string")
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise Unparsable(f"{what} holds a character that is not text")
    return text


def _changed(schema: FeatureSchema, row: Mapping[str, Any], proposed: Mapping[str, Any]) -> tuple[str, ...]:
    after = loosely_coded(schema, proposed)
    differs = np.isnan(after) | schema.changed(after[None], coded(schema, row)[None])[0]
    return tuple(name for name, differ in zip(schema.names, differs) if differ)


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a string", float: "a number", bool: "true or false"}
    return kinds.get(type(value), "null")


def _short(value: Any) -> str:
    """Part of an answer for a message: plain ASCII, because it may hold anything."""
    return ascii(value[:50]) if isinstance(value, str) else _kind(value)
