"""From a person's days to minutes, so that the minutes add up to the days exactly.

Heart rate, stress and breathing follow the time of day and what the person does; their sums, and the resting heart rate,
are the day's. After the watch has come off it goes on writing heart rate 0, stress -1 and -2, breathing -1 and sedentary
minutes, as the real one does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.datasets.aireadi.cohort import Cohort
from sensecf_bench.datasets.aireadi.cohort.days import GENERIC_CODES, RUNNING_CODE, WALKING_CODES
from sensecf_bench.datasets.aireadi.cohort.draws import integers_with_sum, of_person
from sensecf_bench.datasets.aireadi.cohort.recording import ACTIVITIES, STAGES, Recording, Samples, Spans, joined
from sensecf_bench.datasets.aireadi.cohort.wear import DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]
    Integers = NDArray[np.int64]
    Mask = NDArray[np.bool_]

AWAKE = (450, 1350)  # minutes of the day in which people are up and about
RESTING_SHARE = 0.08  # of the records that lie at the day's lowest heart rate; above the 5 % that define it
HIGHEST_HEART_RATE, HIGHEST_STRESS = 190, 100
BREATHING, OXYGEN = (500, 3000), (70, 100)  # hundredths of breaths per minute; %
SEDENTARY_RUN = 15  # minutes that a sedentary record takes at most
CALORIE_STEP = 20  # minutes between two records of a running total
CYCLE = 92  # minutes of a sleep cycle
DEEP_EARLY, REM_LATE = 0.6, 0.5  # how much the shares of deep and REM sleep fall and rise over the cycles of a night
TAIL_SHARE = (0.2, 1.6)  # days recorded after the watch has come off, by days of wear


def record(cohort: Cohort, i: int) -> Recording:
    """The recordings of person `i`."""
    return _Person(cohort, i).recording()


class _Person:
    """One person's streams; minutes lie in matrices of shape `(W+1, 1440)`."""

    def __init__(self, cohort: Cohort, i: int) -> None:
        self.cohort, self.i = cohort, i
        self.days, self.nights = cohort.days, cohort.nights
        self.rng = of_person(cohort.seed, i, "minutes")
        self.second = int(cohort.wear.second[i])
        minute = np.arange(DAY)
        self.minute = minute
        self.rows = cohort.wear.days + 1
        self.worn = (minute >= cohort.wear.begin[i][:, None]) & (minute < cohort.wear.end[i][:, None])
        self.start = int(cohort.wear.begin[i, 0])
        worn = np.flatnonzero(self.worn.ravel())
        tail = self.rng.uniform(*TAIL_SHARE) * cohort.wear.days * DAY
        self.off, self.stop = int(worn[-1]) + 1, int(worn[-1] + 1 + tail)
        self.blocks = np.repeat(self.rng.standard_normal((self.rows, DAY // 10)), 10, axis=1)

    def recording(self) -> Recording:
        here = self.cohort.people.presence
        i = self.i
        glucose = self.glucose() if here.glucose[i] else None
        if not here.garmin[i]:
            return Recording(None, None, None, None, None, None, None, glucose)
        codes = self.codes()
        measured = bool(here.optical[i])
        return Recording(
            heart_rate=self.heart(codes),
            stress=self.stress(codes),
            respiratory_rate=self.breath(),
            oxygen_saturation=self.oxygen() if here.oxygen[i] or not measured else None,
            physical_activity=self.activity(codes),
            physical_activity_calorie=self.calories(),
            sleep=self.sleep(),
            continuous_glucose_monitoring=glucose,
        )

    # -- the watch's minutes -------------------------------------------------------------------------------------
    def stress(self, codes: Integers) -> Samples:
        present = self._choose(self.days.stress_count[self.i], avoid=codes > 0)
        count = np.maximum(self.days.stress_count[self.i], 1)
        level = (self.days.stress_sum[self.i] / count)[:, None]
        waking = np.where((self.minute > AWAKE[0]) & (self.minute < AWAKE[1]), 1.25, 0.6)
        pattern = level * waking * np.exp(0.45 * self.blocks + 0.25 * self.rng.standard_normal(present.shape))
        values = integers_with_sum(pattern, self.days.stress_sum[self.i], 1, HIGHEST_STRESS, present)
        return self._every_minute(np.where(present, values, -2.0), off=-1.0)

    def breath(self) -> Samples:
        present = self._choose(self.days.breath_count[self.i])
        asleep = np.where((self.minute > AWAKE[0]) & (self.minute < AWAKE[1]), 0.0, -80.0)
        pattern = asleep + 90 * self.blocks + 40 * self.rng.standard_normal(present.shape) + 1450
        values = integers_with_sum(pattern, self.days.breath_sum[self.i], *BREATHING, present) / 100
        return self._every_minute(np.where(present, values, -2.0), off=-1.0)

    def heart(self, codes: Integers) -> Samples:
        present = self._choose(self.days.heart_count[self.i])
        resting = self.days.resting[self.i]
        waking = np.where((self.minute > AWAKE[0]) & (self.minute < AWAKE[1]), 8.0, -6.0)
        effort = 0.25 * np.where(codes > 0, codes, 0.0)
        pattern = resting[:, None] + 13 + waking + effort + 4 * self.blocks
        pattern += 3 * self.rng.standard_normal(pattern.shape)
        lowest = np.argsort(np.argsort(np.where(present, pattern, np.inf), axis=1), axis=1)
        count = self.days.heart_count[self.i]
        at_rest = lowest < np.ceil(RESTING_SHARE * count)[:, None]
        above = present & ~at_rest
        goal = self.days.heart_sum[self.i] - resting * (present & at_rest).sum(axis=1)
        above_rest = integers_with_sum(pattern, goal, resting, HIGHEST_HEART_RATE, above)
        values = np.where(at_rest, resting[:, None], above_rest).astype(np.float64)
        minutes = np.flatnonzero(present.ravel())
        measured = Samples(self._seconds(minutes), values.ravel()[minutes])
        begin = self.off if len(minutes) else self.start  # a sensor without contact writes zeros from the beginning
        idle = np.arange(begin, self.stop, 3)
        return joined([measured, Samples(self._seconds(idle), np.zeros(len(idle)))])

    def oxygen(self) -> Samples:
        times, values = [], []
        for night in np.flatnonzero(self.nights.recorded[self.i]):
            length = int(self.nights.oxygen[self.i, night])
            first = (night + 1) * DAY + max(int(self.nights.onset[self.i, night]), 0) + 10
            count = int(self.days.oxygen_count[self.i, night])
            present = np.zeros((1, length), dtype=np.bool_)
            present[0, self.rng.permutation(length)[:count]] = True
            pattern = 92 + 1.3 * self.rng.standard_normal((1, length))
            level = integers_with_sum(pattern, self.days.oxygen_sum[self.i, night : night + 1], *OXYGEN, present)
            times.append(self._seconds(np.arange(first, first + length)))
            values.append(np.where(present, level, np.nan)[0])
        none = Samples(np.zeros(0, dtype=np.int64), np.zeros(0))
        return joined([none, *(Samples(t, v) for t, v in zip(times, values, strict=True))])

    # -- what the person does --------------------------------------------------------------------------------------
    def codes(self) -> Integers:
        """The activity code of every minute; 0 is sedentary."""
        i, days = self.i, self.days
        kinds = np.array([*WALKING_CODES, *GENERIC_CODES, RUNNING_CODE])
        amounts = np.column_stack([days.walking[i], days.generic[i], days.running[i]])
        sleepy = (self.minute < AWAKE[0]) | (self.minute >= AWAKE[1])
        # the last minute of a day stays sedentary, so that no active record reaches into the next
        key = self.blocks + 1e3 * sleepy + np.where(self.worn & (self.minute < DAY - 1), 0.0, np.inf)
        key = key + 1e-3 * self.rng.random(key.shape)
        ranks = np.argsort(np.argsort(key, axis=1), axis=1)
        chosen = ranks < amounts.sum(axis=1)[:, None]
        shuffled = np.repeat(self.rng.random((self.rows, DAY // 10)), 10, axis=1) + 1e-6 * self.rng.random(key.shape)
        place = np.argsort(np.argsort(np.where(chosen, shuffled, np.inf), axis=1), axis=1)
        limits = np.cumsum(amounts, axis=1)
        codes = np.zeros(key.shape, dtype=np.int64)
        for row in range(self.rows):
            codes[row, chosen[row]] = kinds[np.searchsorted(limits[row], place[row, chosen[row]], side="right")]
        return codes

    def activity(self, codes: Integers) -> Spans:
        minutes = np.arange(self.start, self.stop)
        code = np.zeros(self.stop, dtype=np.int64)
        known = min(codes.size, self.stop)
        code[:known] = codes.ravel()[:known]
        code = code[self.start :]
        before = np.concatenate([[0], code[:-1]])
        opens = np.flatnonzero((code > 0) | (before > 0) | (minutes % SEDENTARY_RUN == 0) | (minutes == self.start))
        starts = minutes[opens]
        ends = np.concatenate([starts[1:], [self.stop]])
        named = np.full(256, ACTIVITIES.index("generic"))
        named[0] = ACTIVITIES.index("sedentary")
        named[list(WALKING_CODES)] = ACTIVITIES.index("walking")
        named[RUNNING_CODE] = ACTIVITIES.index("running")
        first = starts[:1]  # the device's first record ends when it begins
        return Spans(
            self._seconds(np.concatenate([first, starts])),
            self._seconds(np.concatenate([first, ends])),
            np.concatenate([[ACTIVITIES.index("sedentary")], named[code[opens]]]),
            np.concatenate([[0.0], code[opens].astype(np.float64)]),
        )

    def calories(self) -> Samples:
        """Two running totals a day, one behind the other; the greatest value is the day's."""
        parts = []
        for day in range(self.rows):
            minutes = np.flatnonzero(self.worn[day])
            if not len(minutes):
                continue
            at = minutes[CALORIE_STEP // 2 :: CALORIE_STEP]
            at = at if len(at) else minutes[-1:]
            grown = np.cumsum(self.rng.random(len(at)) * np.where((at > AWAKE[0]) & (at < AWAKE[1]), 1.0, 0.05))
            total = int(self.days.calories[self.i, day])
            whole = np.floor(total * grown / grown[-1])
            whole[-1] = total
            behind = at[:-1] + CALORIE_STEP // 2
            times = np.concatenate([at, behind])
            values = np.concatenate([whole, np.floor(0.4 * whole[:-1])])
            order = np.argsort(times)
            parts.append(Samples(self._seconds(day * DAY + times[order]), values[order]))
        return joined(parts)

    def sleep(self) -> Spans:
        starts, ends, names = [], [], []
        for night in np.flatnonzero(self.nights.recorded[self.i]):
            stages, lengths = self._stages(int(night))
            edges = np.cumsum(np.concatenate([[0], lengths]))
            edges += (night + 1) * DAY + int(self.nights.onset[self.i, night])
            starts.append(edges[:-1])
            ends.append(edges[1:])
            names.append(stages)
        none = np.zeros(0, dtype=np.int64)
        begin, end = np.concatenate([none, *starts]), np.concatenate([none, *ends])
        return Spans(
            self._seconds(begin), self._seconds(end), np.concatenate([none, *names]).astype(np.intp), (end - begin) / 60
        )

    def _stages(self, night: int) -> tuple[Integers, Integers]:
        """The stages of a night and their minutes: cycles of light, deep, light and REM sleep with a moment awake."""
        i, nights = self.i, self.nights
        cycles = max(2, round(int(nights.in_bed[i, night]) / CYCLE))
        place = np.linspace(0, 1, cycles)
        even = np.ones(cycles)
        parts = {
            "light": _dealt(int(nights.light[i, night]), even + 0.2 * self.rng.random(cycles)),
            "deep": _dealt(int(nights.deep[i, night]), 1 - DEEP_EARLY * place),
            "rem": _dealt(int(nights.rem[i, night]), 1 - REM_LATE + REM_LATE * place),
            "awake": _dealt(int(nights.awake[i, night]), 0.2 + self.rng.random(cycles)),
        }
        first = parts["light"] // 2
        lengths = np.stack([first, parts["deep"], parts["light"] - first, parts["rem"], parts["awake"]], axis=1).ravel()
        order = np.array([STAGES.index(name) for name in ("light", "deep", "light", "rem", "awake")])
        present = lengths > 0
        return np.tile(order, cycles)[present], lengths[present]

    def glucose(self) -> Samples:
        kept = np.flatnonzero(self.cohort.wear.readings[self.i])
        times = 60 * int(self.cohort.wear.sensor_start[self.i]) + self.second + 300 * kept
        return Samples(times, self.cohort.readings[self.i, kept].astype(np.float64))

    # -- shared ---------------------------------------------------------------------------------------------------------
    def _choose(self, counts: Integers, avoid: Mask | None = None) -> Mask:
        """So many minutes of wear of each day at random, the ones to avoid last."""
        key = self.rng.random(self.worn.shape) + np.where(self.worn, 0.0, np.inf)
        if avoid is not None:
            key = key + avoid
        return np.argsort(np.argsort(key, axis=1), axis=1) < counts[:, None]

    def _every_minute(self, values: Matrix, off: float) -> Samples:
        """A record each minute from the visit to the end of the recording."""
        minutes = np.arange(self.start, self.stop)
        everything = np.full(max(self.stop, values.size), off)
        everything[: values.size] = np.where(self.worn, values, off).ravel()
        return Samples(self._seconds(minutes), everything[minutes])

    def _seconds(self, minutes: Integers) -> Integers:
        return 60 * minutes.astype(np.int64) + self.second


def _dealt(total: int, weights: Matrix) -> Integers:
    """A whole number dealt out in proportion to weights."""
    edges = np.rint(total * np.cumsum(weights) / weights.sum()).astype(np.int64)
    dealt: Integers = np.diff(edges, prepend=0)
    return dealt
