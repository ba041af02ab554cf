"""The eight stream kinds: where each lies, what its records are called in releases 1, 2 and 3, and what its numbers mean."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

KeyPath = tuple[str, ...]  # keys from a record down to one value


class StreamKind(StrEnum):
    """A kind of wearable stream; the value is the name of its folder."""

    HEART_RATE = "heart_rate"
    STRESS = "stress"
    RESPIRATORY_RATE = "respiratory_rate"
    OXYGEN_SATURATION = "oxygen_saturation"
    SLEEP = "sleep"
    ACTIVITY = "physical_activity"
    CALORIES = "physical_activity_calorie"
    GLUCOSE = "continuous_glucose_monitoring"

    @property
    def unit(self) -> str:
        return LAYOUT[self].unit


@dataclass(frozen=True)
class KindLayout:
    """How one kind is written.

    Each of `value_paths` (and `label_path`) leads from a record to the value, with the releases that write it so.
    `plausible` is what a measurement can physically be (inclusive, in `unit`); at or below `highest_sentinel` a number stands
    for "no contact", "off" or "charging". `instant` says that readings stand at one instant each, so that two different
    readings of one second contradict each other.
    """

    device: str
    suffix: str
    body_key: str
    unit: str
    file_units: frozenset[str]
    value_paths: tuple[tuple[KeyPath, frozenset[int]], ...]
    plausible: tuple[float, float]
    label_path: KeyPath | None = None
    highest_sentinel: float | None = None
    instant: bool = True
    other_paths: tuple[KeyPath, ...] = ()  # vary from record to record, of no use here
    datatype: str = "wearable_activity_monitor"


GARMIN, DEXCOM = "garmin_vivosmart5", "dexcom_g6"
ALL, FIRST, LATER = frozenset({1, 2, 3}), frozenset({1}), frozenset({2, 3})

# Tried in this order; no path may be the beginning of another.
START_PATHS: tuple[tuple[KeyPath, frozenset[int]], ...] = (
    (("effective_time_frame", "date_time"), ALL),
    (("effective_time_frame", "time_interval", "start_date_time"), ALL),
    (("sleep_stage_time_frame", "time_interval", "start_date_time"), frozenset({2})),
)
END_PATHS: tuple[KeyPath, ...] = (
    ("effective_time_frame", "time_interval", "end_date_time"),
    ("sleep_stage_time_frame", "time_interval", "end_date_time"),
)
EVENT_PATH, GLUCOSE_EVENT = ("event_type",), "EGV"

LAYOUT: dict[StreamKind, KindLayout] = {
    StreamKind.HEART_RATE: KindLayout(
        GARMIN,
        "heartrate",
        "heart_rate",
        "beats/min",
        frozenset({"beats/min", "bpm"}),
        ((("heart_rate", "value"), ALL),),
        plausible=(20, 250),
        highest_sentinel=0,
    ),
    StreamKind.STRESS: KindLayout(
        GARMIN,
        "stress",
        "stress",
        "stress level",
        frozenset({"stress level"}),
        ((("stress", "value"), ALL),),
        plausible=(0, 100),
        highest_sentinel=-1,
    ),
    StreamKind.RESPIRATORY_RATE: KindLayout(
        GARMIN,
        "respiratoryrate",
        "breathing",
        "breaths/min",
        frozenset({"breaths/min"}),
        ((("respiratory_rate", "value"), ALL),),
        plausible=(1, 80),
        highest_sentinel=0,
    ),
    StreamKind.OXYGEN_SATURATION: KindLayout(
        GARMIN,
        "oxygensaturation",
        "breathing",
        "%",
        frozenset({"%"}),
        ((("oxygen_saturation", "value"), ALL),),
        plausible=(50, 100),
        highest_sentinel=0,
    ),
    StreamKind.SLEEP: KindLayout(
        GARMIN,
        "sleep",
        "sleep",
        "h",
        frozenset({"h"}),
        ((("sleep_duration", "value"), FIRST),),
        plausible=(0, 24),
        label_path=("sleep_stage_state",),
        instant=False,
    ),
    StreamKind.ACTIVITY: KindLayout(
        GARMIN,
        "activity",
        "activity",
        "steps",
        frozenset({"steps"}),
        ((("base_movement_quantity", "value"), ALL),),
        plausible=(0, 100_000),
        label_path=("activity_name",),
        instant=False,
    ),
    StreamKind.CALORIES: KindLayout(
        GARMIN,
        "calorie",
        "activity",
        "kcal",
        frozenset({"kcal"}),
        ((("calories_value", "value"), LATER), (("duration", "value"), FIRST)),
        plausible=(0, 20_000),
        instant=False,
    ),
    StreamKind.GLUCOSE: KindLayout(
        DEXCOM,
        "DEX",
        "cgm",
        "mg/dL",
        frozenset({"mg/dL"}),
        ((("blood_glucose", "value"), ALL),),
        plausible=(20, 600),
        other_paths=(("source_device_id",), ("transmitter_time", "value"), ("transmitter_id",)),
        datatype="wearable_blood_glucose",
    ),
}
