"""Stream files written by hand, as releases 1, 2 and 3 write them; independent of the package's own writer."""

import json

from sensecf_bench.datasets.aireadi.kinds import LAYOUT, StreamKind

VALUE_KEY = {
    StreamKind.HEART_RATE: "heart_rate",
    StreamKind.STRESS: "stress",
    StreamKind.RESPIRATORY_RATE: "respiratory_rate",
    StreamKind.OXYGEN_SATURATION: "oxygen_saturation",
    StreamKind.GLUCOSE: "blood_glucose",
    StreamKind.ACTIVITY: "base_movement_quantity",
    StreamKind.CALORIES: "calories_value",
}
UNITS = {
    StreamKind.HEART_RATE: "beats/min",
    StreamKind.STRESS: "stress level",
    StreamKind.RESPIRATORY_RATE: "breaths/min",
    StreamKind.OXYGEN_SATURATION: "%",
    StreamKind.GLUCOSE: "mg/dL",
    StreamKind.ACTIVITY: "steps",
    StreamKind.CALORIES: "kcal",
}
INTERVALS = (StreamKind.SLEEP, StreamKind.ACTIVITY, StreamKind.GLUCOSE)


def header(person="1999", kind=StreamKind.STRESS, release=3, timezone="pst"):
    whom = "patient_id" if kind is StreamKind.GLUCOSE else "user_id"
    written = {
        "uuid": f"AIREADI-{person}",
        "creation_date_time": "2025-01-01T00:00:00Z",
        whom: f"AIREADI-{person}",
        "schema_id": {"namespace": "omh", "name": "x", "version": 2.0},
    }
    return {**written, "timezone": timezone} if release == 3 else written


def record(kind, time, value=None, end=None, label=None, release=3):
    """One record in the key order of the release. `time` and `end` are texts."""
    if kind in INTERVALS:
        frame = {"time_interval": {"start_date_time": time, "end_date_time": time if end is None else end}}
    else:
        frame = {"date_time": time}
    if kind is StreamKind.SLEEP:
        if release == 1:
            return {"sleep_duration": {"value": value, "unit": "h"}, "effective_time_frame": frame}
        return {"sleep_stage_state": label, ("sleep_stage" if release == 2 else "effective") + "_time_frame": frame}
    key = "duration" if kind is StreamKind.CALORIES and release == 1 else VALUE_KEY[kind]
    if kind is StreamKind.GLUCOSE:
        return {
            "effective_time_frame": frame,
            "event_type": "EGV",
            "source_device_id": "XX00000000",
            "blood_glucose": {"unit": "mg/dL", "value": value},
            "transmitter_time": {"unit": "long integer", "value": 7500},
            "transmitter_id": "0AAAAA",
        }
    measured = {key: {"value": value, "unit": UNITS[kind]}, "effective_time_frame": frame}
    if kind is StreamKind.OXYGEN_SATURATION:
        return {**measured, "measurement_method": "pulse oximetry"}
    if kind is StreamKind.ACTIVITY:
        return {"activity_name": label, **measured}
    return {"activity_name": "kcal_burned", **measured} if kind is StreamKind.CALORIES else measured


def text(kind, records, release=3, head=..., indent=4):
    """The file's bytes."""
    head = header(kind=kind, release=release) if head is ... else head
    body = records if kind is StreamKind.GLUCOSE and release == 1 else {LAYOUT[kind].body_key: records}
    return json.dumps({"header": head, "body": body}, indent=indent).encode()


def write(folder, kind, records, person="1999", **how):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{person}_{LAYOUT[kind].suffix}.json"
    path.write_bytes(text(kind, records, **how))
    return path
