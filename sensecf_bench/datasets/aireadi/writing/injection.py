"""The release's known quirks by name, each as a change to what a person's devices recorded or to how it is written.

`QUIRKS` says of each what it is and what it does to the features: nothing ("harmless"), a little, because something real
is lost ("bounded"), or the person cannot be used ("excludes"). Sentinels, a tail after the watch has come off, NaN in
oxygen saturation, a first interval of no length, interleaved running totals and days cut short by the visit are no quirks
to be injected: every recording has them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from sensecf_bench.datasets.aireadi.cohort import Cohort
from sensecf_bench.datasets.aireadi.cohort.draws import of_person
from sensecf_bench.datasets.aireadi.cohort.recording import Recording
from sensecf_bench.datasets.aireadi.writing import alterations
from sensecf_bench.datasets.aireadi.writing.alterations import CHANGE_DAY, HOUR, Alter
from sensecf_bench.errors import UnknownNameError

Effect = Literal["harmless", "bounded", "excludes"]
EVERY = 4  # one in so many complete people is affected
SPRING, AUTUMN = np.datetime64("2024-03-10"), np.datetime64("2023-11-05")


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


QUIRKS: dict[str, QuirkToInject] = {
    "more-sentinels": QuirkToInject("heart rate 0, stress -1 and breathing -2 among the measurements", alter=alterations.more_sentinels),
    "long-tail": QuirkToInject("two more weeks recorded after the watch came off", alter=alterations.long_tail),
    "dead-sensor": QuirkToInject("the watch measured nothing: zeros, sentinels and NaN only", "excludes", alterations.dead_sensor),
    "dead-stress": QuirkToInject("stress -1 only, while the heart rate was measured", "excludes", alterations.dead("stress", -1.0)),
    "dead-breath": QuirkToInject("breathing -1 only, while the heart rate was measured", "excludes", alterations.dead("respiratory_rate", -1.0)),
    "duplicate-blocks": QuirkToInject("a block of watch records copied to the end of the file", alter=alterations.copied_blocks),
    "unsorted": QuirkToInject("heart rate, stress and glucose in no order", alter=alterations.unsorted),
    "nan-oxygen": QuirkToInject("more bare NaN tokens in oxygen saturation", alter=alterations.oxygen_of(np.nan)),
    "zero-oxygen": QuirkToInject("oxygen saturation 0", alter=alterations.oxygen_of(0.0)),
    "nan-breath": QuirkToInject("bare NaN tokens in respiratory rate", alter=alterations.nan_breath),
    "blank-activity": QuirkToInject('activities named "" with the value "" and no length', alter=alterations.blank_activity),
    "zero-length": QuirkToInject("activity intervals of no length at times that others have", alter=alterations.zero_length),
    "float-activity": QuirkToInject("activity values with a decimal point, so that the manifest's average is 0"),
    "calorie-increments": QuirkToInject("single increments between the running totals of calories", alter=alterations.calorie_increments),
    "duplicate-nights": QuirkToInject("every second night three times", alter=alterations.duplicate_nights),
    "overlapping-nights": QuirkToInject("every second night twice, five minutes apart", "bounded", alterations.overlapping_nights),
    "night-holes": QuirkToInject("a stage within each night unknown or missing", "bounded", alterations.night_holes),
    "unknown-stages": QuirkToInject('a stage "unknown" after each night', alter=alterations.unknown_stages),
    "last-stage-dropped": QuirkToInject("the last stage of each night is missing", "bounded", alterations.last_stage_dropped),
    "empty-sleep": QuirkToInject("a sleep file without records and without a header", "excludes", alterations.empty_sleep),
    "low-high": QuirkToInject('glucose readings "Low" and "High"', "bounded", alterations.low_high),
    "dst-duplicate": QuirkToInject(
        "glucose over the spring change of clocks: an hour of doubled stamps", "bounded", alterations.clock_moved(-HOUR)
    ),
    "dst-gap": QuirkToInject(
        "glucose over the autumn change of clocks: an hour without stamps", "bounded", alterations.clock_moved(HOUR)
    ),
    "sparse-glucose": QuirkToInject("a sensor with 89 readings", "excludes", alterations.sparse_glucose),
    "missing-oxygen": QuirkToInject("no oxygen saturation file", alter=alterations.without("oxygen_saturation")),
    "missing-stress": QuirkToInject("no stress file", "excludes", alterations.without("stress")),
    "missing-breath": QuirkToInject("no respiratory rate file", "excludes", alterations.without("respiratory_rate")),
    "missing-calories": QuirkToInject("no calories file", "excludes", alterations.without("physical_activity_calorie")),
    "null-header": QuirkToInject("header null in files that have records"),
    "mixed-release": QuirkToInject("files with the keys of another release"),
    "insulin-alias": QuirkToInject("group written insulin_controlled", whole_release=True),
    "survey-sentinels": QuirkToInject("diabetes distress answered 777, prefer not to say", "excludes"),
    "second-index": QuirkToInject("two unnamed index columns in measurement.csv", whole_release=True),
    "doubled-directory": QuirkToInject("a datatype's folder inside a folder of its name", whole_release=True),
}  # fmt: skip
