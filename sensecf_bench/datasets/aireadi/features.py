"""One participant's features from their days and glucose readings.

Glucose is summarised over all readings of the valid days together, as the consensus has it; everything else is the mean
over the days (or nights) that have it, so that a long night or a day with many readings weighs no more than another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.datasets.aireadi.catalogue import BY_NAME
from sensecf_bench.datasets.aireadi.daily import OF_DAYS
from sensecf_bench.datasets.aireadi.glycaemia import Readings, person_glucose
from sensecf_bench.datasets.aireadi.kinds import StreamKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensecf_bench.datasets.aireadi.daily import Days
    from sensecf_bench.datasets.aireadi.local_time import LocalTime
    from sensecf_bench.datasets.aireadi.streams import Stream


def person_features(streams: Mapping[StreamKind, Stream], days: Days, local: LocalTime) -> dict[str, float]:
    """The columns that come from streams, and the counts of days; NaN where nothing is known."""
    features = {name: _mean(days.columns[name]) for name in OF_DAYS if BY_NAME[name].source != "glucose"}
    features |= {name: np.nan for name in OF_DAYS if BY_NAME[name].source == "glucose"}
    features |= {
        "glucose_days": float(days.glucose.sum()),
        "wear_days": float(days.worn.sum()),
        "sleep_nights": float(days.slept.sum()),
    }
    if StreamKind.GLUCOSE in streams:
        readings = Readings.of(streams[StreamKind.GLUCOSE])
        features |= person_glucose(readings, local.seconds(readings.times))
    return features


def _mean(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan
