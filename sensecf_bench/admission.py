"""Admission: which of the rows a generator returned count as counterfactuals, and why the others do not.

A row is never repaired. A broken frame (wrong columns, an id nobody asked for, more rows than allowed) breaks the
protocol and costs the whole call; a row that breaks a rule of the schema costs that row alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.queries import LONGEST_RATIONALE, QueryBatch, texts_of
from sensecf_bench.schema import QUERY_ID, RELATIVE_SLACK, encode_column, written

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.constraints import LinearConstraint
    from sensecf_bench.schema import FeatureSchema, Matrix


CUT = "… [cut]"


class Reason(StrEnum):
    """Why a row was not admitted. The first that applies, in this order, is recorded; after them the constraints between
    features, in the schema's order, each with a reason of its own: see `reason_of`."""

    ADMITTED = ""
    NOT_A_NUMBER = "not-a-number"
    OUT_OF_VOCABULARY = "out-of-vocabulary"
    NOT_AN_INTEGER = "not-an-integer"
    OUTSIDE_HARD_BOUNDS = "outside-hard-bounds"
    IMMUTABLE_CHANGED = "immutable-changed"
    WRONG_DIRECTION = "wrong-direction"


def reason_of(constraint: LinearConstraint) -> str:
    """What is recorded for a row that breaks a constraint, such as `breaks-constraint:sleep-shares`."""
    return f"breaks-constraint:{constraint.name}"


class ProtocolError(Exception):
    """An answer that cannot be matched to what was asked."""


@dataclass(frozen=True, eq=False)
class Answers:
    """The rows of one answer after admission, `r` rows over `d` features."""

    owner: NDArray[np.intp]  # (r,) position of the query in the batch
    rank: NDArray[np.intp]  # (r,) 0 for a query's first row
    matrix: Matrix  # (r, d), internal coding; NaN where a value could not be coded
    reasons: tuple[str, ...]  # (r,) a `Reason`, or that of a constraint
    details: tuple[str, ...]  # (r,) the feature at fault and its value; of a constraint all its features
    rationales: tuple[str, ...]  # (r,) the generator's own words; "" where it gave none


def admit(
    columns: Mapping[str, NDArray[Any]],
    queries: QueryBatch,
    k: int,
    rationales: Mapping[str, Iterable[str]] | None = None,
) -> Answers:
    """Check an answer, given as columns by name, against the queries it answers.

    Raises ProtocolError when a column is missing or unknown, an id was not asked for, a query has more than `k` rows,
    or rationales that are not one text for each of its rows.
    """
    schema = queries.schema
    ids = _checked_ids(columns, schema, queries)
    position = {query_id: i for i, query_id in enumerate(queries.ids)}
    owner = np.array([position[i] for i in ids], dtype=np.intp)
    rank = _ranks(ids, k)

    matrix = np.empty((len(ids), len(schema)))
    failures: list[tuple[str, NDArray[np.bool_]]] = []
    unreadable: dict[str, NDArray[np.bool_]] = {
        Reason.NOT_A_NUMBER: np.zeros(matrix.shape, bool),
        Reason.OUT_OF_VOCABULARY: np.zeros(matrix.shape, bool),
    }
    for j, feature in enumerate(schema.features):
        matrix[:, j], bad = encode_column(feature, columns[feature.name])
        unreadable[Reason.NOT_A_NUMBER if feature.is_numeric else Reason.OUT_OF_VOCABULARY][:, j] = bad
    failures.extend(unreadable.items())
    failures.extend(broken_rules(schema, queries.matrix[owner], matrix).items())

    reasons: list[str] = [Reason.ADMITTED] * len(ids)
    details = [""] * len(ids)
    for reason, mask in reversed(failures):
        for i in np.flatnonzero(mask.any(axis=1)):
            at_fault = np.flatnonzero(mask[i])[: 1 if isinstance(reason, Reason) else None]
            values = [f"{name}: {written(columns[name][i])}" for name in np.array(schema.names)[at_fault]]
            reasons[i], details[i] = reason, ", ".join(values)[:200]
    return Answers(owner, rank, matrix, tuple(reasons), tuple(details), _row_by_row(rationales or {}, ids, rank))


