"""The parser for the release's regular files: every record the same lines but for its times, value and label.

The first record shows what is constant and how many lines a record has. The file's line ends, all found at once, then say
where every token must stand. Each piece of text between two tokens is compared, over all records at once, with the first
record's, and each must end where the next token begins. So the file is known, byte for byte, to be those pieces and those
tokens; when every token is one JSON value, it holds those records and nothing else. Anything else, the least oddity, is
left to the general parser.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from json.decoder import JSONDecoder, scanstring  # type: ignore[attr-defined]

import numpy as np
from numpy.typing import NDArray

from sensecf_bench.datasets.aireadi.columns import (
    ABSENT,
    Column,
    Columns,
    Keys,
    at,
    is_reading,
    keys_of,
    list_of_records,
)
from sensecf_bench.datasets.aireadi.kinds import KeyPath, KindLayout
from sensecf_bench.datasets.aireadi.times import UNREADABLE, seconds_of_rows

HEAD_BYTES = 1 << 16  # the header and the first record fit in well below this
NEWLINE = b"\n"
LONGEST_TOKEN = 32
WORD = 8
MARKER = '["the records stood here"]'
SEPARATOR = re.compile(rb"[ \t\r\n]*,[ \t\r\n]*")
LAST_BRACE = re.compile(rb"\}[ \t\r\n]*\Z")
SPACE = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True)
class Template:
    """What the first record shows: slots in the order of the text, and the constant text before, between and after."""

    record: dict[str, object]
    keys: Keys
    slots: tuple[KeyPath, ...]
    head: bytes
    pieces: tuple[bytes, ...]
    tail: bytes


class _IrregularError(Exception):
    """Not a file for this parser."""


def parse_regular(data: bytes, layout: KindLayout) -> Columns | None:
    """The records, exactly as the general parser would read them, or None if the file is not regular through and through."""
    try:
        return _parse(data, layout)
    except _IrregularError:
        return None


def _parse(data: bytes, layout: KindLayout) -> Columns:
    body = f'"{layout.body_key}"'.encode()
    opening = re.compile(
        rb'"body"[ \t\r\n]*:[ \t\r\n]*(?:\{[ \t\r\n]*%b[ \t\r\n]*:[ \t\r\n]*)?\[[ \t\r\n]*(?=\{)' % body
    )
    found = opening.search(data, 0, HEAD_BYTES)
    if found is None:
        raise _IrregularError
    first, closing = found.end(), data.rfind(b"]")
    header, releases = _envelope(data[: data.rindex(b"[", 0, first)], data[closing + 1 :], layout)
    template, length = _template(data[first : first + HEAD_BYTES], layout)
    tokens = _tokens(data, first, closing, template, first + length)
    n = len(tokens.starts)
    keys, record = template.keys, template.record
    times: dict[KeyPath, NDArray[np.int64]] = {}
    columns: dict[KeyPath, Column] = {}
    for slot, path in enumerate(template.slots):
        if path in (keys.start, keys.end):
            times[path] = _seconds(tokens, slot)
        elif path in (keys.value, keys.label):
            columns[path] = _column(tokens, slot)
        elif not _are_whole_numbers(tokens, slot):
            _column(tokens, slot)  # of no use, but it must be JSON
    return Columns(
        header=header,
        starts=times[keys.start] if keys.start else np.full(n, UNREADABLE),
        ends=times[keys.end] if keys.end else None,
        values=columns[keys.value] if keys.value else Column.constant(ABSENT, n),
        units=Column.constant(at(record, keys.unit), n),
        labels=columns[keys.label] if keys.label else Column.constant(ABSENT, n),
        releases=releases & keys.releases,
    )


def _envelope(before: bytes, after: bytes, layout: KindLayout) -> tuple[object, frozenset[int]]:
    """The header, once it is certain that the file without its records is JSON with the records' list in its place."""
    marker = MARKER.encode()
    if marker in before or marker in after:
        raise _IrregularError
    try:
        document = json.loads(before + marker + after)
        records, releases = list_of_records(document, layout)
    except (ValueError, LookupError, RecursionError):
        raise _IrregularError from None
    if records != json.loads(MARKER):
        raise _IrregularError
    return document.get("header"), releases


