"""What each quirk does to a person's recording: from one `Recording` to another, with random numbers of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.datasets.aireadi.cohort.recording import ACTIVITIES, STAGES, Recording, Samples, Spans, joined

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

Alter = Callable[[Recording, "Generator"], Recording]
CHANGE_DAY = 2  # the day of wear on which clocks change
HOUR, DAY = 3600, 86_400


# -- the watch ---------------------------------------------------------------------------------------------------------
def more_sentinels(recording: Recording, rng: Generator) -> Recording:
    return replace(
        recording,
        heart_rate=_sprinkled(recording.heart_rate, 0.0, rng),
        stress=_sprinkled(recording.stress, -1.0, rng),
        respiratory_rate=_sprinkled(recording.respiratory_rate, -2.0, rng),
    )


def long_tail(recording: Recording, rng: Generator) -> Recording:
    spans = recording.physical_activity
    assert spans is not None
    ends = spans.ends[-1:] + 900 * np.arange(1, 14 * 96 + 1)
    idle = np.full(len(ends), ACTIVITIES.index("sedentary"))
    tail = Spans(ends - 900, ends, idle, np.zeros(len(ends)))

    def longer(samples: Samples | None, value: float, step: int) -> Samples | None:
        if samples is None:
            return None
        times = samples.times[-1] + step * np.arange(1, 14 * DAY // step + 1)
        return joined([samples, Samples(times, np.full(len(times), value))])

    return replace(
        recording,
        heart_rate=longer(recording.heart_rate, 0.0, 180),
        stress=longer(recording.stress, -1.0, 60),
        respiratory_rate=longer(recording.respiratory_rate, -1.0, 60),
        physical_activity=_chained([spans, tail]),
    )


def dead_sensor(recording: Recording, rng: Generator) -> Recording:
    def dead(samples: Samples | None, value: float) -> Samples | None:
        return None if samples is None else Samples(samples.times, np.full(len(samples), value))

    return replace(
        recording,
        heart_rate=dead(recording.heart_rate, 0.0),
        stress=dead(recording.stress, -1.0),
        respiratory_rate=dead(recording.respiratory_rate, -1.0),
        oxygen_saturation=dead(recording.oxygen_saturation, np.nan),
    )


def dead(stream: str, value: float) -> Alter:
    """One sensor wrote nothing but `value`, while the others measured."""

    def alter(recording: Recording, rng: Generator) -> Recording:
        samples = getattr(recording, stream)
        silent: Any = Samples(samples.times, np.full(len(samples), value))
        return replace(recording, **{stream: silent})

    return alter


def copied_blocks(recording: Recording, rng: Generator) -> Recording:
    def copied(samples: Samples | None) -> Samples | None:
        if samples is None:
            return None
        start = len(samples) // 3
        return joined([samples, samples.take(np.arange(start, start + min(400, len(samples) // 4)))])

    return replace(
        recording,
        heart_rate=copied(recording.heart_rate),
        stress=copied(recording.stress),
        respiratory_rate=copied(recording.respiratory_rate),
        oxygen_saturation=copied(recording.oxygen_saturation),
    )


def unsorted(recording: Recording, rng: Generator) -> Recording:
    def shuffled(samples: Samples | None) -> Samples | None:
        return None if samples is None else samples.take(rng.permutation(len(samples)))

    return replace(
        recording,
        heart_rate=shuffled(recording.heart_rate),
        stress=shuffled(recording.stress),
        continuous_glucose_monitoring=shuffled(recording.continuous_glucose_monitoring),
    )


def oxygen_of(value: float) -> Alter:
    def alter(recording: Recording, rng: Generator) -> Recording:
        return replace(recording, oxygen_saturation=_sprinkled(recording.oxygen_saturation, value, rng))

    return alter


def nan_breath(recording: Recording, rng: Generator) -> Recording:
    return replace(recording, respiratory_rate=_sprinkled(recording.respiratory_rate, np.nan, rng))


def blank_activity(recording: Recording, rng: Generator) -> Recording:
    return replace(
        recording, physical_activity=_with_instants(recording.physical_activity, ACTIVITIES.index(""), np.nan, rng)
    )


def zero_length(recording: Recording, rng: Generator) -> Recording:
    sedentary = ACTIVITIES.index("sedentary")
    return replace(recording, physical_activity=_with_instants(recording.physical_activity, sedentary, 0.0, rng))


def calorie_increments(recording: Recording, rng: Generator) -> Recording:
    totals = recording.physical_activity_calorie
    assert totals is not None
    steps = np.maximum(np.diff(totals.values, prepend=0.0), 0.0)
    return replace(
        recording,
        physical_activity_calorie=_in_order(
            joined([totals, Samples(totals.times + 20, np.minimum(steps, totals.values))])
        ),
    )


# -- sleep ---------------------------------------------------------------------------------------------------------------
def duplicate_nights(recording: Recording, rng: Generator) -> Recording:
    """Every second night stands there three times, one copy after the other."""
    nights = _nights(recording.sleep)
    return replace(
        recording, sleep=_chained([copy for k, night in enumerate(nights) for copy in [night] * (3 - 2 * (k % 2))])
    )


def unknown_stages(recording: Recording, rng: Generator) -> Recording:
    parts: list[Spans] = []
    for night in _nights(recording.sleep):
        after = night.ends[-1:]
        unknown = Spans(after, after + 300, np.array([STAGES.index("unknown")]), np.array([5.0]))
        parts += [night, unknown]
    return replace(recording, sleep=_chained(parts))


def last_stage_dropped(recording: Recording, rng: Generator) -> Recording:
    return replace(recording, sleep=_chained([n.take(np.arange(len(n) - 1)) for n in _nights(recording.sleep)]))


def overlapping_nights(recording: Recording, rng: Generator) -> Recording:
    """Every second night stands there twice, the copy five minutes late, so that it is no exact duplicate."""
    parts: list[Spans] = []
    for k, night in enumerate(_nights(recording.sleep)):
        late = Spans(night.starts + 300, night.ends + 300, night.names, night.values)
        parts += [night] if k % 2 else [night, late]
    return replace(recording, sleep=_chained(parts))


def night_holes(recording: Recording, rng: Generator) -> Recording:
    """The stage in the middle of a night is unknown in every second night, and missing in the others."""
    parts: list[Spans] = []
    for k, night in enumerate(_nights(recording.sleep)):
        middle = len(night) // 2
        if k % 2:
            parts.append(night.take(np.arange(len(night)) != middle))
        else:
            names = night.names.copy()
            names[middle] = STAGES.index("unknown")
            parts.append(replace(night, names=names))
    return replace(recording, sleep=_chained(parts))


def empty_sleep(recording: Recording, rng: Generator) -> Recording:
    assert recording.sleep is not None
    return replace(recording, sleep=recording.sleep.take(np.zeros(0, dtype=np.intp)))


# -- glucose -------------------------------------------------------------------------------------------------------------
def low_high(recording: Recording, rng: Generator) -> Recording:
    """The eight highest readings, where they are above range, become "High" and the three lowest "Low"."""
    trace = recording.continuous_glucose_monitoring
    assert trace is not None
    order = np.argsort(trace.values, kind="stable")
    values = trace.values.copy()
    top = order[-8:]
    values[top] = np.where(values[top] > 180, np.inf, values[top])
    values[order[:3]] = -np.inf
    return replace(recording, continuous_glucose_monitoring=Samples(trace.times, values))


def clock_moved(seconds: int) -> Alter:
    """What happens when clocks change at two in the morning, in spring by -3600 and in autumn by 3600 seconds of UTC.

    The person and the watch go by the new time: in spring there is no hour from two to three, in autumn nothing is
    recorded in the hour that comes twice. The sensor's clock is not changed: its readings go on, and their wall time is
    turned into UTC by the new offset, so that in spring an hour of them falls onto the hour before.
    """
    change = CHANGE_DAY * DAY + 2 * HOUR

    def moved(times: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(times < change, times, np.maximum(times + seconds, change))

    def samples(stream: Samples | None) -> Samples | None:
        if stream is None:
            return None
        skipped = (stream.times >= change) & (stream.times + seconds < change)
        return Samples(moved(stream.times[~skipped]), stream.values[~skipped])

    def spans(stream: Spans | None) -> Spans:
        assert stream is not None
        starts, ends = moved(stream.starts), moved(stream.ends)
        return Spans(starts, ends, stream.names, stream.values).take((ends > starts) | (stream.ends == stream.starts))

    def alter(recording: Recording, rng: Generator) -> Recording:
        trace = recording.continuous_glucose_monitoring
        assert trace is not None
        shifted = np.where(trace.times >= change, trace.times + seconds, trace.times)
        return Recording(
            heart_rate=samples(recording.heart_rate),
            stress=samples(recording.stress),
            respiratory_rate=samples(recording.respiratory_rate),
            oxygen_saturation=samples(recording.oxygen_saturation),
            physical_activity=spans(recording.physical_activity),
            physical_activity_calorie=samples(recording.physical_activity_calorie),
            sleep=spans(recording.sleep),
            continuous_glucose_monitoring=Samples(shifted, trace.values),
        )

    return alter


def sparse_glucose(recording: Recording, rng: Generator) -> Recording:
    trace = recording.continuous_glucose_monitoring
    assert trace is not None
    return replace(recording, continuous_glucose_monitoring=trace.take(np.arange(min(89, len(trace)))))


def without(stream: str) -> Alter:
    def alter(recording: Recording, rng: Generator) -> Recording:
        return replace(recording, **{stream: None})

    return alter


# -- shared ----------------------------------------------------------------------------------------------------------------
def _sprinkled(samples: Samples | None, value: float, rng: Generator) -> Samples | None:
    """The same value in a record of its own half a minute after one record in ten."""
    if samples is None or not len(samples):
        return samples
    times = np.sort(rng.choice(samples.times, max(1, len(samples) // 10), replace=False)) + 30
    return _in_order(joined([samples, Samples(times, np.full(len(times), value))]))


def _with_instants(spans: Spans | None, name: int, value: float, rng: Generator) -> Spans:
    """Intervals of no length at the beginning of one interval in ten."""
    assert spans is not None
    at = np.sort(rng.choice(spans.starts, max(1, len(spans) // 10), replace=False))
    instants = Spans(at, at, np.full(len(at), name), np.full(len(at), value))
    together = _chained([spans, instants])
    return together.take(np.argsort(together.starts, kind="stable"))


def _in_order(samples: Samples) -> Samples:
    return samples.take(np.argsort(samples.times, kind="stable"))


def _nights(sleep: Spans | None) -> list[Spans]:
    assert sleep is not None
    breaks = np.flatnonzero(sleep.starts[1:] != sleep.ends[:-1]) + 1
    edges = [0, *breaks.tolist(), len(sleep)]
    return [sleep.take(np.arange(a, b)) for a, b in pairwise(edges) if b > a]


def _chained(parts: Sequence[Spans]) -> Spans:
    none = np.zeros(0, dtype=np.int64)
    return Spans(
        np.concatenate([none, *(p.starts for p in parts)]),
        np.concatenate([none, *(p.ends for p in parts)]),
        np.concatenate([none, *(p.names for p in parts)]).astype(np.intp),
        np.concatenate([none.astype(np.float64), *(p.values for p in parts)]),
    )