def broken_rules(schema: FeatureSchema, factuals: Matrix, rows: Matrix) -> dict[str, NDArray[np.bool_]]:
    """For each rule of the schema, by its reason, which features of which rows break it; all arrays of shape `(n, d)`.

    All features of a broken constraint are at fault. It is not held against a row that changes none of them: a factual
    value copied as a prompt writes it, rounded to the feature's precision, is no proposal. A NaN breaks no rule: it has
    been found unreadable before.
    """
    low, high = schema.hard_bounds
    slack = RELATIVE_SLACK * np.maximum(1.0, np.abs(rows))
    integer = np.array([f.kind == "integer" for f in schema.features])
    may_rise = np.array([f.direction != "decrease" for f in schema.features])
    may_fall = np.array([f.direction != "increase" for f in schema.features])
    changed = schema.changed(rows, factuals)
    rules: dict[str, NDArray[np.bool_]] = {
        Reason.NOT_AN_INTEGER: integer & (np.abs(rows - np.rint(rows)) > slack),
        Reason.OUTSIDE_HARD_BOUNDS: (rows < low - slack) | (rows > high + slack),
        Reason.IMMUTABLE_CHANGED: changed & ~schema.mutable,
        Reason.WRONG_DIRECTION: changed & (((rows > factuals) & ~may_rise) | ((rows < factuals) & ~may_fall)),
    }
    for constraint in schema.constraints:
        members = schema.columns(constraint)
        mask = np.zeros(rows.shape, dtype=bool)
        mask[:, members] = (schema.breaks(constraint, rows) & changed[:, members].any(axis=1))[:, None]
        rules[reason_of(constraint)] = mask
    return rules


def _checked_ids(columns: Mapping[str, NDArray[Any]], schema: FeatureSchema, queries: QueryBatch) -> Sequence[str]:
    if QUERY_ID not in columns:
        raise ProtocolError(f"the answer has no {QUERY_ID!r} column")
    wanted = {QUERY_ID, *schema.names}
    missing, extra = sorted(wanted - columns.keys()), sorted(columns.keys() - wanted)
    if missing or extra:
        raise ProtocolError(f"wrong columns: missing {missing[:5]}, unknown {extra[:5]}")
    ids = [str(i) for i in columns[QUERY_ID]]
    strangers = sorted(set(ids) - set(queries.ids))
    if strangers:
        raise ProtocolError(f"answers for queries nobody asked: {strangers[:5]}")
    return ids


def _ranks(ids: Sequence[str], k: int) -> NDArray[np.intp]:
    seen: dict[str, int] = {}
    ranks = np.empty(len(ids), dtype=np.intp)
    for i, query_id in enumerate(ids):
        ranks[i] = seen.get(query_id, 0)
        seen[query_id] = int(ranks[i]) + 1
    crowded = sorted(query_id for query_id, n in seen.items() if n > k)
    if crowded:
        raise ProtocolError(f"more than k={k} rows for {crowded[:5]}")
    return ranks


def _row_by_row(
    rationales: Mapping[str, Iterable[str]], ids: Sequence[str], ranks: NDArray[np.intp]
) -> tuple[str, ...]:
    """The rationale of each row. A count that differs from that of the rows would put words beside the wrong row."""
    try:
        texts = texts_of(rationales)
    except ValueError as error:
        raise ProtocolError(str(error)) from error
    rows = Counter(ids)
    for query_id, given in texts.items():
        if len(given) != rows[query_id]:
            raise ProtocolError(
                f"{len(given)} rationale(s) for a query of {rows[query_id]} row(s), not one for each row"
            )
    return tuple(_kept(texts[i][rank]) if i in texts else "" for i, rank in zip(ids, ranks, strict=True))


def _kept(text: str) -> str:
    """A rationale as it is stored: without half characters, and with a mark where it was too long."""
    whole = text if len(text) <= LONGEST_RATIONALE else text[:LONGEST_RATIONALE] + CUT
    return whole.encode("utf-8", "replace").decode()
