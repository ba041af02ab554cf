"""What a server understands, found out by asking: how it can be held to a form, and what it calls things.

Found out once a process and remembered. Only what leaves the request's meaning alone is adapted: a server that refuses a
temperature is not asked at another one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sensecf_bench.prompting import Prompt
    from sensecf_openai.options import Structured

LADDER = ("schema", "schema-without-bounds", "json", "plain")
RUNGS: Mapping[str, tuple[str, ...]] = {
    "auto": LADDER,
    "schema": LADDER[:2],
    "json": ("json",),
    "plain": ("plain",),
}
ABOUT_FORM = re.compile(r"response_format|json_schema|json_object|json mode|schema|structured|guided|grammar", re.I)
ABOUT_SEED = re.compile(r"\bseed\b", re.I)
ABOUT_LENGTH = re.compile(r"\bmax_completion_tokens\b", re.I)


@dataclass(frozen=True)
class Manner:
    """One way of asking."""

    rungs: tuple[str, ...]  # those that are left, first the one in use
    seed: bool = True
    length: str = "max_tokens"

    @property
    def rung(self) -> str:
        return self.rungs[0]


class Dialect:
    """The manner in use, shared by all calls of a process."""

    def __init__(self, structured: Structured) -> None:
        self.manner = Manner(RUNGS[structured])

    def adapt(self, used: Manner, complaint: str) -> bool:
        """Whether to ask again after a server refused a request made in the manner `used` with these words."""
        if used != self.manner:
            return True  # another call has learnt since
        learnt = used
        if ABOUT_LENGTH.search(complaint) and used.length == "max_tokens":
            learnt = replace(learnt, length="max_completion_tokens")
        if ABOUT_SEED.search(complaint) and used.seed:
            learnt = replace(learnt, seed=False)
        if ABOUT_FORM.search(complaint) and len(used.rungs) > 1:
            learnt = replace(learnt, rungs=used.rungs[1:])
        self.manner = learnt
        return learnt != used


def response_formats(prompt: Prompt) -> dict[str, str]:
    """What to ask for on each rung, as JSON. The schema is the same for all queries: a server compiles it once."""
    return {
        "schema": _schema(prompt.json_schema()),
        "schema-without-bounds": _schema(prompt.json_schema(bounds=False)),
        "json": json.dumps({"type": "json_object"}),
        "plain": "",
    }


def _schema(schema: dict[str, Any]) -> str:
    named = {"name": "counterfactual", "strict": True, "schema": schema}
    return json.dumps({"type": "json_schema", "json_schema": named}, ensure_ascii=False)
