"""The release's known quirks by name, each as a change to what a person's devices recorded or to how it is written.

`QUIRKS` says of each what it is and what it does to the features: nothing ("harmless"), a little, because something real
is lost ("bounded"), or the person cannot be used ("excludes"). Sentinels, a tail after the watch has come off, NaN in
oxygen saturation, a first interval of no length, interleaved running totals and days cut short by the visit are no quirks
to be injected: every recording has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from sensecf_bench.datasets.aireadi.cohort import Cohort
from sensecf_bench.datasets.aireadi.cohort.draws import of_person
from sensecf_bench.datasets.aireadi.cohort.recording import ACTIVITIES, STAGES, Recording, Samples, Spans, joined
from sensecf_bench.errors import UnknownNameError

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

Effect = Literal["harmless", "bounded", "excludes"]
Alter = Callable[[Recording, "Generator"], Recording]
EVERY = 4  # one in so many complete people is affected
SPRING, AUTUMN = np.datetime64("2024-03-10"), np.datetime64("2023-11-05")
CHANGE_DAY = 2  # the day of wear on which clocks change
HOUR, DAY = 3600, 86_400


@dataclass(frozen=True)
class QuirkToInject:
    """One quirk: `alter` changes recordings; those without it are carried out by the writer, which asks for them by name."""

    about: str
    effect: Effect = "harmless"
    alter: Alter | None = None
    whole_release: bool = False


class Injected:
    """Which quirks hit which people of a cohort."""

    def __init__(self, names: Iterable[str], cohort: Cohort) -> None:
        self.names = resolve(names)
        here = cohort.people.presence
        complete = np.flatnonzero(here.garmin & here.glucose & here.optical & here.oxygen).tolist()
        self._hit = {name: frozenset(self._people(name, complete, len(cohort))) for name in self.names}
        self._seed = cohort.seed

    def _people(self, name: str, complete: list[int], everyone: int) -> Sequence[int]:
        """One complete person in four. Of several quirks, those that exclude people share one quarter of them, so that the
        others are seen in people who can be used."""
        if QUIRKS[name].whole_release:
            return range(everyone)
        if len(self.names) == 1 or len(complete) < EVERY:
            return complete[::EVERY]
        excluding = [other for other in self.names if QUIRKS[other].effect == "excludes"]
        spared = [i for k, i in enumerate(complete) if k % EVERY or not excluding]
        if name not in excluding:
            return spared[list(QUIRKS).index(name) % (EVERY - 1) :: EVERY - 1]
        quarter = complete[::EVERY]
        return quarter[excluding.index(name) % len(quarter) :: len(excluding)]

    def hits(self, name: str, i: int) -> bool:
        """Whether a quirk is asked for and person `i` has it."""
        return i in self._hit.get(name, ())

    def of(self, name: str) -> tuple[int, ...]:
        """The people a quirk hits."""
        return tuple(sorted(self._hit.get(name, ())))

    def altered(self, recording: Recording, i: int) -> Recording:
        """A person's recording with the quirks they have."""
        for name in self.names:
            alter = QUIRKS[name].alter
            if alter is not None and self.hits(name, i):
                recording = alter(recording, of_person(self._seed, i, name))
        return recording

    def rescheduled(self, cohort: Cohort) -> Cohort:
        """The cohort with the visits of those who are to wear their devices over a change of clocks moved to it."""
        visit = cohort.people.visit.copy()
        for name, change in (("dst-duplicate", SPRING), ("dst-gap", AUTUMN)):
            visit[list(self.of(name))] = change - CHANGE_DAY
        return replace(cohort, people=replace(cohort.people, visit=visit))


def resolve(names: Iterable[str]) -> tuple[str, ...]:
    """Names of quirks in the order in which they are applied; "all" is all of them. Raises UnknownNameError."""
    asked = set(names)
    for name in asked - {"all", *QUIRKS}:
        raise UnknownNameError("quirk", name, [*QUIRKS, "all"])
    return tuple(QUIRKS) if "all" in asked else tuple(name for name in QUIRKS if name in asked)


