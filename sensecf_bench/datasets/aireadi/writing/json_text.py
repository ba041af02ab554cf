"""JSON as `json.dumps(indent=4)` writes it, for lists of alike records, without a loop over records.

A template is one record whose varying values are `Slot`s. It is dumped once, cut at the slots, and filled in column by
column as a matrix of bytes, a row a record; what is shorter than its column is padded with NUL, and those are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Text = NDArray[np.bytes_]  # (n,) JSON of each record's value

DAY = 86_400
_SLOT = re.compile(r'"\\u0000(\w+)"')
INDENT = 4


def slot(name: str) -> str:
    """A place in a template that a column of this name fills."""
    return f"\0{name}"


def dump_list(template: Mapping[str, Any], columns: Mapping[str, Text], depth: int) -> bytes:
    """A list of records as it stands `depth` levels deep in a document, one record a row of `columns`.

    Byte for byte what `json.dumps(indent=4)` makes of the same list. Raises KeyError for a slot without a column.
    """
    n = len(next(iter(columns.values())))
    if not n:
        return b"[]"
    margin = " " * INDENT * (depth + 1)
    record = margin + json.dumps(template, indent=INDENT).replace("\n", "\n" + margin) + ",\n"
    pieces = _SLOT.split(record)  # literal, name, literal, name, ..., literal
    parts = [_bytes(columns[piece]) if k % 2 else piece.encode() for k, piece in enumerate(pieces)]
    width = sum(part.shape[1] if isinstance(part, np.ndarray) else len(part) for part in parts)
    page = np.empty((n, width), dtype=np.uint8)
    at = 0
    for part in parts:
        if isinstance(part, np.ndarray):
            page[:, at : at + part.shape[1]] = part
            at += part.shape[1]
        else:
            page[:, at : at + len(part)] = np.frombuffer(part, dtype=np.uint8)
            at += len(part)
    flat = page.reshape(-1)
    body: bytes = flat[flat != 0].tobytes()
    return b"[\n" + body[:-2] + b"\n" + b" " * (INDENT * depth) + b"]"


def dump_document(document: Mapping[str, Any], lists: Mapping[str, bytes]) -> bytes:
    """A document with indent 4 whose slots stand for lists made by `dump_list`."""
    pieces = _SLOT.split(json.dumps(document, indent=INDENT))
    return b"".join(lists[piece] if k % 2 else piece.encode() for k, piece in enumerate(pieces))


def as_text(values: NDArray[Any], write: Callable[[Any], str]) -> Text:
    """Each value as `write` puts it, which is asked once for each that is different."""
    different, place = np.unique(values, return_inverse=True)
    return np.array([write(value).encode() for value in different.tolist()] or [b""], dtype=np.bytes_)[place]


def as_names(codes: NDArray[np.intp], names: Sequence[str]) -> Text:
    """The quoted name of each code."""
    return np.array([json.dumps(name).encode() for name in names], dtype=np.bytes_)[codes]


def as_times(seconds: NDArray[np.int64], spaced: bool = False) -> Text:
    """Quoted UTC times: `"2024-01-15T20:05:30Z"`, or `"2024-01-15 20:05:30"` where spaced."""
    days, place = np.unique(seconds // DAY, return_inverse=True)
    dates = np.datetime_as_string(days.astype("M8[D]")).astype("S10") if len(days) else np.zeros(1, dtype="S10")
    clock = _clock(spaced)[seconds % DAY]
    page = np.empty((len(seconds), 12 + clock.shape[1]), dtype=np.uint8)
    page[:, 0] = page[:, -1] = ord('"')
    page[:, 1:11] = _bytes(dates)[place]
    page[:, 11:-1] = clock
    return page.reshape(-1).view(f"S{page.shape[1]}")


@lru_cache(maxsize=2)
def _clock(spaced: bool) -> NDArray[np.uint8]:
    """The time of day of every second, shape `(86400, 9 or 10)`."""
    start, end = (" ", "") if spaced else ("T", "Z")
    texts = [f"{start}{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}{end}".encode() for s in range(DAY)]
    return _bytes(np.array(texts, dtype=np.bytes_))


def _bytes(text: Text) -> NDArray[np.uint8]:
    return np.ascontiguousarray(text).view(np.uint8).reshape(len(text), text.dtype.itemsize)
