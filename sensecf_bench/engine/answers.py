"""What became of a set of queries: one outcome each, and the rows that came back, ready to be stored.

A `Ledger` is filled by the worker call by call and turned into two tables: queries and rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.admission import Answers, ProtocolError, Reason, admit
from sensecf_bench.contracts import classes_of
from sensecf_bench.queries import Outcome, QueryBatch
from sensecf_bench.schema import QUERY_ID

if TYPE_CHECKING:
    import pandas as pd

    from sensecf_bench.contracts import Classifier
    from sensecf_bench.engine.supervisor import Meter
    from sensecf_bench.engine.wire import Message
    from sensecf_bench.schema import FeatureSchema, Matrix

NOT_PREDICTED = -1
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
    """Outcomes and rows of a batch of queries, by query id."""

    queries: QueryBatch
    classifier: Classifier
    entries: dict[str, Entry] = field(init=False)
    _rows: list[pd.DataFrame] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.entries = {query_id: Entry() for query_id in self.queries.ids}

    def charge(self, asked: QueryBatch, meter: Meter) -> None:
        """Share what a call took among the queries it was about."""
        for query_id in asked.ids:
            entry = self.entries[query_id]
            entry.seconds += meter.seconds / len(asked)
            entry.calls += meter.calls / len(asked)
            entry.rows += meter.rows / len(asked)

    def fail(self, asked: QueryBatch, outcome: Outcome, reason: str, detail: str) -> None:
        for query_id in asked.ids:
            entry = self.entries[query_id]
            entry.outcome, entry.reason, entry.detail = outcome, reason, detail[:LONGEST_TEXT]

    def record(self, asked: QueryBatch, answer: Message, k: int) -> None:
        """Admit an answer, predict its rows with the harness's own classifier, and settle the outcomes.

        Raises ProtocolError when the answer cannot be matched to what was asked.
        """
        columns = _columns(answer, asked)
        unparsable, usage = answer.content["unparsable"], answer.content["usage"]
        strangers = sorted((set(unparsable) | set(usage)) - set(asked.ids))
        if strangers:
            raise ProtocolError(f"notes about queries nobody asked: {strangers[:5]}")
        rows = admit(columns, asked, k)
        self._settle(asked, rows, unparsable)
        for query_id, (prompt, completion, usd) in usage.items():
            entry = self.entries[query_id]
            entry.prompt_tokens, entry.completion_tokens, entry.usd = int(prompt), int(completion), float(usd)
        if len(rows.owner):
            self._rows.append(self._predicted(asked, rows))

    def query_table(self) -> pd.DataFrame:
        """A row a query: its factual in raw units, and what became of it."""
        import pandas as pd

        q = self.queries
        frame = q.schema.decode(q.matrix)
        frame.insert(0, QUERY_ID, list(q.ids))
        entries = [self.entries[query_id] for query_id in q.ids]
        frame["cf_current"], frame["cf_target"] = q.current, q.target
        notes = pd.DataFrame([vars(e) for e in entries], columns=list(Entry.__dataclass_fields__)).add_prefix("cf_")
        notes["cf_outcome"] = [str(e.outcome) for e in entries]
        return pd.concat([frame, notes], axis=1)

    def row_table(self) -> pd.DataFrame:
        """A row a returned row, admitted or not."""
        import pandas as pd

        if not self._rows:
            nobody = self.queries.take([])
            return self._predicted(nobody, admit(_no_columns(nobody), nobody, k=1))
        return pd.concat(self._rows, ignore_index=True)

    def _settle(self, asked: QueryBatch, rows: Answers, unparsable: Mapping[str, str]) -> None:
        for query_id in asked.ids:
            self.entries[query_id].outcome = Outcome.ABSTAINED
        for query_id, text in unparsable.items():
            entry = self.entries[query_id]
            entry.outcome, entry.reason, entry.detail = Outcome.UNPARSABLE, "unparsable", text[:LONGEST_TEXT]
        for i, reason, detail in zip(rows.owner, rows.reasons, rows.details, strict=True):
            entry = self.entries[asked.ids[i]]
            if reason is Reason.ADMITTED:
                entry.outcome, entry.reason, entry.detail = Outcome.FOUND, "", ""
            elif entry.outcome not in (Outcome.FOUND, Outcome.REJECTED):
                entry.outcome, entry.reason, entry.detail = Outcome.REJECTED, str(reason), detail

    def _predicted(self, asked: QueryBatch, rows: Answers) -> pd.DataFrame:
        import pandas as pd

        admitted = np.array([r is Reason.ADMITTED for r in rows.reasons])
        predicted = np.full(len(rows.owner), NOT_PREDICTED, dtype=np.int64)
        probability = np.full(len(rows.owner), np.nan)
        if admitted.any():
            probabilities = self.classifier.predict_proba(rows.matrix[admitted])
            predicted[admitted] = classes_of(probabilities)
            probability[admitted] = probabilities[np.arange(len(probabilities)), asked.target[rows.owner[admitted]]]
        frame = _row_table(asked.schema, [asked.ids[i] for i in rows.owner], rows.matrix)
        frame["cf_rank"] = rows.rank.astype(np.int64)
        frame["cf_reason"] = pd.Series([str(r) for r in rows.reasons], dtype="str")
        frame["cf_detail"] = pd.Series(rows.details, dtype="str")
        frame["cf_predicted"], frame["cf_probability"] = predicted, probability
        return frame


def _row_table(schema: FeatureSchema, ids: list[str], matrix: Matrix) -> pd.DataFrame:
    """Returned rows in raw units; numbers are floats throughout, and what could not be read is left empty."""
    import pandas as pd

    columns: dict[str, Any] = {QUERY_ID: pd.Series(ids, dtype="str")}
    for j, feature in enumerate(schema.features):
        values = matrix[:, j]
        if feature.is_numeric:
            columns[feature.name] = values
        else:
            named = [feature.levels[int(v)] if np.isfinite(v) else None for v in values]
            columns[feature.name] = pd.Series(named, dtype="str")
    return pd.DataFrame(columns)


def _columns(answer: Message, asked: QueryBatch) -> dict[str, Any]:
    if answer.content["columns"] is None:
        return _no_columns(asked)
    listed = {name: np.array(values, dtype=object) for name, values in answer.content["columns"].items()}
    columns = {**listed, **answer.arrays}
    if len({len(values) for values in columns.values()}) > 1:
        raise ProtocolError("columns of different lengths")
    return columns


def _no_columns(asked: QueryBatch) -> dict[str, Any]:
    return {name: np.empty(0, dtype=object) for name in (QUERY_ID, *asked.schema.names)}
