"""Days: activity, calories, stress, heart rate and breathing of every day of wear, as counts and whole-number sums.

Minutes are written later so that they add up to exactly these sums, and features follow from them without minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.datasets.aireadi.cohort.draws import Draws
from sensecf_bench.datasets.aireadi.cohort.nights import Nights
from sensecf_bench.datasets.aireadi.cohort.people import People
from sensecf_bench.datasets.aireadi.cohort.wear import DAY, Wear

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]
    Integers = NDArray[np.int64]

# -- activity: the code of a minute is the kind's number in the FIT profile + 32 × intensity ----------------------------
WALKING_CODES, GENERIC_CODES, RUNNING_CODE = (6 + 2 * 32, 6 + 3 * 32), (1 * 32, 2 * 32), 1 + 4 * 32
WALKING_MEAN, GENERIC_MEAN = 0.75 * 70 + 0.25 * 102, 0.6 * 32 + 0.4 * 64  # a minute's code with the usual intensities
MEDIAN_CODE_SUM, CODE_SUM_PER_YEAR = 5440.0, -0.0153
MOST_ACTIVE_MINUTES = 600

# -- stress: points of the 0-100 score -----------------------------------------------------------------------------------
STRESS_CENTRE = 25.0
STRESS_OF_GROUP = np.array([-0.8, -0.6, 2.9, 3.2])  # what glucose alone does not explain of the groups' means
STRESS_PER_MG_DL = 0.085
STRESS_PER_DEEP_PCT = -0.40
STRESS_PER_REM_PCT = -0.40
STRESS_PER_LOG_ACTIVITY = -5.0
STRESS_PER_STRAIN = 1.6
STRESS_OF_AROUSAL, STRESS_OF_PERSON, STRESS_OF_DAY = 2.4, 4.0, 3.5  # standard deviations
STRESS_RANGE = (8.0, 80.0)

HEART_RATE_OF_GROUP = np.array([72.3, 71.8, 75.6, 77.3])
HEART_SHARE, STRESS_SHARE, BREATH_SHARE = 0.5, 0.80, 0.93  # of the minutes of wear that hold a measurement
OXYGEN_SHARE = 0.96


@dataclass(frozen=True, eq=False)
class Days:
    """Local days 0 to W of `n` people, shape `(n, W+1)` each; everything is 0 on a day without wear."""

    walking: Integers  # (n, W+1, 2) minutes at WALKING_CODES
    generic: Integers  # (n, W+1, 2) minutes at GENERIC_CODES
    running: Integers  # minutes at RUNNING_CODE
    calories: Integers  # active kcal of the whole day
    stress_count: Integers
    stress_sum: Integers
    heart_count: Integers
    heart_sum: Integers
    resting: Integers  # lowest heart rate; at least the lowest 8 % of the day's records have it
    breath_count: Integers
    breath_sum: Integers  # hundredths of breaths per minute
    oxygen_count: Integers  # (n, W), of night k on day k + 1
    oxygen_sum: Integers  # (n, W)

    @property
    def active(self) -> Integers:
        """Minutes that are not sedentary."""
        total: Integers = self.walking.sum(axis=2) + self.generic.sum(axis=2) + self.running
        return total

    @property
    def code_sum(self) -> Integers:
        codes: Integers = self.walking @ np.array(WALKING_CODES) + self.generic @ np.array(GENERIC_CODES)
        return codes + RUNNING_CODE * self.running


def draw_activity(draws: Draws, people: People, wear: Wear) -> tuple[Matrix, Matrix]:
    """Logarithm of each person's usual sum of codes a day, shape `(n,)`, and each day's difference to it, `(n, W+1)`."""
    usual = np.log(MEDIAN_CODE_SUM) + CODE_SUM_PER_YEAR * (people.age - 61) + 0.42 * people.activity
    return usual, 0.28 * draws.normal("active days", wear.days + 1)


def draw_days(
    draws: Draws, people: People, wear: Wear, nights: Nights, glucose: Matrix, usual: Matrix, shift: Matrix
) -> Days:
    """Days after each night's sleep, with `glucose` the mean of each day in mg/dL, shape `(n, W+1)`."""
    share = wear.minutes / DAY
    walking, generic, running = _activity(draws, usual, shift, share)
    active_sum = walking @ np.array([4.0, 5.5]) + generic @ np.array([2.2, 3.4]) + 10.5 * running
    kcal = active_sum * (people.bmi[:, None] / 30) ** 0.8 * np.exp(0.12 * draws.normal("burning", wear.days + 1))
    arousal = draws.normal("arousal")
    stress = _stress(draws, people, nights, glucose, usual, shift, arousal)
    heart = _heart(draws, people, arousal, stress)
    resting = np.rint(np.clip(heart - 13.5 - 2.5 * draws.normal("resting")[:, None], 40, 110))
    heart = np.maximum(heart, resting + 4)
    breath = 14.6 + 0.08 * (people.bmi - 30) + 1.3 * draws.normal("breath")
    breath = np.clip(breath[:, None] + 0.5 * draws.normal("breath days", wear.days + 1), 9.0, 24.0)
    oxygen = 91.6 - 0.06 * (people.bmi - 30) - 0.04 * (people.age - 61) + 1.6 * draws.normal("oxygen")
    oxygen = np.clip(oxygen[:, None] + 0.8 * draws.normal("oxygen nights", wear.days), 80, 97)
    measured = people.presence.optical[:, None]
    stress_count, heart_count, breath_count = (
        np.where(measured, np.rint(wear.minutes * part), 0) for part in (STRESS_SHARE, HEART_SHARE, BREATH_SHARE)
    )
    oxygen_count = np.rint(nights.oxygen * OXYGEN_SHARE) * (people.presence.oxygen[:, None] & nights.recorded)
    whole = {
        "walking": walking,
        "generic": generic,
        "running": running,
        "calories": np.where(wear.minutes > 0, np.rint(kcal + 15 * share), 0),
        "stress_count": stress_count,
        "stress_sum": np.rint(stress * stress_count),
        "heart_count": heart_count,
        "heart_sum": np.rint(heart * heart_count),
        "resting": resting,
        "breath_count": breath_count,
        "breath_sum": np.rint(100 * breath * breath_count),
        "oxygen_count": oxygen_count,
        "oxygen_sum": np.rint(oxygen * oxygen_count),
    }
    return Days(**{name: values.astype(np.int64) for name, values in whole.items()})


