"""The local calendar of a participant: days and hours by the clock on the wall, daylight saving included."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

DAY = 86_400
HOUR = 3_600
_QUARTER = 900  # offsets from UTC change on quarters of an hour only


@dataclass(frozen=True)
class LocalTime:
    """Turns UTC into local time in one zone. Days are counted from 1 January 1970."""

    zone: ZoneInfo

    def seconds(self, utc: Integers) -> Integers:
        """Seconds since 1970 that the wall clock shows, shape `(n,)`."""
        if not len(utc):
            return utc.astype(np.int64)
        first, last = (int(edge) for edge in (utc.min(), utc.max()))
        offset = self._offset(first)
        if last - first < 90 * DAY and all(self._offset(t) == offset for t in range(first, last + DAY, DAY)):
            return utc + offset
        quarters, position = np.unique(utc // _QUARTER, return_inverse=True)
        offsets = np.array([self._offset(int(quarter) * _QUARTER) for quarter in quarters], dtype=np.int64)
        local: Integers = utc + offsets[position]
        return local

    def days(self, utc: Integers) -> Integers:
        """The local day, shape `(n,)`."""
        days: Integers = self.seconds(utc) // DAY
        return days

    def _offset(self, utc: int) -> int:
        shift = datetime.fromtimestamp(utc, UTC).astimezone(self.zone).utcoffset()
        return int(shift.total_seconds()) if shift is not None else 0
