"""A prompt for all queries of a task: one long beginning that is the same for all, and a short end for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from sensecf_bench.prompting.answer_format import AnswerFormat
from sensecf_bench.prompting.parsing import parse_answer
from sensecf_bench.prompting.wording import template_for
from sensecf_bench.prompting.writing import answer_text

if TYPE_CHECKING:
    from sensecf_bench.prompting.answer_format import Style
    from sensecf_bench.prompting.brief import Brief
    from sensecf_bench.prompting.parsing import Proposal
    from sensecf_bench.prompting.shots import Shot
    from sensecf_bench.prompting.wording import Template


class Message(TypedDict):
    """One message of a chat, as chat protocols and chat templates both take it."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, eq=False)
class Prompt:
    """How to ask for a counterfactual, and how to read the answer. Rows are in raw units, by feature name."""

    brief: Brief
    answer: AnswerFormat
    template: Template
    shots: tuple[Shot, ...] = ()

    @classmethod
    def of(
        cls,
        brief: Brief,
        style: Style = "edits",
        *,
        version: int | None = None,
        rationale: bool | None = None,
        shots: Sequence[Shot] = (),
    ) -> Prompt:
        """The newest wording of a style unless a version is given; edits come with a rationale unless told otherwise."""
        wants_rationale = style == "edits" if rationale is None else rationale
        return cls(
            brief, AnswerFormat(brief.schema, style, wants_rationale), template_for(style, version), tuple(shots)
        )

    def prefix(self) -> list[Message]:
        """What stands before every query, byte for byte the same: the system message and the examples."""
        return [_message(role, content) for role, content in self._prefix]

    def messages(self, row: Mapping[str, Any]) -> list[Message]:
        """The whole prompt for one query: the prefix, then the query's own values."""
        return [*self.prefix(), _message("user", self._question(row))]

    def json_schema(self, row: Mapping[str, Any] | None = None, *, bounds: bool = True) -> dict[str, Any]:
        """The JSON schema of an answer; see `AnswerFormat.json_schema`."""
        return self.answer.json_schema(row, bounds=bounds)

    def parse(self, text: str | None, row: Mapping[str, Any]) -> Proposal:
        """Read the answer to the query with this row. Raises Unparsable."""
        return parse_answer(text, self.answer, row)

    def example(
        self, row: Mapping[str, Any], counterfactual: Mapping[str, Any], rationale: str | None = None
    ) -> list[Message]:
        """A prompt with its answer, for fine-tuning."""
        return [*self.messages(row), _message("assistant", answer_text(self.answer, row, counterfactual, rationale))]

    @cached_property
    def _prefix(self) -> tuple[tuple[Literal["system", "user", "assistant"], str], ...]:
        turns: list[tuple[Literal["system", "user", "assistant"], str]] = []
        for shot in self.shots:
            turns.append(("user", self._question(shot.factual)))
            turns.append(("assistant", answer_text(self.answer, shot.factual, shot.counterfactual)))
        system = self.template.render("system", brief=self.brief, answer=self.answer)
        return (("system", system), *turns)

    def _question(self, row: Mapping[str, Any]) -> str:
        return self.template.render("user", brief=self.brief, person=row)


def _message(role: Literal["system", "user", "assistant"], content: str) -> Message:
    return {"role": role, "content": str(content)}
