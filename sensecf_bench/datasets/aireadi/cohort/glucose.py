"""Continuous glucose: meals on top of each person's usual level, with a drift, one reading every five minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.datasets.aireadi.cohort.draws import Draws
from sensecf_bench.datasets.aireadi.cohort.nights import Nights
from sensecf_bench.datasets.aireadi.cohort.people import People
from sensecf_bench.datasets.aireadi.cohort.wear import DAY, Wear

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

# Breakfast, lunch, dinner, a snack, and in some nights a dip, as from a sensor that is lain upon or too much insulin.
MEAL_MINUTES = np.array([450.0, 750.0, 1110.0, 1290.0, 180.0])
MEAL_SIZE = np.array([0.9, 1.0, 1.25, 0.5, -1.3])
MEAL_SKIPPED = np.array([0.15, 0.08, 0.03, 0.5, 0.85])
KERNEL_READINGS = 48  # four hours of rise and fall
DRIFT_MEMORY = 0.97  # from one reading to the next
GROUP_SWING = np.array([1.0, 1.1, 1.35, 1.7])
REPORTED = (40, 400)


def draw_glucose(draws: Draws, people: People, wear: Wear, nights: Nights, activity: Matrix) -> NDArray[np.int16]:
    """Readings in mg/dL, shape `(n, R)`, kept or not.

    `activity` is the logarithm of a day's activity over its usual amount, shape `(n, W+1)`: an active day has a lower level,
    a night short of deep sleep a higher one. A meal raises glucose by s · u e^(1-u), where u is the time since over the
    person's time to the peak. The mean of a trace, before it is cut at what the sensor reports, is the usual glucose.
    """
    n, count = wear.readings.shape
    level = people.usual_glucose / 118
    swing = level**1.2 * GROUP_SWING[people.group] * np.exp(0.15 * draws.normal("swing"))
    trace = np.zeros((n, count))
    state = draws.normal("drift start")
    shocks = draws.normal("drift", count).T
    kick = np.sqrt(1 - DRIFT_MEMORY**2)
    for i in range(count):
        state = DRIFT_MEMORY * state + kick * shocks[i]
        trace[:, i] = state
    trace *= (8.5 * swing)[:, None]
    trace += _meals(draws, people, wear) * (31 * swing)[:, None]
    day = (wear.sensor_start[:, None] + 5 * np.arange(count)) // DAY
    trace += np.take_along_axis(_daily(draws, level, nights, activity), np.minimum(day, wear.days), axis=1)
    trace += (people.usual_glucose - trace.mean(axis=1))[:, None]
    return np.rint(np.clip(trace, *REPORTED)).astype(np.int16)


def _daily(draws: Draws, level: Matrix, nights: Nights, activity: Matrix) -> Matrix:
    """Shift of each day's level, shape `(n, W+1)`."""
    lack = nights.usual_deep_pct[:, None] - 100 * nights.deep / nights.asleep
    lack = np.hstack([np.zeros((len(lack), 1)), lack])
    return level[:, None] * (4.0 * draws.normal("glucose days", lack.shape[1]) - 4.0 * activity + 0.25 * lack)


def _meals(draws: Draws, people: People, wear: Wear) -> Matrix:
    """Sum of the responses to all meals, in units of an ordinary meal's peak, shape `(n, R)`."""
    n, count = wear.readings.shape
    slots = (wear.days + 1) * len(MEAL_MINUTES)
    usual = (DAY * np.arange(wear.days + 1)[:, None] + MEAL_MINUTES).ravel()
    at = usual + 25 * draws.normal("meal times", slots)
    size = np.tile(MEAL_SIZE, wear.days + 1) * np.exp(0.35 * draws.normal("meal sizes", slots))
    size *= draws.uniform("meals skipped", slots) > np.tile(MEAL_SKIPPED, wear.days + 1)
    first = np.ceil((at - wear.sensor_start[:, None]) / 5).astype(np.int64)
    wait = wear.sensor_start[:, None] + 5 * first - at  # minutes from the meal to the first reading after it
    peak = (45 * np.exp(0.15 * people.metabolic))[:, None]
    u = (wait[:, :, None] + 5 * np.arange(KERNEL_READINGS)) / peak[:, :, None]
    column = first[:, :, None] + np.arange(KERNEL_READINGS)
    inside = (column >= 0) & (column < count)
    place = (np.arange(n)[:, None, None] * count + column)[inside]
    response = (size[:, :, None] * u * np.exp(1 - u))[inside]
    total: Matrix = np.bincount(place, weights=response, minlength=n * count).astype(np.float64)
    return total.reshape(n, count)