# -- the watch ---------------------------------------------------------------------------------------------------------
def _more_sentinels(recording: Recording, rng: Generator) -> Recording:
    return replace(
        recording,
        heart_rate=_sprinkled(recording.heart_rate, 0.0, rng),
        stress=_sprinkled(recording.stress, -1.0, rng),
        respiratory_rate=_sprinkled(recording.respiratory_rate, -2.0, rng),
    )


def _long_tail(recording: Recording, rng: Generator) -> Recording:
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


def _dead_sensor(recording: Recording, rng: Generator) -> Recording:
    def dead(samples: Samples | None, value: float) -> Samples | None:
        return None if samples is None else Samples(samples.times, np.full(len(samples), value))

    return replace(
        recording,
        heart_rate=dead(recording.heart_rate, 0.0),
        stress=dead(recording.stress, -1.0),
        respiratory_rate=dead(recording.respiratory_rate, -1.0),
        oxygen_saturation=dead(recording.oxygen_saturation, np.nan),
    )


def _copied_blocks(recording: Recording, rng: Generator) -> Recording:
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


def _unsorted(recording: Recording, rng: Generator) -> Recording:
    def shuffled(samples: Samples | None) -> Samples | None:
        return None if samples is None else samples.take(rng.permutation(len(samples)))

    return replace(
        recording,
        heart_rate=shuffled(recording.heart_rate),
        stress=shuffled(recording.stress),
        continuous_glucose_monitoring=shuffled(recording.continuous_glucose_monitoring),
    )


def _oxygen_of(value: float) -> Alter:
    def alter(recording: Recording, rng: Generator) -> Recording:
        return replace(recording, oxygen_saturation=_sprinkled(recording.oxygen_saturation, value, rng))

    return alter


def _nan_breath(recording: Recording, rng: Generator) -> Recording:
    return replace(recording, respiratory_rate=_sprinkled(recording.respiratory_rate, np.nan, rng))


def _blank_activity(recording: Recording, rng: Generator) -> Recording:
    return replace(
        recording, physical_activity=_with_instants(recording.physical_activity, ACTIVITIES.index(""), np.nan, rng)
    )


def _zero_length(recording: Recording, rng: Generator) -> Recording:
    sedentary = ACTIVITIES.index("sedentary")
    return replace(recording, physical_activity=_with_instants(recording.physical_activity, sedentary, 0.0, rng))


def _calorie_increments(recording: Recording, rng: Generator) -> Recording:
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
def _duplicate_nights(recording: Recording, rng: Generator) -> Recording:
    """Every second night stands there three times, one copy after the other."""
    nights = _nights(recording.sleep)
    return replace(
        recording, sleep=_chained([copy for k, night in enumerate(nights) for copy in [night] * (3 - 2 * (k % 2))])
    )


def _unknown_stages(recording: Recording, rng: Generator) -> Recording:
    parts: list[Spans] = []
    for night in _nights(recording.sleep):
        after = night.ends[-1:]
        unknown = Spans(after, after + 300, np.array([STAGES.index("unknown")]), np.array([5.0]))
        parts += [night, unknown]
    return replace(recording, sleep=_chained(parts))


def _last_stage_dropped(recording: Recording, rng: Generator) -> Recording:
    return replace(recording, sleep=_chained([n.take(np.arange(len(n) - 1)) for n in _nights(recording.sleep)]))


def _empty_sleep(recording: Recording, rng: Generator) -> Recording:
    assert recording.sleep is not None
    return replace(recording, sleep=recording.sleep.take(np.zeros(0, dtype=np.intp)))


