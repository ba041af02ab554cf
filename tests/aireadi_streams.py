"""Streams made by hand, for tests of what is computed from them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from sensecf_bench.datasets.aireadi.kinds import StreamKind
from sensecf_bench.datasets.aireadi.local_time import LocalTime
from sensecf_bench.datasets.aireadi.streams import Stream

PACIFIC = ZoneInfo("America/Los_Angeles")
LOCAL = LocalTime(PACIFIC)
DAY = 86_400


def at(text, zone=PACIFIC):
    """UTC seconds of a local time such as "2024-01-15 22:30"."""
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


def day_number(text):
    return (datetime.fromisoformat(text) - datetime(1970, 1, 1)).days


def stream(kind, times, values=None, ends=None, labels=None, names=("",), sentinel=None):
    times = np.asarray(times, dtype=np.int64)
    values = np.full(len(times), np.nan) if values is None else np.asarray(values, dtype=np.float64)
    return Stream(
        kind=StreamKind(kind),
        times=times,
        ends=times if ends is None else np.asarray(ends, dtype=np.int64),
        values=values,
        sentinel=np.isnan(values) if sentinel is None else np.asarray(sentinel, dtype=bool),
        labels=np.zeros(len(times), dtype=np.int16) if labels is None else np.asarray(labels, dtype=np.int16),
        label_names=names,
        timezone="America/Los_Angeles",
        person_id="900001",
        quirks={},
    )


def glucose(times, levels):
    """Glucose readings; "Low" and "High" as the device writes them."""
    names = ("", "Low", "High")
    values = [np.nan if isinstance(level, str) else level for level in levels]
    labels = [names.index(level) if isinstance(level, str) else 0 for level in levels]
    return stream(StreamKind.GLUCOSE, times, values, labels=labels, names=names)


def sleep(segments):
    """Stages as (start, end, stage)."""
    names = ("awake", "light", "deep", "rem", "unknown")
    starts, ends, stages = zip(*segments, strict=True)
    return stream(
        StreamKind.SLEEP,
        starts,
        (np.array(ends) - np.array(starts)) / 3600,
        ends=ends,
        labels=[names.index(s) for s in stages],
        names=names,
        sentinel=[s == "unknown" for s in stages],
    )


def activity(intervals):
    """Intervals as (start, end, name, value)."""
    names = ("sedentary", "generic", "walking", "running", "")
    starts, ends, labels, values = zip(*intervals, strict=True)
    return stream(
        StreamKind.ACTIVITY, starts, values, ends=ends, labels=[names.index(label) for label in labels], names=names
    )


def heart(first, days, hours=24, bpm=70.0):
    """A heart rate every ten minutes in the first `hours` clock hours of each of so many days from a local midnight."""
    step = np.arange(0, DAY, 600)
    step = step[step < hours * 3600]
    times = np.concatenate([first + d * DAY + step for d in range(days)])
    return stream(StreamKind.HEART_RATE, times, np.full(len(times), bpm))