def _template(text: bytes, layout: KindLayout) -> tuple[Template, int]:
    """The template, and the length of the first record."""
    decoded = text.decode("latin-1")  # byte for byte; only ASCII goes further
    try:
        record, length = JSONDecoder(object_pairs_hook=_without_repeats).raw_decode(decoded)
    except (ValueError, RecursionError):
        raise _IrregularError from None
    if not decoded[:length].isascii() or not is_reading(record):
        raise _IrregularError
    spans = _leaves(decoded)
    keys = keys_of(record, layout)
    wanted = {keys.start, keys.end, keys.value, keys.label, *layout.other_paths} - {None}
    for path in (keys.start, keys.end, keys.value, keys.label):
        if path is not None and path not in spans:
            raise _IrregularError
    slots = tuple(path for path in spans if path in wanted)
    if not slots:
        raise _IrregularError
    edges = [spans[path] for path in slots]
    pieces = tuple(text[left[1] : right[0]] for left, right in pairwise(edges))
    return Template(record, keys, slots, text[: edges[0][0]], pieces, text[edges[-1][1] : length]), length


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _leaves(text: str) -> dict[KeyPath, tuple[int, int]]:
    """Where the value at the end of each path stands in the text of an object that is known to be good JSON."""
    spans: dict[KeyPath, tuple[int, int]] = {}
    value = JSONDecoder()

    def space(i: int) -> int:
        return SPACE.match(text, i).end()  # type: ignore[union-attr]

    def inside(i: int, path: KeyPath) -> int:
        i = space(i + 1)
        while text[i] != "}":
            key, i = scanstring(text, i + 1)
            i = space(space(i) + 1)  # past the colon
            if text[i] == "{":
                i = inside(i, (*path, key))
            else:
                end = value.raw_decode(text, i)[1]
                spans[(*path, key)] = (i, end)
                i = end
            i = space(i)
            i = space(i + 1) if text[i] == "," else i
        return i + 1

    inside(0, ())
    return spans


@dataclass(frozen=True, eq=False)
class _Tokens:
    """The file, and where the token of record i in slot j starts and how wide it is (n × slots)."""

    text: NDArray[np.uint8]  # with room behind the last token
    starts: NDArray[np.intp]
    widths: NDArray[np.intp]


def _tokens(data: bytes, first: int, closing: int, template: Template, first_end: int) -> _Tokens:
    separator = SEPARATOR.match(data, first_end)
    last = LAST_BRACE.search(data, max(first, closing - HEAD_BYTES), closing)
    if separator is None or last is None or b"\0" in data:  # a single record is no pattern; NUL pads short tokens
        raise _IrregularError
    pieces = (*template.pieces, template.tail + separator.group() + template.head)
    begin, end = first + len(template.head), last.start() + 1 - len(template.tail)
    if not data.endswith(template.tail, begin, last.start() + 1):
        raise _IrregularError
    starts, ends = _expected(np.frombuffer(data, dtype=np.uint8), begin, end, pieces)
    room = bytes(max(0, end + LONGEST_TOKEN + WORD - len(data)))
    text = np.frombuffer(data + room if room else data, dtype=np.uint8)  # a copy only where it is needed
    for slot, piece in enumerate(pieces):
        after = ends[:, slot] if slot + 1 < len(pieces) else ends[:-1, slot]
        following = starts[:, slot + 1] if slot + 1 < len(pieces) else starts[1:, 0]
        if (following - after != len(piece)).any() or (_rows(text, after, len(piece)) != list(piece)).any():
            raise _IrregularError
    return _Tokens(text, starts, ends - starts)


