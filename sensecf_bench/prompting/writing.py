"""Writing a known counterfactual as an answer: for few-shot examples and as a target of fine-tuning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sensecf_bench.prompting.values import Written, coded, quoted, value_text

if TYPE_CHECKING:
    from sensecf_bench.prompting.answer_format import AnswerFormat
    from sensecf_bench.schema import FeatureSchema

MOST_NAMED = 3


def row_text(schema: FeatureSchema, row: Mapping[str, Any]) -> Written:
    """A row in raw units as compact JSON, features in schema order."""
    return _object((f.name, value_text(f, row[f.name])) for f in schema.features)


def answer_text(
    answer: AnswerFormat, row: Mapping[str, Any], counterfactual: Mapping[str, Any], rationale: str | None = None
) -> Written:
    """The answer that turns a row into a counterfactual, both in raw units.

    Differences below a feature's precision are no changes and are not listed. Without a rationale of yours, one that
    names the changed features is written where the format has one.
    """
    schema = answer.schema
    changed = changed_names(schema, row, counterfactual)
    if answer.style == "edits":
        edits = [
            _object([("feature", quoted(f.name)), ("value", value_text(f, counterfactual[f.name]))])
            for f in schema.features
            if f.name in changed
        ]
        body = Written(f"[{','.join(edits)}]")
    else:
        body = row_text(schema, counterfactual)
    if not answer.body:
        return body
    parts = [(answer.body, body)]
    if answer.rationale:
        parts.append(("rationale", quoted(plain_rationale(changed) if rationale is None else rationale)))
    return _object(parts)


def changed_names(schema: FeatureSchema, row: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[str, ...]:
    """The features in which two rows in raw units differ at their precision."""
    differs = schema.changed(coded(schema, other)[None], coded(schema, row)[None])[0]
    return tuple(name for name, differ in zip(schema.names, differs) if differ)


def plain_rationale(changed: tuple[str, ...]) -> str:
    """One sentence that claims no more than is known."""
    if not changed:
        return "Nothing is changed."
    if len(changed) > MOST_NAMED:
        return f"Changing these {len(changed)} features is enough to turn the prediction."
    named = ", ".join(changed[:-1]) + (" and " if len(changed) > 1 else "") + changed[-1]
    return f"Changing {named} is enough to turn the prediction."


def _object(pairs: Iterable[tuple[str, Written]]) -> Written:
    return Written("{" + ",".join(f"{quoted(name)}:{text}" for name, text in pairs) + "}")
