"""Glucose of a day and of a person from a sensor's readings, by the consensus on continuous glucose monitoring.

Battelino et al. 2019 (ranges, 70 % of readings, coefficient of variation, events of 15 minutes) and Bergenstal et al. 2018
(the management indicator). "Low" and "High" have no number: they count in the shares of time below and above range and
as readings of a day, and are left out of mean and deviation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.datasets.aireadi.by_day import ByDay
from sensecf_bench.datasets.aireadi.catalogue import (
    EVENT_GAP_SECONDS,
    EVENT_READINGS,
    GLUCOSE_RANGE_MG_DL,
    LEAST_GLUCOSE_READINGS,
    TARGET_RANGE_MG_DL,
)
from sensecf_bench.datasets.aireadi.local_time import DAY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sensecf_bench.datasets.aireadi.streams import Stream

    Integers = NDArray[np.int64]
    Numbers = NDArray[np.float64]
    Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Readings:
    """Usable readings in order of time, shape `(n,)`: "Low" is -inf and "High" inf mg/dL."""

    times: Integers  # UTC seconds
    levels: Numbers  # mg/dL

    @classmethod
    def of(cls, stream: Stream) -> Readings:
        """Numbers a sensor can report, with "Low" and "High"; two different readings at one second are both left out."""
        low, high = GLUCOSE_RANGE_MG_DL
        names = np.array(stream.label_names, dtype=object)[stream.labels]
        levels = np.where(stream.sentinel, np.nan, stream.values)
        levels[(levels < low) | (levels > high)] = np.nan
        levels[names == "Low"], levels[names == "High"] = -np.inf, np.inf
        known = ~np.isnan(levels)
        times, levels = stream.times[known], levels[known]
        _, place, repeats = np.unique(times, return_inverse=True, return_counts=True)
        alone = repeats[place] == 1
        return cls(times[alone], levels[alone])

    def on(self, chosen: Mask) -> Readings:
        return Readings(self.times[chosen], self.levels[chosen])


def daily_glucose(readings: Readings, local: Integers) -> tuple[Integers, dict[str, Numbers]]:
    """The days with enough readings, and glucose on each; `local` holds the readings' local seconds."""
    days = local // DAY
    starts = event_starts(readings)
    valid = _valid(days)
    names = np.unique(days[valid])
    by_day = ByDay.of(days[valid])
    columns = _glucose(readings.on(valid), by_day)
    columns["hyperglycaemia_events_per_day"] = by_day.total(starts[valid])
    return names, columns


def person_glucose(readings: Readings, local: Integers) -> dict[str, float]:
    """Glucose over all readings of a person's valid days, and how many such days there are."""
    days = local // DAY
    starts = event_starts(readings)
    valid = _valid(days)
    count = len(np.unique(days[valid]))
    if not count:
        return {"glucose_days": 0.0}
    together = ByDay(np.zeros(1, dtype=np.int64), np.zeros(int(valid.sum()), dtype=np.intp))
    person = {name: float(values[0]) for name, values in _glucose(readings.on(valid), together).items()}
    return {
        **person,
        "hyperglycaemia_events_per_day": float(starts[valid].sum()) / count,
        "glucose_days": float(count),
    }


def event_starts(readings: Readings) -> Mask:
    """At which readings an event of hyperglycaemia is established, shape `(n,)`; see `hyperglycaemia_events_per_day`."""
    n = len(readings.times)
    above = readings.levels > TARGET_RANGE_MG_DL[1]
    gap = np.concatenate([[True], np.diff(readings.times) > EVENT_GAP_SECONDS])[:n]
    turns = gap | np.concatenate([[True], above[1:] != above[:-1]])[:n]
    run_start = np.maximum.accumulate(np.where(turns, np.arange(n), 0)) if n else np.zeros(0, dtype=np.intp)
    settled = np.arange(n) - run_start == EVENT_READINGS - 1
    # what ends an event: readings settled at or below the range, or a gap; what begins one: readings settled above
    marks = np.flatnonzero(gap | settled)
    begins = settled[marks] & above[marks]
    before = np.concatenate([[False], begins[:-1]])[: len(marks)]
    starts = np.zeros(n, dtype=np.bool_)
    starts[marks[begins & ~before]] = True
    return starts


def management_indicator(mean_mg_dl: Numbers) -> Numbers:
    """The glucose management indicator in %, from mean glucose in mg/dL (Bergenstal et al. 2018)."""
    return 3.31 + 0.02392 * mean_mg_dl


def _valid(days: Integers) -> Mask:
    by_day = ByDay.of(days)
    valid: Mask = (by_day.counts >= LEAST_GLUCOSE_READINGS)[by_day.where]
    return valid


def _glucose(readings: Readings, by_day: ByDay) -> dict[str, Numbers]:
    low, high = TARGET_RANGE_MG_DL
    numeric = np.isfinite(readings.levels)
    numbers = ByDay(by_day.names, by_day.where[numeric])
    levels = readings.levels[numeric]
    with np.errstate(invalid="ignore", divide="ignore"):  # a day of "High" alone has no mean
        mean = numbers.mean(levels)
        deviation = numbers.deviation(levels)
    columns: Mapping[str, Numbers] = {
        "mean_glucose_mg_dl": mean,
        "sd_glucose_mg_dl": deviation,
        "cv_glucose_pct": 100 * deviation / mean,
        "time_in_range_pct": 100 * by_day.mean(((readings.levels >= low) & (readings.levels <= high)).astype(float)),
        "time_above_range_pct": 100 * by_day.mean((readings.levels > high).astype(float)),
        "time_below_range_pct": 100 * by_day.mean((readings.levels < low).astype(float)),
        "gmi_pct": management_indicator(mean),
    }
    return dict(columns)