def _expected(
    text: NDArray[np.uint8], begin: int, end: int, pieces: tuple[bytes, ...]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where each token starts and ends if the file is regular (n × slots), from the ends of lines alone."""
    lines = [piece.count(NEWLINE) for piece in pieces]
    found = np.flatnonzero(text[begin:end] == ord(NEWLINE)) + begin
    n, rest = divmod(len(found) + lines[-1], sum(lines) or 1)
    if not all(lines) or rest:
        raise _IrregularError
    behind_the_last = np.full(lines[-1], end)  # stands in for the text between records, which is not there
    ends_of_lines = np.append(found, behind_the_last).reshape(n, -1)
    starts, ends = np.empty((n, len(pieces)), dtype=np.intp), np.empty((n, len(pieces)), dtype=np.intp)
    line = 0
    for slot, piece in enumerate(pieces):
        ends[:, slot] = ends_of_lines[:, line] - piece.index(NEWLINE)
        line += lines[slot]
        next_starts = ends_of_lines[:, line - 1] + len(piece) - piece.rindex(NEWLINE)
        if slot + 1 < len(pieces):
            starts[:, slot + 1] = next_starts
        else:
            starts[1:, 0] = next_starts[:-1]
    starts[0, 0], ends[-1, -1] = begin, end
    if (starts > ends).any():
        raise _IrregularError
    return starts, ends


def _rows(text: NDArray[np.uint8], starts: NDArray[np.intp], width: int) -> NDArray[np.uint8]:
    """`width` bytes from each start (n × width). As opaque items they are copied whole, tens of times faster than by byte."""
    items: NDArray[np.void] = np.ndarray((len(text) - width + 1,), dtype=f"V{width}", buffer=text, strides=(1,))
    return items[starts].view(np.uint8).reshape(len(starts), width)


def _seconds(tokens: _Tokens, slot: int) -> NDArray[np.int64]:
    width = int(tokens.widths[0, slot])
    if (tokens.widths[:, slot] != width).any():
        raise _IrregularError
    rows = _rows(tokens.text, tokens.starts[:, slot], width)
    seconds = seconds_of_rows(rows[:, 1:-1])
    if (rows[:, [0, -1]] != ord('"')).any() or (seconds == UNREADABLE).any():
        raise _IrregularError
    return seconds


def _column(tokens: _Tokens, slot: int) -> Column:
    """The distinct tokens, read as JSON, and which record has which."""
    starts, widths = tokens.starts[:, slot], tokens.widths[:, slot]
    widest = int(widths.max())
    if widest > LONGEST_TOKEN:
        raise _IrregularError
    codes = np.zeros(len(starts), dtype=np.intp)
    for offset in range(0, max(widest, 1), WORD):
        part = _rows(tokens.text, starts + offset, WORD).view("<u8")[:, 0]
        used = np.clip(widths - offset, 0, WORD).astype(np.uint64)
        part = part & _LOW_BYTES[used]
        distinct, this = np.unique(part, return_inverse=True)
        codes = this if offset == 0 else np.unique(codes * len(distinct) + this, return_inverse=True)[1]
    firsts = np.zeros(int(codes.max()) + 1, dtype=np.intp)
    firsts[codes] = np.arange(len(codes))
    texts = (tokens.text[starts[i] : starts[i] + widths[i]].tobytes() for i in firsts)
    return Column(codes, tuple(_json(text) for text in texts))


_LOW_BYTES = np.array([(1 << (8 * used)) - 1 for used in range(WORD + 1)], dtype=np.uint64)


def _are_whole_numbers(tokens: _Tokens, slot: int) -> bool:
    """Whether every token is a positive whole number of at most eight digits; cheap where almost all differ."""
    starts, widths = tokens.starts[:, slot], tokens.widths[:, slot]
    letters = _rows(tokens.text, starts, WORD)
    digits = (letters >= ord("0")) & (letters <= ord("9")) | (np.arange(WORD) >= widths[:, None])
    return bool(digits.all() and (letters[:, 0] != ord("0")).all() and (widths >= 1).all() and (widths <= WORD).all())


def _json(token: bytes) -> object:
    try:
        return json.loads(token.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        raise _IrregularError from None
