"""The grammar of an answer: `{"changes":[{"feature":…,"value":…},…],"rationale":"…"}`, without white space.

At least one edit, each feature at most once and in the schema's order, so that "not twice" takes a rule for every feature
instead of one for every set of features: `any_i` is an edit of feature i with or without later ones, or else `any_i+1`. A
feature that has to be edited cannot be passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sensecf_huggingface.grammar.values import levels, listed, numbers, spelled

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sensecf_bench import Feature, FeatureSchema

LONGEST_RATIONALE = 240  # characters
MOST_BYTES = 6  # of a character of a rationale: an escape such as \u003c
NAMED_IN_RATIONALE = 3  # features; the training answers' own sentence names as many, and must fit
HEX = "[0-9a-fA-F]"
# What a JSON string may hold as it is, and the escapes of what a reader takes: no NUL, no half of a surrogate pair.
CHARACTER = (
    r'[^"\\\x00-\x1F] | "\\" (["\\/bfnrt] | "u" ('
    rf'"00" ("0" [1-9a-fA-F] | [1-9a-fA-F] {HEX}) | "0" [1-9a-fA-F] {HEX}{{2}} | '
    rf"[1-9a-cA-CeEfF] {HEX}{{3}} | [dD] [0-7] {HEX}{{2}}))"
)


@dataclass(frozen=True)
class EditGrammar:
    """A grammar in EBNF, and the most bytes of an answer, which no answer's count of tokens exceeds."""

    text: str
    longest: int


def edit_list_grammar(
    schema: FeatureSchema,
    row: Mapping[str, Any],
    *,
    rationale: bool,
    said: Mapping[str, Sequence[float]] | None = None,
    mended: Collection[str] = (),
) -> EditGrammar | None:
    """The grammar of the answers to the query with this row (raw units); None where no edit is possible.

    `said` lists, by feature, the only numbers that may be said, for models that know no others; they lie within hard bounds
    and within the range of the training rows. `mended` names numbers that lie outside that range: every answer brings them
    into it, where the schema allows that.

    An answer in it can be parsed, and the row it proposes keeps immutable features, hard bounds and directions, if the
    row asked about does. Rows with the same to mend get the same text unless a mutable feature has a direction.
    """
    must = {f.name for f in schema.features if f.name in mended and _edit(schema, f, row, said, inside=True)}
    found = {f.name: _edit(schema, f, row, said, inside=f.name in must) for f in schema.features}
    possible = {name: edit for name, edit in found.items() if edit is not None}
    if not possible:
        return None
    edits = list(possible.values())
    last = max((i for i, name in enumerate(possible) if name in must), default=-1)
    most = _longest_rationale(schema) if rationale else 0
    lines = [f'root ::= "{{\\"changes\\":[" any0 "]{_tail(most)}']
    for i, (name, edit) in enumerate(possible.items()):
        passed = "" if name in must or i + 1 == len(edits) else f" | any{i + 1}"
        lines.append(f"any{i} ::= edit{i}{_later(i, last, len(edits))}{passed}")
        lines.append(f"edit{i} ::= {edit.text}")
    longest = sum(edit.longest + 1 for edit in edits) + len('{"changes":[]}')
    if rationale:
        lines.append(f"character ::= {CHARACTER}")
        longest += most * MOST_BYTES + len(',"rationale":""')
    return EditGrammar("\n".join(lines) + "\n", longest)


def _later(i: int, last: int, count: int) -> str:
    """What follows an edit of feature i, of so many, if one has to come as late as at `last`."""
    if i + 1 == count:
        return ""
    return f' "," any{i + 1}' if i < last else f' ("," any{i + 1})?'


def _tail(most: int) -> str:
    return f',\\"rationale\\":\\"" character{{0,{most}}} "\\"}}"' if most else '}"'


def _edit(
    schema: FeatureSchema,
    feature: Feature,
    row: Mapping[str, Any],
    said: Mapping[str, Sequence[float]] | None,
    *,
    inside: bool,
) -> EditGrammar | None:
    """The edits of one feature, with `inside` only those into the range of the training rows; None where there is none."""
    if not feature.mutable:
        return None
    name, _ = spelled(feature, row[feature.name])
    head = f'{{"feature":{name},"value":'
    if feature.is_numeric and said is None:
        grid = numbers(schema, feature, row, inside=inside)
        if grid is None:
            return None
        value, longest = grid.expression(), grid.longest
    else:
        choices = listed(feature, row, said[feature.name]) if feature.is_numeric and said else levels(feature, row)
        if not choices:
            return None
        value, longest = f"({' | '.join(map(_literal, choices))})", max(map(_size, choices))
    return EditGrammar(f'{_literal(head)} {value} "}}"', _size(head) + longest + 1)


def _longest_rationale(schema: FeatureSchema) -> int:
    names = sorted((len(name) for name in schema.names), reverse=True)[:NAMED_IN_RATIONALE]
    return max(LONGEST_RATIONALE, sum(names) + LONGEST_RATIONALE // 2)


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _size(text: str) -> int:
    return len(text.encode())
