"""Sleep: one row a night, in whole minutes of each stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.datasets.aireadi.cohort.draws import Draws
from sensecf_bench.datasets.aireadi.cohort.people import People
from sensecf_bench.datasets.aireadi.cohort.wear import Wear

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]
    Integers = NDArray[np.int64]

LATEST_WAKING = 530  # before the earliest visit, so that a night is over when the watch comes off
IN_BED = (260, 780)
OXYGEN_MINUTES = 240  # the device measures oxygen for four hours of a night


@dataclass(frozen=True, eq=False)
class Nights:
    """Night k ends on day k + 1; shape `(n, W)`, minutes."""

    recorded: NDArray[np.bool_]
    onset: Integers  # minute of day k + 1 at which the person goes to bed; negative before midnight
    deep: Integers
    rem: Integers
    light: Integers
    awake: Integers
    oxygen: Integers  # minutes of oxygen saturation, from ten minutes after onset and after midnight
    usual_deep_pct: Matrix  # (n,) of sleep
    usual_rem_pct: Matrix  # (n,)

    @property
    def asleep(self) -> Integers:
        return self.deep + self.rem + self.light

    @property
    def in_bed(self) -> Integers:
        return self.asleep + self.awake


def draw_nights(draws: Draws, people: People, wear: Wear) -> Nights:
    """Nights around each person's usual sleep."""
    days, age = wear.days, people.age - 61
    q, strain = people.sleep, people.strain

    def nightly(name: str, usual: Matrix, spread: float, low: float, high: float) -> Matrix:
        return np.clip(usual[:, None] + spread * draws.normal(name, days), low, high)

    usual_deep = np.clip(22 + 4.2 * q - 0.08 * age + 3.2 * draws.normal("deep"), 6, 42)
    usual_rem = np.clip(19 + 2.8 * q + 2.8 * draws.normal("rem"), 5, 33)
    hours = nightly("hours", 6.9 + 0.45 * q - 0.2 * strain + 0.45 * draws.normal("sleep"), 0.85, 3.5, 10.5)
    awake_pct = nightly("awake", 7.5 - 1.5 * q + 0.05 * age + 1.8 * draws.normal("waking"), 2.5, 1.0, 25.0)
    asleep = np.rint(60 * hours)
    awake = np.rint(asleep * awake_pct / (100 - awake_pct))
    scale = np.clip(asleep + awake, *IN_BED) / (asleep + awake)
    asleep, awake = np.rint(asleep * scale), np.maximum(np.rint(awake * scale), 1)
    deep = np.rint(asleep * nightly("deep nights", usual_deep, 5.0, 2, 48) / 100)
    rem = np.rint(asleep * nightly("rem nights", usual_rem, 4.5, 2, 38) / 100)
    onset = np.rint(nightly("onset", -45 + 30 * draws.normal("owl"), 35.0, -200, 120))
    onset = np.minimum(onset, LATEST_WAKING - asleep - awake)
    waking = onset + asleep + awake
    on_at_bedtime = (wear.end[:, :-1] == 1440) & (np.arange(days) < wear.last[:, None])
    oxygen = np.clip(waking - np.maximum(onset, 0) - 10, 0, OXYGEN_MINUTES)
    return Nights(
        recorded=on_at_bedtime & (draws.uniform("recorded", days) < 0.96),
        onset=onset.astype(np.int64),
        deep=deep.astype(np.int64),
        rem=rem.astype(np.int64),
        light=(asleep - deep - rem).astype(np.int64),
        awake=awake.astype(np.int64),
        oxygen=oxygen.astype(np.int64),
        usual_deep_pct=usual_deep,
        usual_rem_pct=usual_rem,
    )
