"""The JSON files of wearable streams, as releases 1, 2 and 3 write them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.datasets.aireadi.cohort.recording import ACTIVITIES, STAGES, Samples, Spans
from sensecf_bench.datasets.aireadi.kinds import LAYOUT, StreamKind
from sensecf_bench.datasets.aireadi.writing.json_text import (
    as_names,
    as_text,
    as_times,
    dump_document,
    dump_list,
    slot,
)

if TYPE_CHECKING:
    from sensecf_bench.datasets.aireadi.writing.json_text import Text

CREATED = "2025-01-01T00:00:00Z"
SCHEMAS: dict[StreamKind, tuple[str, str, float | str]] = {
    StreamKind.HEART_RATE: ("omh", "heart-rate", 2.0),
    StreamKind.OXYGEN_SATURATION: ("omh", "oxygen-saturation", 2.0),
    StreamKind.RESPIRATORY_RATE: ("omh", "respiratory-rate", 2.0),
    StreamKind.STRESS: ("", "", ""),
    StreamKind.ACTIVITY: ("", "", ""),
    StreamKind.CALORIES: ("ieee", "physical-activity", 1.0),
    StreamKind.SLEEP: ("omh", "sleep-stages", 2.0),
    StreamKind.GLUCOSE: ("omh", "blood-glucose", 3.0),
}
FRACTIONAL = (StreamKind.RESPIRATORY_RATE, StreamKind.OXYGEN_SATURATION)  # written with a point even where whole
SENSOR_LIFE = 7500  # transmitter seconds at the first reading


@dataclass(frozen=True)
class Style:
    """How one file departs from what its release usually does; see `injection`."""

    header: bool = True
    floats: bool = False  # values with a point where whole numbers stand elsewhere


@dataclass(frozen=True)
class Owner:
    """Whose file it is: `midnight` is UTC seconds of the local midnight before the visit."""

    person_id: str
    timezone: str  # "pst" or "cst"
    midnight: int


USUAL = Style()


def stream_file(kind: StreamKind, release: int, owner: Owner, data: Samples | Spans, style: Style = USUAL) -> bytes:
    """The whole file. Times that a quirk has moved apart from the clock are moved already in `data`."""
    template, columns = _records(kind, release, owner, data, style)
    listed = dump_list(template, columns, depth=1 if kind == StreamKind.GLUCOSE and release == 1 else 2)
    bare = kind == StreamKind.GLUCOSE and release == 1
    body: Any = slot("list") if bare else {LAYOUT[kind].body_key: slot("list")}
    header = _header(kind, release, owner) if style.header else None
    return dump_document({"header": header, "body": body}, {"list": listed})


def sensor_id(owner: Owner) -> str:
    """The invented serial number of a person's glucose sensor."""
    return f"SY{int(owner.person_id):08d}"


def _header(kind: StreamKind, release: int, owner: Owner) -> dict[str, Any]:
    namespace, name, version = SCHEMAS[kind]
    who = f"AIREADI-{owner.person_id}"
    glucose = kind == StreamKind.GLUCOSE
    header: dict[str, Any] = {
        "uuid": who,
        "creation_date_time": CREATED,
        "patient_id" if glucose else "user_id": who,
        "schema_id": {"namespace": namespace, "name": name, "version": version},
    }
    if glucose:
        header |= {
            "modality": "sensed",
            "acquistion_rate": {"number_of_times": 1, "time_window": {"value": 5, "unit": "min"}},
            "external_datasheets": {"datasheet_type": "source_device", "datasheet_reference": "iri-of-cgm-device"},
        }
    return header | ({"timezone": owner.timezone} if release >= 3 else {})


def _records(
    kind: StreamKind, release: int, owner: Owner, data: Samples | Spans, style: Style
) -> tuple[Mapping[str, Any], dict[str, Text]]:
    """The template of one record and its columns."""
    unit = LAYOUT[kind].unit
    if isinstance(data, Spans):
        if kind == StreamKind.SLEEP and release == 1:
            data = _whole_nights(data)
        spaced = kind == StreamKind.ACTIVITY and release < 3
        columns = {
            "start": as_times(owner.midnight + data.starts, spaced),
            "end": as_times(owner.midnight + data.ends, spaced),
        }
        frame = {"time_interval": {"start_date_time": slot("start"), "end_date_time": slot("end")}}
        if kind == StreamKind.ACTIVITY:
            columns |= {"name": as_names(data.names, ACTIVITIES), "value": _numbers(kind, data.values, style)}
            quantity = {"value": slot("value"), "unit": unit}
            return {
                "activity_name": slot("name"), "base_movement_quantity": quantity, "effective_time_frame": frame
            }, columns  # fmt: skip
        if release == 1:
            columns["value"] = as_text(np.round(data.values, 2), repr)
            return {"sleep_duration": {"value": slot("value"), "unit": unit}, "effective_time_frame": frame}, columns
        columns["stage"] = as_names(data.names, STAGES)
        key = "sleep_stage_time_frame" if release == 2 else "effective_time_frame"
        return {"sleep_stage_state": slot("stage"), key: frame}, columns
    columns = {"time": as_times(owner.midnight + data.times), "value": _numbers(kind, data.values, style)}
    if kind == StreamKind.GLUCOSE:
        clock = SENSOR_LIFE + data.times - (data.times[:1] if len(data) else 0)
        columns["clock"] = as_text(clock, str)
        return _glucose_record(owner, unit), columns
    measured: dict[str, Any] = {"value": slot("value"), "unit": unit}
    frame_at = {"date_time": slot("time")}
    if kind == StreamKind.CALORIES:
        key = "duration" if release == 1 else "calories_value"
        return {"activity_name": "kcal_burned", key: measured, "effective_time_frame": frame_at}, columns
    record: dict[str, Any] = {kind.value: measured, "effective_time_frame": frame_at}
    if kind == StreamKind.OXYGEN_SATURATION:
        record["measurement_method"] = "pulse oximetry"
    return record, columns


def _glucose_record(owner: Owner, unit: str) -> dict[str, Any]:
    return {
        "effective_time_frame": {"time_interval": {"start_date_time": slot("time"), "end_date_time": slot("time")}},
        "event_type": "EGV",
        "source_device_id": sensor_id(owner),
        "blood_glucose": {"unit": unit, "value": slot("value")},
        "transmitter_time": {"unit": "long integer", "value": slot("clock")},
        "transmitter_id": f"{int(owner.person_id) % 16**5:05X}S",
    }


def _numbers(kind: StreamKind, values: Any, style: Style) -> Text:
    """Numbers as JSON, and what stands for those there are not."""
    pointed = kind in FRACTIONAL or style.floats
    nothing = '""' if kind == StreamKind.ACTIVITY else "NaN"

    def write(value: float) -> str:
        if value != value:
            return nothing
        if value in (float("inf"), float("-inf")):
            return '"High"' if value > 0 else '"Low"'
        return repr(value) if pointed else str(int(value))

    return as_text(values, write)


def _whole_nights(stages: Spans) -> Spans:
    """Release 1's one record a night, with the hours asleep, from stages that follow on one another."""
    if not len(stages):
        return stages
    opens = np.concatenate([[True], stages.starts[1:] != stages.ends[:-1]])
    first = np.flatnonzero(opens)
    last = np.concatenate([first[1:], [len(stages)]]) - 1
    asleep = np.isin(stages.names, [STAGES.index(name) for name in ("light", "deep", "rem")])
    hours = np.add.reduceat((stages.ends - stages.starts) * asleep, first) / 3600
    return Spans(stages.starts[first], stages.ends[last], stages.names[first], hours)
