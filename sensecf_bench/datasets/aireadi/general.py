"""The parser for any file: the standard library's json, record by record. It is slow, and its answer is the right one."""

from __future__ import annotations

import json

from sensecf_bench.datasets.aireadi.columns import ABSENT, Column, Columns, at, is_reading, keys_of, list_of_records
from sensecf_bench.datasets.aireadi.kinds import KindLayout
from sensecf_bench.datasets.aireadi.times import seconds_of

EVERY = frozenset({1, 2, 3})


class UnreadableError(ValueError):
    """A text that is no such file at all: `what` is wrong, and the byte where it shows, if one can be named."""

    def __init__(self, what: str, position: int | None = None) -> None:
        super().__init__(what)
        self.what, self.position = what, position


def parse_general(data: bytes, layout: KindLayout) -> Columns:
    """The records of one stream file. NaN is read; other layouts than the release's too. Raises UnreadableError."""
    document = _document(data)
    try:
        entries, releases = list_of_records(document, layout)
    except LookupError as error:
        raise UnreadableError(str(error.args[0])) from None
    records = [entry for entry in entries if isinstance(entry, dict)]
    readings = [record for record in records if is_reading(record)]
    keys = [keys_of(record, layout) for record in readings]
    pairs = list(zip(readings, keys, strict=True))
    starts = seconds_of([at(record, key.start) for record, key in pairs])
    ended = [at(record, key.end) for record, key in pairs]
    ends = None
    if any(end is not ABSENT for end in ended):
        ends = seconds_of(
            [at(record, key.start) if end is ABSENT else end for (record, key), end in zip(pairs, ended, strict=True)]
        )
    return Columns(
        header=document.get("header") if isinstance(document, dict) else None,
        starts=starts,
        ends=ends,
        values=Column.of([at(record, key.value) for record, key in pairs]),
        units=Column.of([at(record, key.unit) for record, key in pairs]),
        labels=Column.of([at(record, key.label) for record, key in pairs]),
        releases=releases & (keys[0].releases if keys else EVERY),
        not_records=len(entries) - len(records),
        not_readings=len(records) - len(readings),
    )


def _document(data: bytes) -> object:
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        position = len(error.doc[: error.pos].encode("utf-8", "surrogatepass"))
        if not error.doc[error.pos :].strip() or error.msg.startswith("Unterminated string"):
            raise UnreadableError("is cut off: the JSON text ends early", len(data)) from None
        raise UnreadableError(f"is no JSON: {error.msg}", position) from None
    except UnicodeDecodeError as error:
        raise UnreadableError("is no JSON: its bytes are no UTF-8 text", error.start) from None
    except RecursionError:
        raise UnreadableError("is nested too deeply to be a stream file") from None
    except ValueError as error:  # a whole number of thousands of digits
        raise UnreadableError(f"holds a number that is no measurement: {error}") from None
