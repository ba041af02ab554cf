"""The features that a cohort implies, without its minutes: the columns of the features file, a row a person.

Written from the definitions of the catalogue and not with the reader's code, so that each can be tested against the
other. Glucose pools a person's valid days; everything else is a mean over worn days or nights.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.datasets.aireadi.catalogue import (
    COLUMNS,
    EVENT_GAP_SECONDS,
    EVENT_READINGS,
    LEAST_GLUCOSE_READINGS,
    STUDY_GROUPS,
    TARGET_RANGE_MG_DL,
)
from sensecf_bench.datasets.aireadi.cohort import Cohort
from sensecf_bench.datasets.aireadi.cohort.wear import DAY

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]
    Mask = NDArray[np.bool_]


def implied_features(cohort: Cohort) -> dict[str, NDArray[Any]]:
    """Every column of the features file, shape `(n,)` each; NaN where a person lacks it, 0 for counts of days."""
    columns = _visit(cohort) | _glucose(cohort) | _sleep(cohort) | _wear(cohort)
    return {column.name: columns[column.name] for column in COLUMNS}


def worn_days(cohort: Cohort) -> Mask:
    """Whole days of wear: those between the first and the last, shape `(n, W+1)`."""
    day, people = np.arange(cohort.wear.days + 1), cohort.people
    inner = (day > 0) & (day < cohort.wear.last[:, None]) & (cohort.wear.minutes == DAY)
    worn: Mask = inner & (people.presence.garmin & people.presence.optical)[:, None]
    return worn


def _visit(cohort: Cohort) -> dict[str, NDArray[Any]]:
    people, here = cohort.people, cohort.people.presence
    return {
        "age_years": people.age.astype(np.float64),
        "study_group": np.array(STUDY_GROUPS, dtype=object)[people.group],
        "bmi_kg_m2": np.where(here.body, people.bmi, np.nan),
        "hba1c_pct": np.where(here.hba1c, people.hba1c, np.nan),
        "systolic_bp_mmhg": np.where(here.body, people.systolic.mean(axis=1), np.nan),
        "diastolic_bp_mmhg": np.where(here.body, people.diastolic.mean(axis=1), np.nan),
        "paid5_score": np.where(here.paid, people.paid.sum(axis=1), np.nan),
        "cesd10_score": np.where(here.cesd, people.cesd.sum(axis=1), np.nan),
    }


def _glucose(cohort: Cohort) -> dict[str, Matrix]:
    n, days = len(cohort), cohort.wear.days + 1
    kept = cohort.wear.readings & cohort.people.presence.glucose[:, None]
    place = np.arange(n)[:, None] * days + np.minimum(cohort.reading_days, days - 1)
    counts = np.bincount(place[kept], minlength=n * days)
    enough = counts >= LEAST_GLUCOSE_READINGS
    valid = kept & enough[place]
    level = cohort.readings.astype(np.float64)
    starts = hyperglycaemia_starts(cohort.readings, kept)
    number = valid.sum(axis=1)
    count = enough.reshape(n, days).sum(axis=1).astype(np.float64)
    low, high = TARGET_RANGE_MG_DL

    def share(of: Mask) -> Matrix:
        return _ratio(100.0 * (of & valid).sum(axis=1), number)

    mean = _ratio(np.where(valid, level, 0).sum(axis=1), number)
    squares = np.where(valid, (level - np.nan_to_num(mean)[:, None]) ** 2, 0).sum(axis=1)
    deviation = np.sqrt(_ratio(squares, number - 1))
    above, below = share(level > high), share(level < low)
    return {
        "mean_glucose_mg_dl": mean,
        "sd_glucose_mg_dl": deviation,
        "cv_glucose_pct": 100 * deviation / mean,
        "time_in_range_pct": 100 - above - below,
        "time_above_range_pct": above,
        "time_below_range_pct": below,
        "hyperglycaemia_events_per_day": _ratio((starts & valid).sum(axis=1), count),
        "gmi_pct": 3.31 + 0.02392 * mean,
        "glucose_days": count,
    }


def hyperglycaemia_starts(readings: NDArray[np.int16], kept: Mask) -> Mask:
    """At which readings an event is established, shape `(n, R)`: three readings in a row above range begin one; three in a
    row that are not, or more than 15 minutes without a reading, end it. One pass over time, all people at once."""
    n, count = readings.shape
    longest_gap = EVENT_GAP_SECONDS // 300
    above = readings > TARGET_RANGE_MG_DL[1]
    starts = np.zeros((n, count), dtype=np.bool_)
    run_above, run_below = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    inside, last = np.zeros(n, dtype=np.bool_), np.full(n, -count)
    for i in range(count):
        here, high = kept[:, i], above[:, i]
        fresh = here & (i - last > longest_gap)
        run_above[fresh] = run_below[fresh] = 0
        inside[fresh] = False
        run_above[here] = ((run_above + 1) * high)[here]
        run_below[here] = ((run_below + 1) * ~high)[here]
        inside &= ~(run_below >= EVENT_READINGS)
        begun = here & ~inside & (run_above >= EVENT_READINGS)
        starts[:, i] = begun
        inside |= begun
        last[here] = i
    return starts


def _sleep(cohort: Cohort) -> dict[str, Matrix]:
    nights = cohort.nights
    recorded = nights.recorded & cohort.people.presence.garmin[:, None]
    asleep = nights.asleep.astype(np.float64)

    def mean(values: Matrix) -> Matrix:
        return _mean(values, recorded)

    efficiency = mean(100 * asleep / nights.in_bed)
    deep, rem = mean(100 * nights.deep / asleep), mean(100 * nights.rem / asleep)
    return {
        "sleep_hours": mean(asleep / 60),
        "sleep_efficiency_pct": efficiency,
        "deep_sleep_pct": deep,
        "rem_sleep_pct": rem,
        "light_sleep_pct": 100 - deep - rem,
        "awake_pct": 100 - efficiency,
        "sleep_nights": recorded.sum(axis=1).astype(np.float64),
    }


def _wear(cohort: Cohort) -> dict[str, Matrix]:
    days, worn = cohort.days, worn_days(cohort)
    night_before = np.zeros_like(worn)
    night_before[:, 1:] = days.oxygen_count > 0
    oxygen = np.zeros(worn.shape)
    oxygen[:, 1:] = _ratio(days.oxygen_sum, days.oxygen_count)
    return {
        "sedentary_min_per_day": _mean(1440.0 - days.active, worn),
        "walking_min_per_day": _mean(days.walking.sum(axis=2), worn),
        "running_min_per_day": _mean(days.running, worn),
        "generic_activity_min_per_day": _mean(days.generic.sum(axis=2), worn),
        "movement_code_sum_per_day": _mean(days.code_sum, worn),
        "active_calories_kcal": _mean(days.calories, worn),
        "mean_heart_rate_bpm": _mean(_ratio(days.heart_sum, days.heart_count), worn),
        "resting_heart_rate_bpm": _mean(days.resting, worn),
        "respiration_rate_bpm": _mean(_ratio(days.breath_sum, 100 * days.breath_count), worn),
        "oxygen_saturation_pct": _mean(oxygen, worn & night_before),
        "mean_stress": _mean(_ratio(days.stress_sum, days.stress_count), worn),
        "wear_days": worn.sum(axis=1).astype(np.float64),
    }


def _mean(values: NDArray[Any], over: Mask) -> Matrix:
    return _ratio(np.where(over, values, 0.0).sum(axis=1), over.sum(axis=1))


def _ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> Matrix:
    """Numerator over denominator, NaN where the denominator is not above 0."""
    result = np.full(np.shape(numerator), np.nan)
    np.divide(numerator, denominator, out=result, where=np.asarray(denominator) > 0)
    return result
