"""One participant's one stream file, read: times, values, what is no measurement, and which quirks were met.

    stream = read_stream(path, StreamKind.STRESS, release=3)
    stream.values[~stream.sentinel].mean()
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sensecf_bench.datasets.aireadi.kinds import StreamKind
from sensecf_bench.datasets.aireadi.quirks import Quirk
from sensecf_bench.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


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
                 implausible number, an unexpected unit, a conflicting time, a negative interval. Where it is false, the
                 value is finite. Active calories and activity have no number that is a sentinel (0 is a value).
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
