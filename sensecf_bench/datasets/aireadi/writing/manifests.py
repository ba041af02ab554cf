"""The manifests of the two wearable datatypes, with statistics as the release's own converter computes them.

Averages take sentinels in (only NaN is skipped), hours of sleep are those of a stage, durations are UTC dates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.datasets.aireadi.cohort.recording import Recording, Samples, Spans

if TYPE_CHECKING:
    from numpy.typing import NDArray

NONE = "None"
LOW_AS, HIGH_AS = 70.0, 200.0  # what the converter counts "Low" and "High" as
DAY = 86_400
HANDS = ("Right", "Left", "Not provided", "Neither (ambidextrous)")

WATCH_COLUMNS = (
    "wrist_worn_on", "dominant_hand",
    "heartrate_filepath", "heartrate_record_count", "average_heartrate_bpm",
    "oxygen_saturation_filepath", "oxygen_saturation_record_count", "average_oxygen_saturation_pct",
    "stress_level_filepath", "stress_level_record_count", "average_stress_level",
    "sleep_filepath", "sleep_record_count", "average_sleep_hours",
    "respiratory_rate_filepath", "respiratory_rate_record_count", "average_respiratory_rate_bpm",
    "physical_activity_filepath", "physical_activity_num_days", "average_daily_activity",
    "active_calories_filepath", "active_calories_record_count", "average_active_calories_kcal",
    "sensor_sampling_duration_days", "manufacturer", "manufacturer_model_name",
)  # fmt: skip
SENSOR_COLUMNS = (
    "glucose_filepath", "glucose_level_record_count", "average_glucose_level_mg_dl",
    "glucose_sensor_sampling_duration_days", "glucose_sensor_id", "manufacturer", "manufacturer_model_name",
)  # fmt: skip


def watch_columns(release: int) -> tuple[str, ...]:
    """Columns of the watch's manifest after the id."""
    renamed = {"physical_activity_num_days": "physical_activity_num_records"} if release == 1 else {}
    return tuple(renamed.get(name, name) for name in WATCH_COLUMNS)


def watch_row(
    recording: Recording, paths: Mapping[str, str], midnight: int, release: int, hands: tuple[str, str], floats: bool
) -> list[str]:
    """One person's row after the id. `paths` names the files by stream; one that has none reads None throughout."""
    heart, sleep = recording.heart_rate, recording.sleep
    moved = recording.physical_activity
    return [
        *hands,
        *_samples(heart, paths.get("heart_rate")),
        *_samples(recording.oxygen_saturation, paths.get("oxygen_saturation")),
        *_samples(recording.stress, paths.get("stress")),
        *_sleep(sleep, paths.get("sleep")),
        *_samples(recording.respiratory_rate, paths.get("respiratory_rate")),
        *_activity(moved, paths.get("physical_activity"), midnight, release, floats),
        *_samples(recording.physical_activity_calorie, paths.get("physical_activity_calorie")),
        NONE if heart is None else str(_dates(midnight + heart.times)),
        "Garmin",
        "Vivosmart 5",
    ]


def sensor_row(trace: Samples, path: str, midnight: int, sensor: str) -> list[str]:
    """One person's row of the glucose manifest after the id."""
    levels = np.where(np.isfinite(trace.values), trace.values, np.where(trace.values > 0, HIGH_AS, LOW_AS))
    average = repr(float(levels.mean())) if len(levels) else NONE
    return [path, str(len(trace)), average, str(_dates(midnight + trace.times)), sensor, "Dexcom", "G6"]


def write_tsv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]], line_end: str = "\n") -> None:
    """A table with tabs between its cells, which hold none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join("\t".join(row) + line_end for row in (header, *rows)).encode())


def _samples(samples: Samples | None, path: str | None) -> list[str]:
    if samples is None or path is None:
        return [NONE] * 3
    known = samples.values[~np.isnan(samples.values)]
    return [path, str(len(samples)), f"{round(float(known.mean()), 2)}" if len(known) else NONE]


def _sleep(spans: Spans | None, path: str | None) -> list[str]:
    if spans is None or path is None:
        return [NONE] * 3
    hours = (spans.ends - spans.starts) / 3600
    return [path, str(len(spans)), f"{round(float(hours.mean()), 2)}" if len(spans) else NONE]


def _activity(spans: Spans | None, path: str | None, midnight: int, release: int, floats: bool) -> list[str]:
    if spans is None or path is None:
        return [NONE] * 3
    days = max(_dates(midnight + spans.starts), 1)
    total = 0.0 if floats else float(np.nansum(spans.values))
    return [path, str(len(spans) if release == 1 else days), f"{round(total / days, 2)}"]


def _dates(times: NDArray[np.int64]) -> int:
    return len(np.unique(times // DAY))