def _activity(draws: Draws, usual: Matrix, shift: Matrix, share: Matrix) -> tuple[Matrix, Matrix, Matrix]:
    """Minutes at each walking and generic code, and of running, scaled to the share of the day that was worn."""
    goal = np.exp(usual[:, None] + shift)
    runner = draws.uniform("runner") < 0.18
    run = 0.15 * draws.uniform("running", shift.shape[1]) * runner[:, None]
    walk = (1 - run) * np.clip(0.60 + 0.10 * draws.normal("walking"), 0.3, 0.9)[:, None]
    minutes = np.stack([goal * walk / WALKING_MEAN, goal * (1 - walk - run) / GENERIC_MEAN, goal * run / RUNNING_CODE])
    minutes *= share * np.minimum(1, MOST_ACTIVE_MINUTES / minutes.sum(axis=0))
    walking, generic, running = np.rint(minutes)
    fast, lively = np.rint(0.25 * walking), np.rint(0.4 * generic)
    return np.stack([walking - fast, fast], axis=2), np.stack([generic - lively, lively], axis=2), running


def _stress(
    draws: Draws, people: People, nights: Nights, glucose: Matrix, usual: Matrix, shift: Matrix, arousal: Matrix
) -> Matrix:
    """Each day's mean stress: what glucose, the night before and activity do, and what nothing here explains."""
    deep = np.hstack([nights.usual_deep_pct[:, None], 100 * nights.deep / nights.asleep])
    rem = np.hstack([nights.usual_rem_pct[:, None], 100 * nights.rem / nights.asleep])
    activity = usual[:, None] + shift - np.log(MEDIAN_CODE_SUM)
    person = (
        STRESS_CENTRE
        + STRESS_OF_GROUP[people.group]
        + STRESS_PER_STRAIN * people.strain
        + STRESS_OF_AROUSAL * arousal
        + STRESS_OF_PERSON * draws.normal("stress")
    )
    day = (
        STRESS_PER_MG_DL * (glucose - 135.0)
        + STRESS_PER_DEEP_PCT * (deep - 22.0)
        + STRESS_PER_REM_PCT * (rem - 19.0)
        + STRESS_PER_LOG_ACTIVITY * activity
        + STRESS_OF_DAY * draws.normal("stress days", shift.shape[1])
    )
    stress: Matrix = np.clip(person[:, None] + day, *STRESS_RANGE)
    return stress


def _heart(draws: Draws, people: People, arousal: Matrix, stress: Matrix) -> Matrix:
    """Each day's mean heart rate: the group's, arousal, fitness, and a little of the day's stress."""
    person = HEART_RATE_OF_GROUP[people.group] + 3.5 * arousal - 2.5 * people.activity + 5.5 * draws.normal("heart")
    day = 0.25 * (stress - stress.mean(axis=1, keepdims=True)) + 1.8 * draws.normal("heart days", stress.shape[1])
    rate: Matrix = np.clip(person[:, None] + day, 50, 120)
    return rate