# -- glucose -------------------------------------------------------------------------------------------------------------
def _low_high(recording: Recording, rng: Generator) -> Recording:
    """The eight highest readings, where they are above range, become "High" and the three lowest "Low"."""
    trace = recording.continuous_glucose_monitoring
    assert trace is not None
    order = np.argsort(trace.values, kind="stable")
    values = trace.values.copy()
    top = order[-8:]
    values[top] = np.where(values[top] > 180, np.inf, values[top])
    values[order[:3]] = -np.inf
    return replace(recording, continuous_glucose_monitoring=Samples(trace.times, values))


def _clock_moved(seconds: int) -> Alter:
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


def _sparse_glucose(recording: Recording, rng: Generator) -> Recording:
    trace = recording.continuous_glucose_monitoring
    assert trace is not None
    return replace(recording, continuous_glucose_monitoring=trace.take(np.arange(min(89, len(trace)))))


def _without(stream: str) -> Alter:
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


QUIRKS: dict[str, QuirkToInject] = {
    "more-sentinels": QuirkToInject("heart rate 0, stress -1 and breathing -2 among the measurements", alter=_more_sentinels),
    "long-tail": QuirkToInject("two more weeks recorded after the watch came off", alter=_long_tail),
    "dead-sensor": QuirkToInject("the watch measured nothing: zeros, sentinels and NaN only", "excludes", _dead_sensor),
    "duplicate-blocks": QuirkToInject("a block of watch records copied to the end of the file", alter=_copied_blocks),
    "unsorted": QuirkToInject("heart rate, stress and glucose in no order", alter=_unsorted),
    "nan-oxygen": QuirkToInject("more bare NaN tokens in oxygen saturation", alter=_oxygen_of(np.nan)),
    "zero-oxygen": QuirkToInject("oxygen saturation 0", alter=_oxygen_of(0.0)),
    "nan-breath": QuirkToInject("bare NaN tokens in respiratory rate", alter=_nan_breath),
    "blank-activity": QuirkToInject('activities named "" with the value "" and no length', alter=_blank_activity),
    "zero-length": QuirkToInject("activity intervals of no length at times that others have", alter=_zero_length),
    "float-activity": QuirkToInject("activity values with a decimal point, so that the manifest's average is 0"),
    "calorie-increments": QuirkToInject("single increments between the running totals of calories", alter=_calorie_increments),
    "duplicate-nights": QuirkToInject("every second night three times", alter=_duplicate_nights),
    "unknown-stages": QuirkToInject('a stage "unknown" after each night', alter=_unknown_stages),
    "last-stage-dropped": QuirkToInject("the last stage of each night is missing", "bounded", _last_stage_dropped),
    "empty-sleep": QuirkToInject("a sleep file without records and without a header", "excludes", _empty_sleep),
    "low-high": QuirkToInject('glucose readings "Low" and "High"', "bounded", _low_high),
    "dst-duplicate": QuirkToInject(
        "glucose over the spring change of clocks: an hour of doubled stamps", "bounded", _clock_moved(-HOUR)
    ),
    "dst-gap": QuirkToInject(
        "glucose over the autumn change of clocks: an hour without stamps", "bounded", _clock_moved(HOUR)
    ),
    "sparse-glucose": QuirkToInject("a sensor with 89 readings", "excludes", _sparse_glucose),
    "missing-oxygen": QuirkToInject("no oxygen saturation file", alter=_without("oxygen_saturation")),
    "missing-stress": QuirkToInject("no stress file", "excludes", _without("stress")),
    "null-header": QuirkToInject("header null in files that have records"),
    "mixed-release": QuirkToInject("files with the keys of another release"),
    "insulin-alias": QuirkToInject("group written insulin_controlled", whole_release=True),
    "survey-sentinels": QuirkToInject("diabetes distress answered 777, prefer not to say", "excludes"),
    "second-index": QuirkToInject("two unnamed index columns in measurement.csv", whole_release=True),
    "doubled-directory": QuirkToInject("a datatype's folder inside a folder of its name", whole_release=True),
}  # fmt: skip
