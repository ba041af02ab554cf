"""What is published of AI-READI's release 3 in aggregate, beside what a cohort of the model gives.

The published figures are those of exploratory analyses that others made of the release and of its own documentation; no
participant's data is in them. "Manifest" averages include the sentinels that the device writes when it is not worn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.datasets.aireadi.catalogue import STUDY_GROUPS
from sensecf_bench.datasets.aireadi.cohort import Cohort
from sensecf_bench.datasets.aireadi.cohort.implied import implied_features

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = 2280  # people in release 3
SHORT = ("healthy", "pre-diabetes", "oral medication", "insulin")
OLDEST = 94


@dataclass(frozen=True)
class Target:
    """One published aggregate: `tolerance` is how far the model may be from it, in the same unit."""

    what: str
    published: float
    tolerance: float
    decimals: int = 1
    note: str = ""


def _groups(what: str, published: tuple[float, ...], tolerance: float, note: str = "") -> tuple[Target, ...]:
    return tuple(Target(f"{what}, {g}", p, tolerance, note=note) for g, p in zip(SHORT, published, strict=True))


MANIFEST = "published from manifests, which count sentinels in; the model's is without"
TARGETS: tuple[Target, ...] = (
    *_groups("share of people (%)", (34.0, 24.6, 30.1, 11.3), 2.5),
    Target("mean age (years)", 60.9, 1.0),
    Target("standard deviation of age (years)", 11.2, 1.0),
    Target("share aged 40-54 (%)", 31.8, 3.0),
    Target("share aged 55-69 (%)", 44.2, 3.5),
    Target("share aged 70 and over (%)", 24.0, 3.0),
    *_groups("mean glucose (mg/dL), mean", (118.0, 125.9, 147.4, 175.6), 6.0),
    *_groups("mean glucose (mg/dL), median", (115.7, 122.4, 139.3, 168.6), 7.0),
    Target("mean glucose (mg/dL), overall mean", 135.3, 3.0),
    Target("mean glucose (mg/dL), overall standard deviation", 34.7, 4.0),
    *_groups("mean BMI (kg/m²)", (28.2, 29.7, 31.2, 33.6), 1.2),
    Target("BMI (kg/m²), standard deviation", 7.5, 0.6),
    Target("median HbA1c (%)", 5.8, 0.2),
    *_groups("mean stress score", (23.2, 23.2, 28.2, 30.4), 1.5, MANIFEST),
    *_groups("mean heart rate (beats/min)", (72.3, 71.8, 75.6, 77.3), 1.5, MANIFEST),
    Target("mean oxygen saturation (%)", 91.4, 0.5),
    Target("median daily sum of movement codes", 5688, 300, 0),
    Target("median daily sum of movement codes, aged 40-54", 6803, 400, 0),
    Target("median daily sum of movement codes, aged 55-69", 5613, 400, 0),
    Target("median daily sum of movement codes, aged 70 and over", 4299, 400, 0),
    Target("CES-D-10 of at least 10 (% of those who answered)", 20.0, 2.5),
    Target("PAID-5 of at least 8 (% of those who answered)", 20.2, 2.5),
    Target("people with a watch's files (%)", 95.8, 1.5),
    Target("people with a glucose file (%)", 98.5, 1.0),
    Target("watches that measured stress (%)", 91.0, 2.0),
    Target("watches that measured oxygen (%)", 74.5, 3.0),
    Target("people with HbA1c (%)", 97.0, 1.0),
    Target("people with PAID-5 (%)", 97.8, 1.0),
)


def measured(cohort: Cohort) -> dict[str, float]:
    """What a cohort gives for each target, by its words."""
    columns = implied_features(cohort)
    people, here = cohort.people, cohort.people.presence
    age, glucose = people.age, columns["mean_glucose_mg_dl"]
    codes = columns["movement_code_sum_per_day"]
    values = {
        "mean age (years)": age.mean(),
        "standard deviation of age (years)": age.std(),
        "mean glucose (mg/dL), overall mean": np.nanmean(glucose),
        "mean glucose (mg/dL), overall standard deviation": np.nanstd(glucose),
        "BMI (kg/m²), standard deviation": np.nanstd(columns["bmi_kg_m2"]),
        "median HbA1c (%)": np.nanmedian(columns["hba1c_pct"]),
        "mean oxygen saturation (%)": np.nanmean(columns["oxygen_saturation_pct"]),
        "median daily sum of movement codes": np.nanmedian(codes),
        "CES-D-10 of at least 10 (% of those who answered)": _share(columns["cesd10_score"], 10),
        "PAID-5 of at least 8 (% of those who answered)": _share(columns["paid5_score"], 8),
        "people with a watch's files (%)": 100 * here.garmin.mean(),
        "people with a glucose file (%)": 100 * here.glucose.mean(),
        "watches that measured stress (%)": 100 * here.optical[here.garmin].mean(),
        "watches that measured oxygen (%)": 100 * here.oxygen[here.garmin].mean(),
        "people with HbA1c (%)": 100 * here.hba1c.mean(),
        "people with PAID-5 (%)": 100 * here.paid.mean(),
    }
    for words, low, high in (("40-54", 40, 54), ("55-69", 55, 69), ("70 and over", 70, OLDEST)):
        chosen = (age >= low) & (age <= high)
        values[f"share aged {words} (%)"] = 100 * chosen.mean()
        values[f"median daily sum of movement codes, aged {words}"] = np.nanmedian(codes[chosen])
    values |= _by_group(columns)
    return {target.what: float(values[target.what]) for target in TARGETS}


def _by_group(columns: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    values: dict[str, float] = {}
    for group, short in zip(STUDY_GROUPS, SHORT, strict=True):
        chosen = columns["study_group"] == group
        values |= {
            f"share of people (%), {short}": 100 * chosen.mean(),
            f"mean glucose (mg/dL), mean, {short}": np.nanmean(columns["mean_glucose_mg_dl"][chosen]),
            f"mean glucose (mg/dL), median, {short}": np.nanmedian(columns["mean_glucose_mg_dl"][chosen]),
            f"mean BMI (kg/m²), {short}": np.nanmean(columns["bmi_kg_m2"][chosen]),
            f"mean stress score, {short}": np.nanmean(columns["mean_stress"][chosen]),
            f"mean heart rate (beats/min), {short}": np.nanmean(columns["mean_heart_rate_bpm"][chosen]),
        }
    return values


def _share(scores: NDArray[np.float64], least: float) -> float:
    return float(100 * np.mean(scores[~np.isnan(scores)] >= least))
