"""One participant's one stream file, read: times, values, what is no measurement, and which quirks were met.

stream = read_stream(path, StreamKind.STRESS, release=3)
stream.values[~stream.sentinel].mean()
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sensecf_bench.datasets.aireadi.cleaning import MEASUREMENT, header_facts, judged
from sensecf_bench.datasets.aireadi.columns import Columns
from sensecf_bench.datasets.aireadi.general import UnreadableError, parse_general
from sensecf_bench.datasets.aireadi.identifiers import person_key
from sensecf_bench.datasets.aireadi.kinds import LAYOUT, StreamKind
from sensecf_bench.datasets.aireadi.quirks import Quirk
from sensecf_bench.datasets.aireadi.regular import parse_regular
from sensecf_bench.errors import DataError


class StreamFileError(DataError):
    """A stream file that cannot be read as a whole: `path`, the byte `position` where it is known, and `what` is wrong."""

    def __init__(self, path: Path, what: str, position: int | None = None) -> None:
        where = "" if position is None else f" at byte {position:,}"
        super().__init__(f"{path}: {what}{where}", "download the file again, or leave it out of the folder")
        self.path, self.what, self.position = path, what, position

    def __reduce__(self) -> tuple[type[StreamFileError], tuple[Path, str, int | None]]:
        return type(self), (self.path, self.what, self.position)


@dataclass(frozen=True, eq=False)
class Stream:
    """The records of one file, sorted by time (then by end), exact duplicates dropped. All arrays have length n.

    times, ends  seconds since 1970-01-01 UTC, int64. For readings at one instant, `ends` equals `times`.
    values       float64, in `kind.unit`: the number as recorded, sentinels included, or NaN where there is none. Sleep has
                 hours: as recorded in release 1 (one record a night), the length of the stage's interval since.
    sentinel     bool, true where no measurement stands: a sentinel, NaN, a blank, "Low"/"High", an unknown sleep stage, an
                 implausible number, an unexpected unit, a conflicting time, a negative interval, an activity or a stage of
                 more than a day. Where it is false, the value is finite. Active calories and activity have no number that
                 is a sentinel (0 is a value).
    labels       int16 codes into `label_names`: sleep stage, activity name, or, for glucose, "", "Low", "High".
                 Streams without labels have code 0 and the one name "".
    timezone     IANA name from the header, or None where the header has none (the site's zone then applies).
    person_id    the id in the header without its "AIREADI-" prefix, or None where there is no header.
    quirks       how often each quirk was met; quirks that were not met are left out.
    """

    kind: StreamKind
    times: NDArray[np.int64]
    ends: NDArray[np.int64]
    values: NDArray[np.float64]
    sentinel: NDArray[np.bool_]
    labels: NDArray[np.int16]
    label_names: tuple[str, ...]
    timezone: str | None
    person_id: str | None
    quirks: Mapping[Quirk, int]

    def __len__(self) -> int:
        return len(self.times)


def read_stream(path: Path, kind: StreamKind, release: int | None = None) -> Stream:
    """Read one file. `release` (1, 2 or 3) is what the file should be written as; any release's keys are read.

    Raises StreamFileError when the file is missing, empty (zero bytes), cut off, no JSON, or holds another kind.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StreamFileError(path, f"cannot be read: {error.strerror or error}") from None
    if not data:
        raise StreamFileError(path, "has zero bytes, so its download did not finish")
    try:
        columns = parse_regular(data, LAYOUT[kind]) or parse_general(data, LAYOUT[kind])
    except UnreadableError as error:
        raise StreamFileError(path, error.what, error.position) from None
    return stream_of(columns, kind, release, named=person_key(path.name.partition("_")[0]))


def stream_of(columns: Columns, kind: StreamKind, release: int | None = None, named: str | None = None) -> Stream:
    """The stream of a parsed file, which is `named` for a person."""
    quirks: Counter[Quirk] = Counter()
    header = header_facts(columns.header, quirks)
    if named is not None and header.person_id is not None and header.person_id != named:
        quirks[Quirk.OTHER_PERSON] += 1
    if release is not None and len(columns.starts) and release not in columns.releases & header.releases:
        quirks[Quirk.OTHER_RELEASE] += 1
    records, names = judged(columns, kind, quirks)
    return Stream(
        kind=kind,
        times=records.times,
        ends=records.ends,
        values=records.values,
        sentinel=records.states != MEASUREMENT,
        labels=records.labels,
        label_names=names,
        timezone=header.timezone,
        person_id=header.person_id,
        quirks={quirk: count for quirk, count in sorted(quirks.items()) if count},
    )
