"""What a parser hands on: the file's records as columns, before anything is judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensecf_bench.datasets.aireadi.kinds import END_PATHS, EVENT_PATH, GLUCOSE_EVENT, START_PATHS, KeyPath, KindLayout

ABSENT = object()  # no such key


@dataclass(frozen=True, eq=False)
class Column:
    """One JSON value a record: record i has `distinct[codes[i]]`. Distinct values may repeat."""

    codes: NDArray[np.intp]
    distinct: tuple[object, ...]

    @classmethod
    def constant(cls, value: object, n: int) -> Column:
        return cls(np.zeros(n, dtype=np.intp), (value,))

    @classmethod
    def of(cls, values: list[object]) -> Column:
        return cls(np.arange(len(values)), tuple(values))


@dataclass(frozen=True, eq=False)
class Columns:
    """n records in the file's order. `starts` and `ends` are seconds, or UNREADABLE; `ends` is None for instants.

    `releases` are those that write the keys of the first record; `dropped` counts the entries left out before.
    """

    header: object
    starts: NDArray[np.int64]
    ends: NDArray[np.int64] | None
    values: Column
    units: Column
    labels: Column
    releases: frozenset[int]
    not_records: int = 0
    not_readings: int = 0


@dataclass(frozen=True)
class Keys:
    """The paths by which one record is written; None for what it lacks."""

    start: KeyPath | None
    end: KeyPath | None
    value: KeyPath | None
    label: KeyPath | None
    releases: frozenset[int]

    @property
    def unit(self) -> KeyPath | None:
        return None if self.value is None else (*self.value[:-1], "unit")


def keys_of(record: dict[str, object], layout: KindLayout) -> Keys:
    """The first of each list of known paths that the record has."""
    start, written = next(((path, by) for path, by in START_PATHS if at(record, path) is not ABSENT), (None, None))
    value, meant = next(((path, by) for path, by in layout.value_paths if at(record, path) is not ABSENT), (None, None))
    every = frozenset({1, 2, 3})
    return Keys(
        start=start,
        end=next((path for path in END_PATHS if at(record, path) is not ABSENT), None),
        value=value,
        label=layout.label_path if layout.label_path and at(record, layout.label_path) is not ABSENT else None,
        releases=(written or every) & (meant or every),
    )


def at(record: object, path: KeyPath | None) -> object:
    """The value at the end of a path, or ABSENT."""
    if path is None:
        return ABSENT
    for key in path:
        if not isinstance(record, dict) or key not in record:
            return ABSENT
        record = record[key]
    return record


def is_reading(record: dict[str, object]) -> bool:
    """Glucose files may tell of events other than readings; no other kind names events."""
    return at(record, EVENT_PATH) in (ABSENT, GLUCOSE_EVENT)


def list_of_records(document: object, layout: KindLayout) -> tuple[list[object], frozenset[int]]:
    """The records of a whole file, and the releases that put their list there.

    Raises LookupError, with the reason, where there is none.
    """
    body = document.get("body", ABSENT) if isinstance(document, dict) else ABSENT
    if isinstance(body, list):
        return body, frozenset({1})
    if not isinstance(body, dict):
        raise LookupError("has no body of records")
    records = body.get(layout.body_key)
    if isinstance(records, list):
        return records, frozenset({1, 2, 3}) - ({1} if layout.body_key == "cgm" else set())
    found = ", ".join(map(repr, body)) or "nothing"
    raise LookupError(f"has no list {layout.body_key!r} in its body, but {found}")
