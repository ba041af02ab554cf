"""Who takes part: recruitment, latent factors, and what the study visit records. All numbers here are the model's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.datasets.aireadi.cohort.draws import Draws

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]
    Integers = NDArray[np.int64]

SITES = ("UAB", "UCSD", "UW")
SITE_DIGIT = np.array([7, 4, 1])
SITE_WEIGHTS = np.array([800.0, 682.0, 798.0])
GROUP_WEIGHTS = np.array([776.0, 560.0, 686.0, 258.0])
SPLITS = ("train", "val", "test")
SPLIT_WEIGHTS = np.array([1576.0, 352.0, 352.0])

AGE_MEAN, AGE_SD, AGE_RANGE = 59.3, 12.8, (40, 94)  # of the normal that is cut at the range

# Metabolic, activity, sleep and strain factors: who is active is leaner and sleeps better; strain costs sleep.
FACTORS = np.array(
    [
        [1.00, -0.25, -0.15, 0.10],
        [-0.25, 1.00, 0.20, -0.15],
        [-0.15, 0.20, 1.00, -0.30],
        [0.10, -0.15, -0.30, 1.00],
    ]
)

BMI_MEAN = np.array([28.2, 29.7, 31.2, 33.6])  # by group
BMI_SPREAD = 0.235  # of the logarithm

# Usual glucose is floor + lognormal, which gives each group its published mean and median.
GLUCOSE_FLOOR = np.array([70.0, 80.0, 80.0, 40.0])
GLUCOSE_MEDIAN = np.array([115.7, 122.4, 139.3, 168.6])
GLUCOSE_MEAN = np.array([118.0, 125.9, 147.4, 175.6])
GLUCOSE_SPREAD = np.sqrt(2 * np.log((GLUCOSE_MEAN - GLUCOSE_FLOOR) / (GLUCOSE_MEDIAN - GLUCOSE_FLOOR)))

CESD_ITEMS, PAID_ITEMS, MOST_CESD, MOST_PAID = 10, 5, 3, 4  # items, and the most points of one
CESD_MEDIAN, CESD_SPREAD = 4.7, 0.84
PAID_MEDIAN, PAID_SPREAD = 2.5, 1.31

FIRST_VISIT = np.datetime64("2023-07-19")
LAST_VISIT = np.datetime64("2025-04-08")
GARMIN_SINCE = np.datetime64("2023-08-30")  # at UW; visits before it have no watch
CLOCK_CHANGES = np.array(["2023-11-05", "2024-03-10", "2024-11-03", "2025-03-09"], dtype="M8[D]")


@dataclass(frozen=True, eq=False)
class Presence:
    """Which data a person has, shape `(n,)` each: recordings on file, sensors that measured, items answered."""

    garmin: NDArray[np.bool_]
    glucose: NDArray[np.bool_]
    optical: NDArray[np.bool_]  # heart rate, stress and breathing measured, rather than a file of sentinels
    oxygen: NDArray[np.bool_]
    hba1c: NDArray[np.bool_]
    paid: NDArray[np.bool_]
    cesd: NDArray[np.bool_]
    body: NDArray[np.bool_]  # weight, height and blood pressure


@dataclass(frozen=True, eq=False)
class People:
    """Everything about `n` people that does not change from day to day, shape `(n,)` where nothing else is said."""

    ids: Integers
    site: NDArray[np.intp]
    group: NDArray[np.intp]
    split: NDArray[np.intp]
    age: Integers
    visit: NDArray[np.datetime64]  # local date
    metabolic: Matrix
    activity: Matrix
    sleep: Matrix
    strain: Matrix
    bmi: Matrix
    usual_glucose: Matrix  # mg/dL
    hba1c: Matrix
    systolic: Integers  # (n, 2) readings
    diastolic: Integers  # (n, 2)
    cesd: Integers  # (n, 10) items
    paid: Integers  # (n, 5) items
    presence: Presence

    def __len__(self) -> int:
        return len(self.ids)


def draw_people(draws: Draws, days: int) -> People:
    """People whose watch is worn for `days` days, none of them with a change of clocks in it."""
    n = draws.n
    factors = draws.normal("factors", 4) @ np.linalg.cholesky(FACTORS).T
    metabolic, activity, sleep, strain = factors.T
    group = draws.choice("group", GROUP_WEIGHTS)
    site = draws.choice("site", SITE_WEIGHTS)
    age = _ages(draws)
    body = 0.35 * metabolic - 0.20 * activity + np.sqrt(1 - 0.35**2 - 0.20**2) * draws.normal("body")
    bmi = np.round(np.clip(BMI_MEAN[group] * np.exp(BMI_SPREAD * body - BMI_SPREAD**2 / 2), 15.5, 78.0), 2)
    excess = 0.8 * metabolic + 0.6 * draws.normal("glucose")
    floor = GLUCOSE_FLOOR[group]
    glucose = np.clip(floor + (GLUCOSE_MEDIAN[group] - floor) * np.exp(GLUCOSE_SPREAD[group] * excess), 66.0, 312.0)
    hba1c = np.clip((glucose + 46.7) / 28.7 - 0.2 + 0.35 * draws.normal("hba1c"), 4.0, 17.0)
    visit = _visits(draws, days)
    return People(
        ids=SITE_DIGIT[site] * 100_000 + 1 + np.arange(n),
        site=site,
        group=group,
        split=draws.choice("split", SPLIT_WEIGHTS),
        age=age,
        visit=visit,
        metabolic=metabolic,
        activity=activity,
        sleep=sleep,
        strain=strain,
        bmi=bmi,
        usual_glucose=glucose,
        hba1c=np.round(hba1c, 1),
        systolic=_readings(draws, "systolic", 126 + 0.30 * (age - 60) + 0.5 * (bmi - 30), 14.0, 5.0, (82, 215)),
        diastolic=_readings(draws, "diastolic", 77 - 0.15 * (age - 60) + 0.3 * (bmi - 30), 8.5, 3.5, (42, 120)),
        cesd=_items(
            draws, "cesd", CESD_MEDIAN * np.exp(CESD_SPREAD * _mixed(strain, draws.normal("mood"))), 10, MOST_CESD
        ),
        paid=_items(
            draws, "paid", PAID_MEDIAN * np.exp(PAID_SPREAD * _mixed(strain, draws.normal("distress"))), 5, MOST_PAID
        ),
        presence=_presence(draws, site, visit),
    )


def _ages(draws: Draws) -> Integers:
    """Whole years from a normal distribution cut at the range of the study, by inversion."""
    from statistics import NormalDist

    usual = NormalDist(AGE_MEAN, AGE_SD)
    low, high = usual.cdf(AGE_RANGE[0]), usual.cdf(AGE_RANGE[1] + 1)
    shares = low + (high - low) * draws.uniform("age")
    return np.array([int(usual.inv_cdf(share)) for share in shares], dtype=np.int64)


def _visits(draws: Draws, days: int) -> NDArray[np.datetime64]:
    span = int((LAST_VISIT - FIRST_VISIT).astype(int)) + 1
    visit = FIRST_VISIT + (draws.uniform("visit") * span).astype(np.int64)
    for change in CLOCK_CHANGES:
        visit = np.where((visit <= change) & (visit + days + 1 >= change), change + 1, visit)
    return visit


def _mixed(strain: Matrix, own: Matrix) -> Matrix:
    mixed: Matrix = 0.55 * strain + np.sqrt(1 - 0.55**2) * own
    return mixed


def _readings(
    draws: Draws, name: str, usual: Matrix, spread: float, wobble: float, limits: tuple[int, int]
) -> Integers:
    person = usual + spread * draws.normal(name)
    readings = person[:, None] + wobble * draws.normal(f"{name} readings", 2)
    return np.rint(np.clip(readings, *limits)).astype(np.int64)


def _items(draws: Draws, name: str, score: Matrix, items: int, most: int) -> Integers:
    """Items of a questionnaire that add up to a score: points are dealt one at a time in a shuffled order."""
    total = np.clip(np.rint(score), 0, items * most).astype(np.int64)
    order = np.argsort(np.argsort(draws.uniform(f"{name} items", items * most), axis=1), axis=1)
    dealt: Integers = (order < total[:, None]).reshape(len(total), items, most).sum(axis=2)
    return dealt


def _presence(draws: Draws, site: Any, visit: Any) -> Presence:
    """Shares of release 3: 2,184 of 2,280 with a watch, 2,245 with glucose, 1,987 of 2,184 watches that measured stress,
    1,628 that measured oxygen, 2,211 with HbA1c, 2,229 with PAID-5, 2,277 with CES-D-10."""

    def has(name: str, share: float) -> NDArray[np.bool_]:
        return draws.uniform(f"has {name}") < share

    early = (site == SITES.index("UW")) & (visit < GARMIN_SINCE)
    optical = has("optical", 1987 / 2184)
    return Presence(
        garmin=has("garmin", 2184 / 2228) & ~early,
        glucose=has("glucose", 2245 / 2280),
        optical=optical,
        oxygen=optical & has("oxygen", 1628 / 1987),
        hba1c=has("hba1c", 2211 / 2280),
        paid=has("paid", 2229 / 2280),
        cesd=has("cesd", 2277 / 2280),
        body=has("body", 2274 / 2280),
    )
