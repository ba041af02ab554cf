"""The benchmark task on AI-READI: its features and their limits, the stress label, and who is left out and why.

What the visit recorded (age, group, blood, weight, questionnaires) lies before the days of wear and stays as it is; so
do heart rate and breathing, which answer to a life and are not chosen. Sleep, activity and glucose may change. Columns
that follow from others are no features: time in range, standard deviation, the management indicator, light sleep, time
awake, and sedentary minutes (what is left of a recorded day). Nobody can act on the movement codes, and oxygen saturation
would cost a quarter of the people.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.constraints import LinearConstraint
from sensecf_bench.datasets.aireadi.catalogue import BY_NAME, STUDY_GROUPS
from sensecf_bench.schema import Feature, FeatureSchema, Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABEL = "mean_stress"
HIGH_STRESS = 26.0  # Garmin's scale calls 0 to 25 rest
CLASSES = ("low stress", "high stress")
UNDESIRED = 1
COUNTS = ("glucose_days", "wear_days", "sleep_nights")
LEAST_DAYS = 3


def _feature(name: str, group: str, low: float, high: float, precision: float | None, **others: Any) -> Feature:
    column = BY_NAME[name]
    kind: Kind = "integer" if precision is None else "continuous"
    return Feature(
        name=name,
        kind=kind,
        unit=column.unit,
        bounds=(low, high),
        precision=precision,
        description=column.definition,
        group=group,
        **others,
    )


FEATURES: tuple[Feature, ...] = (
    _feature("age_years", "person", 18, 120, None, mutable=False),
    Feature(
        name="study_group",
        kind="ordinal",
        levels=STUDY_GROUPS,
        mutable=False,
        description=BY_NAME["study_group"].definition,
        group="person",
    ),
    _feature("bmi_kg_m2", "visit", 12, 90, 0.1, mutable=False),
    _feature("hba1c_pct", "visit", 3, 20, 0.1, mutable=False),
    _feature("systolic_bp_mmhg", "visit", 60, 260, 1, mutable=False),
    _feature("diastolic_bp_mmhg", "visit", 30, 160, 1, mutable=False),
    _feature("paid5_score", "visit", 0, 20, None, mutable=False),
    _feature("cesd10_score", "visit", 0, 30, None, mutable=False),
    _feature("mean_glucose_mg_dl", "glucose", 40, 400, 1),
    _feature("cv_glucose_pct", "glucose", 0, 100, 1),
    _feature("time_above_range_pct", "glucose", 0, 100, 1),
    _feature("time_below_range_pct", "glucose", 0, 100, 0.5),
    _feature("hyperglycaemia_events_per_day", "glucose", 0, 48, 0.1),
    _feature("sleep_hours", "sleep", 1, 14, 0.1),
    _feature("sleep_efficiency_pct", "sleep", 20, 100, 1),
    _feature("deep_sleep_pct", "sleep", 0, 70, 1),
    _feature("rem_sleep_pct", "sleep", 0, 70, 1),
    _feature("walking_min_per_day", "activity", 0, 1440, 1),
    _feature("running_min_per_day", "activity", 0, 1440, 1),
    _feature("generic_activity_min_per_day", "activity", 0, 1440, 1),
    _feature("active_calories_kcal", "activity", 0, 6000, 10),
    _feature("mean_heart_rate_bpm", "body", 30, 180, 1, mutable=False),
    _feature("resting_heart_rate_bpm", "body", 30, 150, 1, mutable=False),
    _feature("respiration_rate_bpm", "body", 4, 40, 0.5, mutable=False),
)
CONSTRAINTS = (
    LinearConstraint(
        name="deep-and-rem-within-sleep",
        coefficients={"deep_sleep_pct": 1.0, "rem_sleep_pct": 1.0},
        most=100.0,
        description="light sleep is what is left of sleep, and cannot be less than nothing",
    ),
    LinearConstraint(
        name="out-of-range-within-day",
        coefficients={"time_above_range_pct": 1.0, "time_below_range_pct": 1.0},
        most=100.0,
        description="time in range is what is left of the day",
    ),
    LinearConstraint(
        name="activity-within-day",
        coefficients={"walking_min_per_day": 1.0, "running_min_per_day": 1.0, "generic_activity_min_per_day": 1.0},
        most=1440.0,
        description="a day has 1,440 minutes",
    ),
)
SCHEMA = FeatureSchema(FEATURES, constraints=CONSTRAINTS)


def narrowed(left_out: Collection[str]) -> FeatureSchema:
    """The task's schema without some features, and without the constraints that speak of them."""
    return FeatureSchema(
        tuple(f for f in FEATURES if f.name not in left_out),
        constraints=tuple(c for c in CONSTRAINTS if not set(c.features) & set(left_out)),
    )


