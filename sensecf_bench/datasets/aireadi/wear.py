"""What a watch recorded on the days it was worn: heart rate, stress, breathing, activity and calories.

A watch that lies on a table goes on writing stress -1, heart rate 0 and sedentary minutes, so only its heart rate tells
whether it was worn.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.datasets.aireadi.by_day import ByDay, onto
from sensecf_bench.datasets.aireadi.catalogue import (
    HEART_RATE_RANGE_BPM,
    LEAST_STRESS_HOURS,
    LEAST_WORN_HOURS,
    LONGEST_ACTIVITY_SECONDS,
    OXYGEN_RANGE_PCT,
    RESPIRATION_RANGE_BPM,
    RESTING_PERCENTILE,
    STRESS_RANGE,
)
from sensecf_bench.datasets.aireadi.kinds import StreamKind
from sensecf_bench.datasets.aireadi.local_time import DAY, HOUR
from sensecf_bench.datasets.aireadi.nights import Intervals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sensecf_bench.datasets.aireadi.local_time import LocalTime
    from sensecf_bench.datasets.aireadi.streams import Stream

    Integers = NDArray[np.int64]
    Numbers = NDArray[np.float64]

MEANS = {
    "mean_heart_rate_bpm": (StreamKind.HEART_RATE, HEART_RATE_RANGE_BPM),
    "mean_stress": (StreamKind.STRESS, STRESS_RANGE),
    "respiration_rate_bpm": (StreamKind.RESPIRATORY_RATE, RESPIRATION_RANGE_BPM),
    "oxygen_saturation_pct": (StreamKind.OXYGEN_SATURATION, OXYGEN_RANGE_PCT),
}
MINUTES = {
    "sedentary": "sedentary_min_per_day",
    "walking": "walking_min_per_day",
    "running": "running_min_per_day",
    "generic": "generic_activity_min_per_day",
}


def worn_days(streams: Mapping[StreamKind, Stream], local: LocalTime) -> Integers:
    """Local days with heart rates in enough clock hours, without the first and the last day that have any."""
    heart = streams.get(StreamKind.HEART_RATE)
    if heart is None:
        return np.zeros(0, dtype=np.int64)
    seconds, _ = _within(heart, HEART_RATE_RANGE_BPM, local)
    by_day = _hours_by_day(seconds)
    inner = np.ones(len(by_day.names), dtype=np.bool_)
    inner[:1] = inner[-1:] = False
    worn: Integers = by_day.names[inner & (by_day.counts >= LEAST_WORN_HOURS)]
    return worn


def daily_wear(streams: Mapping[StreamKind, Stream], worn: Integers, local: LocalTime) -> dict[str, Numbers]:
    """What the watch says of each worn day, shape `(len(worn),)`; columns of a missing stream are left out."""
    columns: dict[str, Numbers] = {}
    for name, (kind, limits) in MEANS.items():
        if kind in streams:
            seconds, values = _within(streams[kind], limits, local)
            by_day = ByDay.of(seconds // DAY)
            columns[name] = onto(worn, by_day.names, by_day.mean(values))
            if kind == StreamKind.STRESS:
                hours = _hours_by_day(seconds)
                enough = hours.names[hours.counts >= LEAST_STRESS_HOURS]
                columns[name][~np.isin(worn, enough)] = np.nan
            if kind == StreamKind.HEART_RATE:
                resting = by_day.percentile(values, RESTING_PERCENTILE)
                columns["resting_heart_rate_bpm"] = onto(worn, by_day.names, resting)
    if StreamKind.CALORIES in streams:
        seconds, values = _within(streams[StreamKind.CALORIES], (0, np.inf), local)
        by_day = ByDay.of(seconds // DAY)
        columns["active_calories_kcal"] = onto(worn, by_day.names, by_day.greatest(values))
    if StreamKind.ACTIVITY in streams:
        columns |= _activity(streams[StreamKind.ACTIVITY], worn, local)
    return columns


def _hours_by_day(seconds: Integers) -> ByDay:
    """The clock hours that have a measurement, by day; `seconds` are local."""
    return ByDay.of(np.unique(seconds // HOUR) * HOUR // DAY)


def _within(stream: Stream, limits: tuple[float, float], local: LocalTime) -> tuple[Integers, Numbers]:
    """Local seconds and values of the measurements within limits."""
    low, high = limits
    good = ~stream.sentinel & (stream.values >= low) & (stream.values <= high)
    return local.seconds(stream.times[good]), stream.values[good]


def _activity(stream: Stream, worn: Integers, local: LocalTime) -> dict[str, Numbers]:
    short = stream.ends - stream.times <= LONGEST_ACTIVITY_SECONDS
    intervals = Intervals.apart(stream.times[short], stream.ends[short], stream.labels[short])
    days, seconds, whose = _split_at_midnight(local.seconds(intervals.starts), local.seconds(intervals.ends))
    recorded = ByDay.of(days)
    columns = {}
    for label, name in MINUTES.items():
        code = stream.label_names.index(label) if label in stream.label_names else -1
        minutes = recorded.total(seconds * (intervals.labels[whose] == code)) / 60
        columns[name] = onto(worn, recorded.names, minutes)
    good = ~stream.sentinel
    by_day = ByDay.of(local.days(stream.times[good]))
    columns["movement_code_sum_per_day"] = onto(worn, by_day.names, by_day.total(stream.values[good]))
    return columns


def _split_at_midnight(starts: Integers, ends: Integers) -> tuple[Integers, Numbers, NDArray[np.intp]]:
    """Each interval's share of each local day: the day, its seconds, and which interval it is."""
    first = starts // DAY
    pieces = np.maximum(ends - 1, starts) // DAY - first + 1
    whose = np.repeat(np.arange(len(starts)), pieces)
    nth = np.arange(len(whose)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    days = first[whose] + nth
    seconds = np.minimum(ends[whose], (days + 1) * DAY) - np.maximum(starts[whose], days * DAY)
    return days, np.maximum(seconds, 0).astype(np.float64), whose
