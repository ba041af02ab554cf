"""What became of a set of queries: one outcome each, and the rows that came back.

A `Ledger` is filled by the worker call by call; what it comes to is stored as a shard (see `shards`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.admission import Answers, ProtocolError, Reason, admit
from sensecf_bench.queries import Outcome, QueryBatch
from sensecf_bench.schema import QUERY_ID

if TYPE_CHECKING:
    from sensecf_bench.engine.supervisor import Meter
    from sensecf_bench.engine.wire import Message

LONGEST_TEXT = 20_000


@dataclass
class Entry:
    """The outcome of one query and what it took; a call that served several queries is shared equally."""

    outcome: Outcome = Outcome.ABSTAINED
    reason: str = ""
    detail: str = ""
    seconds: float = 0.0
    calls: float = 0.0
    rows: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0


@dataclass
class Ledger:
    """Outcomes and rows of a batch of queries; `answers` pairs each call's queries with its rows."""

    queries: QueryBatch
    entries: dict[str, Entry] = field(init=False)
    answers: list[tuple[QueryBatch, Answers]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.entries = {query_id: Entry() for query_id in self.queries.ids}

    def charge(self, asked: QueryBatch, meter: Meter) -> None:
        """Share what a call took among the queries it was about."""
        for query_id in asked.ids:
            entry = self.entries[query_id]
            entry.seconds += meter.seconds / len(asked)
            entry.calls += meter.calls / len(asked)
            entry.rows += meter.rows / len(asked)

    def settle(self, asked: QueryBatch, outcome: Outcome, reason: str, detail: str) -> None:
        """End these queries alike, with a reason that does not come from an answer."""
        for query_id in asked.ids:
            entry = self.entries[query_id]
            entry.outcome, entry.reason, entry.detail = outcome, reason, _storable(detail)

    def record(self, asked: QueryBatch, answer: Message, k: int) -> None:
        """Admit an answer and settle the outcomes.

        Raises ProtocolError when the answer cannot be matched to what was asked.
        """
        columns = _columns(answer, asked)
        unparsable, usage = answer.content["unparsable"], answer.content["usage"]
        strangers = sorted((set(unparsable) | set(usage) | set(answer.content["rationales"])) - set(asked.ids))
        if strangers:
            raise ProtocolError(f"notes about queries nobody asked: {strangers[:5]}")
        rows = admit(columns, asked, k, answer.content["rationales"])
        self._settle(asked, rows, unparsable)
        for query_id, (prompt, completion, usd) in usage.items():
            entry = self.entries[query_id]
            entry.prompt_tokens, entry.completion_tokens, entry.usd = int(prompt), int(completion), float(usd)
        self.answers.append((asked, rows))

    def _settle(self, asked: QueryBatch, rows: Answers, unparsable: Mapping[str, str]) -> None:
        for query_id in asked.ids:
            self.entries[query_id].outcome = Outcome.ABSTAINED
        for query_id, text in unparsable.items():
            entry = self.entries[query_id]
            entry.outcome, entry.reason, entry.detail = Outcome.UNPARSABLE, "unparsable", _storable(text)
        for i, reason, detail in zip(rows.owner, rows.reasons, rows.details, strict=True):
            entry = self.entries[asked.ids[i]]
            if reason == Reason.ADMITTED:
                entry.outcome, entry.reason, entry.detail = Outcome.FOUND, "", ""
            elif entry.outcome not in (Outcome.FOUND, Outcome.REJECTED):
                entry.outcome, entry.reason, entry.detail = Outcome.REJECTED, str(reason), detail


def _storable(text: str) -> str:
    """The beginning of a text, without the half characters that a cut-off answer may end in."""
    return text[:LONGEST_TEXT].encode("utf-8", "replace").decode()


def _columns(answer: Message, asked: QueryBatch) -> dict[str, Any]:
    if answer.content["columns"] is None:
        return {name: np.empty(0, dtype=object) for name in (QUERY_ID, *asked.schema.names)}
    listed = {name: np.array(values, dtype=object) for name, values in answer.content["columns"].items()}
    columns = {**listed, **answer.arrays}
    if len({len(values) for values in columns.values()}) > 1:
        raise ProtocolError("columns of different lengths")
    return columns