def high_stress(mean_stress: NDArray[np.float64], threshold: float = HIGH_STRESS) -> NDArray[np.int64]:
    """Class 1 where the mean stress score is at or above the threshold; both of shape `(n,)`."""
    return (mean_stress >= threshold).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Eligibility:
    """Who can be benchmarked, shape `(n,)`, and for the others every reason that keeps them out."""

    eligible: NDArray[np.bool_]
    reasons: Mapping[str, NDArray[np.bool_]]  # (n,) each; a person may have several

    def counts(self) -> dict[str, int]:
        """How many people each reason keeps out, most first."""
        totals = {reason: int(mask.sum()) for reason, mask in self.reasons.items()}
        return dict(sorted(((r, n) for r, n in totals.items() if n), key=lambda item: -item[1]))

    def of(self, i: int) -> tuple[str, ...]:
        """The reasons against row `i`."""
        return tuple(reason for reason, mask in self.reasons.items() if mask[i])


def eligibility(
    columns: Mapping[str, NDArray[Any]], least_days: int = LEAST_DAYS, schema: FeatureSchema = SCHEMA
) -> Eligibility:
    """Who has every feature and the label within the limits of the schema, and enough days of each kind.

    `columns` holds at least the schema's features, the label and the counts of days, shape `(n,)` each; NaN is missing.
    """
    counted = {_count_of(name) for name in (LABEL, *schema.names)}
    reasons: dict[str, NDArray[np.bool_]] = {}
    for count in (c for c in COUNTS if c in counted):
        reasons[_too_few(count, least_days)] = ~(columns[count] >= least_days)
    absent = reasons.copy()
    stress = columns[LABEL].astype(np.float64)
    reasons["no mean_stress"] = np.isnan(stress) & ~absent[_too_few("wear_days", least_days)]
    for feature, low, high in zip(schema.features, *schema.hard_bounds, strict=True):
        if not feature.is_numeric:
            known = np.isin(columns[feature.name].astype(object), feature.levels)
            reasons[f"no {feature.name}"] = ~known
            continue
        values = columns[feature.name].astype(np.float64)
        count = _count_of(feature.name)
        # Where too few days already say why a feature is missing, one gap is not listed a dozen times.
        explained = absent[_too_few(count, least_days)] if count else np.False_
        reasons[f"no {feature.name}"] = np.isnan(values) & ~explained
        reasons[f"{feature.name} outside [{low:g}, {high:g}]"] = (values < low) | (values > high)
    kept_out = np.logical_or.reduce(list(reasons.values()))
    return Eligibility(~kept_out, reasons)


def _count_of(column: str) -> str:
    """The count of days that a column rests on; none for what the visit recorded."""
    source = BY_NAME[column].source
    if source in ("participants", "clinical"):
        return ""
    return {"glucose": "glucose_days", "sleep": "sleep_nights"}.get(source, "wear_days")


def _too_few(count: str, least: int) -> str:
    return f"fewer than {least} {count.replace('_', ' ')}"
