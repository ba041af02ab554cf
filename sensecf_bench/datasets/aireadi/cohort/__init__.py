"""A synthetic cohort from a generative model: latent factors, then nights, glucose and days, then minutes.

`docs/aireadi-synthetic.md` has the equations and what they are calibrated to. Nobody in it exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.datasets.aireadi.cohort.days import Days, draw_activity, draw_days
from sensecf_bench.datasets.aireadi.cohort.draws import Draws
from sensecf_bench.datasets.aireadi.cohort.glucose import draw_glucose
from sensecf_bench.datasets.aireadi.cohort.nights import Nights, draw_nights
from sensecf_bench.datasets.aireadi.cohort.people import People, draw_people
from sensecf_bench.datasets.aireadi.cohort.wear import DAY, Wear, draw_wear

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAYS_OF_WEAR = 10


@dataclass(frozen=True, eq=False)
class Cohort:
    """`n` synthetic people and their days. `readings` is mg/dL, shape `(n, R)`; `wear.readings` says which were kept."""

    seed: int
    people: People
    wear: Wear
    nights: Nights
    readings: NDArray[np.int16]
    days: Days

    def __len__(self) -> int:
        return len(self.people)

    @property
    def reading_days(self) -> NDArray[np.int64]:
        """The local day of each reading, counted from the visit, shape `(n, R)`."""
        return (self.wear.sensor_start[:, None] + 5 * np.arange(self.readings.shape[1])) // DAY


def make_cohort(participants: int, seed: int = 0, days: int = DAYS_OF_WEAR) -> Cohort:
    """The cohort of a seed: person i is the same in a cohort of any size."""
    draws = Draws(seed, participants)
    people = draw_people(draws, days)
    wear = draw_wear(draws, days)
    nights = draw_nights(draws, people, wear)
    usual, shift = draw_activity(draws, people, wear)
    readings = draw_glucose(draws, people, wear, nights, shift)
    glucose = _daily_means(readings, wear, people)
    return Cohort(seed, people, wear, nights, readings, draw_days(draws, people, wear, nights, glucose, usual, shift))


def _daily_means(readings: NDArray[np.int16], wear: Wear, people: People) -> NDArray[np.float64]:
    """Mean glucose of each day, kept or not; the usual level on a day without readings. Shape `(n, W+1)`."""
    n, days = len(readings), wear.days + 1
    day = (wear.sensor_start[:, None] + 5 * np.arange(readings.shape[1])) // DAY
    place = np.arange(n)[:, None] * days + np.minimum(day, days - 1)
    counts = np.bincount(place.ravel(), minlength=n * days).reshape(n, days)
    sums = np.bincount(place.ravel(), readings.ravel().astype(np.float64), minlength=n * days).reshape(n, days)
    return np.where(counts > 0, sums / np.maximum(counts, 1), people.usual_glucose[:, None])
