"""What every column of the features file means: its unit, where it comes from, and its formula in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Source = Literal["participants", "clinical", "glucose", "sleep", "activity", "heart", "breath", "stress"]

STUDY_GROUPS = (
    "healthy",
    "pre_diabetes_lifestyle_controlled",
    "oral_medication_and_or_non_insulin_injectable_medication_controlled",
    "insulin_dependent",
)

# -- what makes a day or a night count (docs/aireadi.md says whose choices these were before) -----------------------
GLUCOSE_READINGS_PER_DAY = 288  # one every five minutes
LEAST_GLUCOSE_READINGS = 202  # 70 % of a day
TARGET_RANGE_MG_DL = (70.0, 180.0)
GLUCOSE_RANGE_MG_DL = (40.0, 400.0)  # what a Dexcom G6 reports as numbers; beyond it writes "Low" and "High"
EVENT_READINGS = 3  # 15 minutes
EVENT_GAP_SECONDS = 15 * 60
HEART_RATE_RANGE_BPM = (30.0, 220.0)
LEAST_WORN_HOURS = 10
RESTING_PERCENTILE = 5.0
RESPIRATION_RANGE_BPM = (4.0, 40.0)
OXYGEN_RANGE_PCT = (70.0, 100.0)
STRESS_RANGE = (0.0, 100.0)
LEAST_STRESS_HOURS = 10  # as for wear: else one reading could be a day's mean, and a label
LONGEST_ACTIVITY_SECONDS = 86_400
NIGHT_GAP_SECONDS = 90 * 60
NIGHT_RANGE_SECONDS = (4 * 3600, 14 * 3600)


@dataclass(frozen=True)
class Column:
    """One column of the features file. `daily` says whether it also stands in the table of participant-days."""

    name: str
    unit: str
    source: Source
    definition: str
    daily: bool = True


COLUMNS: tuple[Column, ...] = (
    Column("age_years", "years", "participants", "age at the study visit, from participants.tsv"),
    Column(
        "study_group",
        "",
        "participants",
        "recruitment stratum, from no diabetes to insulin-dependent (`insulin_controlled` is read as the last)",
    ),
    Column("bmi_kg_m2", "kg/m²", "clinical", "body mass index, item bmi_vsorres"),
    Column("hba1c_pct", "%", "clinical", "glycated haemoglobin, item import_hba1c (release 3) or `HbA1c (%)`"),
    Column("systolic_bp_mmhg", "mmHg", "clinical", "mean of the visit's systolic readings, bp1 and bp2"),
    Column("diastolic_bp_mmhg", "mmHg", "clinical", "mean of the visit's diastolic readings, bp1 and bp2"),
    Column(
        "paid5_score",
        "points",
        "clinical",
        "diabetes distress, PAID-5 total 0-20: item paidscore, else the sum of its five items when all are there",
    ),
    Column(
        "cesd10_score",
        "points",
        "clinical",
        "depressive symptoms, CES-D-10 total 0-30: item cestl, else the plain sum of ces1 to ces10 (5 and 8 are stored "
        "reversed) when all are there",
    ),
    Column("mean_glucose_mg_dl", "mg/dL", "glucose", "mean of the numeric readings"),
    Column("sd_glucose_mg_dl", "mg/dL", "glucose", "standard deviation of the numeric readings (n - 1)"),
    Column("cv_glucose_pct", "%", "glucose", "100 x standard deviation / mean"),
    Column("time_in_range_pct", "%", "glucose", "share of all readings from 70 to 180 mg/dL, both included"),
    Column("time_above_range_pct", "%", "glucose", 'share of all readings above 180 mg/dL, "High" among them'),
    Column("time_below_range_pct", "%", "glucose", 'share of all readings below 70 mg/dL, "Low" among them'),
    Column(
        "hyperglycaemia_events_per_day",
        "events/day",
        "glucose",
        "events that begin with three readings in a row (15 minutes) above 180 mg/dL and end with three in a row that "
        "are not, or with a gap of more than 15 minutes; counted on the day of the third reading",
    ),
    Column("gmi_pct", "%", "glucose", "glucose management indicator, 3.31 + 0.02392 x mean glucose"),
    Column("sleep_hours", "h", "sleep", "light, deep and REM sleep of a night"),
    Column("sleep_efficiency_pct", "%", "sleep", "100 x sleep / (sleep + awake) between going to bed and waking"),
    Column("deep_sleep_pct", "%", "sleep", "100 x deep sleep / sleep"),
    Column("rem_sleep_pct", "%", "sleep", "100 x REM sleep / sleep"),
    Column("light_sleep_pct", "%", "sleep", "100 x light sleep / sleep: the remainder of deep and REM"),
    Column("awake_pct", "%", "sleep", "100 x awake / (sleep + awake): 100 minus the efficiency"),
    Column("sedentary_min_per_day", "min/day", "activity", "minutes of intervals named sedentary"),
    Column("walking_min_per_day", "min/day", "activity", "minutes of intervals named walking"),
    Column("running_min_per_day", "min/day", "activity", "minutes of intervals named running"),
    Column("generic_activity_min_per_day", "min/day", "activity", "minutes of intervals named generic"),
    Column(
        "movement_code_sum_per_day",
        "code",
        "activity",
        "sum of base_movement_quantity, whose unit reads steps but whose values are probably the device's packed "
        "activity and intensity byte",
    ),
    Column(
        "active_calories_kcal",
        "kcal/day",
        "activity",
        "greatest value of the day: the records are running totals, one for each kind of activity",
    ),
    Column("mean_heart_rate_bpm", "beats/min", "heart", "mean of the day's heart rates from 30 to 220"),
    Column("resting_heart_rate_bpm", "beats/min", "heart", "5th percentile of the day's heart rates from 30 to 220"),
    Column("respiration_rate_bpm", "breaths/min", "breath", "mean of the day's respiratory rates from 4 to 40"),
    Column("oxygen_saturation_pct", "%", "breath", "mean of the day's oxygen saturations from 70 to 100"),
    Column(
        "mean_stress",
        "0-100",
        "stress",
        "mean of the day's stress scores from 0 to 100, if they stand in at least 10 clock hours: the label, never a feature",
    ),
    Column("glucose_days", "days", "glucose", "local days with at least 202 of 288 readings", daily=False),
    Column(
        "wear_days",
        "days",
        "heart",
        "local days with heart rates from 30 to 220 in at least 10 clock hours, the first and last day of wear left out",
        daily=False,
    ),
    Column(
        "sleep_nights",
        "nights",
        "sleep",
        "local days on which a sleep of 4 to 14 hours in bed ended (the longest of them counts)",
        daily=False,
    ),
)

BY_NAME = {column.name: column for column in COLUMNS}
