"""One participant's days: glucose, the night that ended, and what the watch recorded, on each local day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.datasets.aireadi.by_day import onto
from sensecf_bench.datasets.aireadi.catalogue import COLUMNS
from sensecf_bench.datasets.aireadi.glycaemia import Readings, daily_glucose
from sensecf_bench.datasets.aireadi.kinds import StreamKind
from sensecf_bench.datasets.aireadi.nights import nightly_sleep
from sensecf_bench.datasets.aireadi.wear import daily_wear, worn_days

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sensecf_bench.datasets.aireadi.local_time import LocalTime
    from sensecf_bench.datasets.aireadi.streams import Stream

    Integers = NDArray[np.int64]
    Numbers = NDArray[np.float64]

OF_DAYS = tuple(c.name for c in COLUMNS if c.daily and c.source not in ("participants", "clinical"))


@dataclass(frozen=True, eq=False)
class Days:
    """The days of a participant on which glucose, sleep or wear is known; NaN where a day lacks one of them.

    `days` counts local days from 1 January 1970, shape `(n,)`; `columns` has one of `OF_DAYS` each, shape `(n,)`. `glucose`,
    `worn` and `slept` say which kinds of record a day has.
    """

    days: Integers
    columns: Mapping[str, Numbers]
    glucose: NDArray[np.bool_]
    worn: NDArray[np.bool_]
    slept: NDArray[np.bool_]


def daily_features(streams: Mapping[StreamKind, Stream], local: LocalTime) -> Days:
    """The daily features of one participant from whichever streams there are."""
    known: list[tuple[Integers, dict[str, Numbers]]] = []
    if StreamKind.GLUCOSE in streams:
        readings = Readings.of(streams[StreamKind.GLUCOSE])
        known.append(daily_glucose(readings, local.seconds(readings.times)))
    else:
        known.append((np.zeros(0, dtype=np.int64), {}))
    if StreamKind.SLEEP in streams:
        known.append(nightly_sleep(streams[StreamKind.SLEEP], local))
    else:
        known.append((np.zeros(0, dtype=np.int64), {}))
    worn = worn_days(streams, local)
    known.append((worn, daily_wear(streams, worn, local)))

    days = np.unique(np.concatenate([names for names, _ in known]))
    columns = {name: np.full(len(days), np.nan) for name in OF_DAYS}
    for names, values in known:
        columns |= {name: onto(days, names, column) for name, column in values.items()}
    glucose, slept, worn_mask = (np.isin(days, names) for names, _ in known)
    return Days(days, columns, glucose, worn_mask, slept)
