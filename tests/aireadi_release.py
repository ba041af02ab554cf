"""Small releases written by hand, file by file, for tests of what is made of them."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sensecf_bench.datasets.aireadi.kinds import LAYOUT
from sensecf_bench.datasets.aireadi.manifests import COLUMN
from sensecf_bench.datasets.aireadi.synthetic_mark import DESCRIPTION, MARK

ZONE = ZoneInfo("America/Los_Angeles")
DAY, HOUR = 86_400, 3_600
MIDNIGHT = int(datetime(2024, 1, 15, tzinfo=ZONE).timestamp())
DAYS = 6  # of wear; the first and last do not count
WATCH = "wearable_activity_monitor"
VISIT = {
    "bmi_vsorres, BMI": 29.5,
    "import_hba1c, Hemoglobin A1c/Hemoglobin.total in ": 5.9,
    "bp1_sysbp_vsorres, Systolic (mmHg)": 128,
    "bp2_sysbp_vsorres, Systolic (mmHg)": 122,
    "bp1_diabp_vsorres, Diastolic (mmHg)": 81,
}
ANSWERS = {"cestl, CESD-10 Score": 6, "paidscore, PAID score": 3}


@dataclass
class Somebody:
    """A participant and their levels; every day of theirs is like the others."""

    person_id: str
    stress: float = 20
    glucose: float = 120
    deep_minutes: int = 90
    split: str = "train"
    age: object = 57
    vary: int = 0  # what tells people apart in the features that a test does not set
    days: int = DAYS
    measurement: dict = field(default_factory=lambda: dict(VISIT))
    observation: dict = field(default_factory=lambda: dict(ANSWERS))
    without: tuple = ()  # names of stream folders


def stamp(second):
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def at(second):
    return {"effective_time_frame": {"date_time": stamp(second)}}


def between(start, end):
    return {"effective_time_frame": {"time_interval": {"start_date_time": stamp(start), "end_date_time": stamp(end)}}}


def every(minutes, days):
    return range(MIDNIGHT, MIDNIGHT + days * DAY, minutes * 60)


def streams(who):
    """Each stream folder's suffix, body key and records."""
    nights = []
    for day in range(who.days - 1):
        start = MIDNIGHT + day * DAY + 23 * HOUR
        for minutes, stage in ((30, "awake"), (who.deep_minutes, "deep"), (80, "rem"), (250, "light")):
            nights.append({"sleep_stage_state": stage, **between(start, start + minutes * 60)})
            start += minutes * 60
    moves = [
        {
            "activity_name": name,
            "base_movement_quantity": {"value": code, "unit": "steps"},
            **between(t + hour * HOUR, t + hour * HOUR + minutes * 60),
        }
        for t in every(24 * 60, who.days)
        for hour, name, code, minutes in (
            (8, "walking", 70, 30 + who.vary),
            (10, "running", 33, 1 + who.vary % 5),
            (12, "generic", 64, 3 + who.vary % 7),
        )
    ]
    return {
        "heart_rate": (
            "heartrate",
            "heart_rate",
            [
                {"heart_rate": {"value": 60 + who.vary + i % 9, "unit": "beats/min"}, **at(t)}
                for i, t in enumerate(every(20, who.days))
            ],
        ),
        "stress": (
            "stress",
            "stress",
            [{"stress": {"value": who.stress, "unit": "stress level"}, **at(t)} for t in every(20, who.days)],
        ),
        "respiratory_rate": (
            "respiratoryrate",
            "breathing",
            [
                {"respiratory_rate": {"value": 14.25 + who.vary / 4, "unit": "breaths/min"}, **at(t)}
                for t in every(20, who.days)
            ],
        ),
        "oxygen_saturation": (
            "oxygensaturation",
            "breathing",
            [
                {"oxygen_saturation": {"value": 95.0, "unit": "%"}, **at(t), "measurement_method": "pulse oximetry"}
                for t in every(240, who.days)
            ],
        ),
        "sleep": ("sleep", "sleep", nights),
        "physical_activity": ("activity", "activity", moves),
        "physical_activity_calorie": (
            "calorie",
            "activity",
            [
                {"activity_name": "kcal_burned", "calories_value": {"value": 200 + who.stress, "unit": "kcal"}, **at(t)}
                for t in every(240, who.days)
            ],
        ),
    }


def header(who, key="user_id"):
    return {"uuid": f"AIREADI-{who.person_id}", key: f"AIREADI-{who.person_id}", "timezone": "pst"}


def level(who, i):
    """Some high readings every day, some low ones, and the person's level."""
    i, high = i % 60, who.vary % 8
    return 200 if i < high else 65 if i < high + who.vary % 4 else who.glucose + 5 * (i % 3)


def glucose_file(who, unit="mg/dL", scale=1.0):
    readings = [
        {
            **between(t, t),
            "event_type": "EGV",
            "source_device_id": "XX00000000",
            "blood_glucose": {"unit": unit, "value": round(level(who, i) * scale, 1)},
            "transmitter_time": {"unit": "long integer", "value": 300 * i},
            "transmitter_id": "0AAAAA",
        }
        for i, t in enumerate(every(5, who.days - 1))
    ]
    return {"header": header(who, "patient_id"), "body": {"cgm": readings}}


def path_of(root, person, stream, suffix):
    if stream == "continuous_glucose_monitoring":
        return root / "wearable_blood_glucose" / stream / "dexcom_g6" / person / f"{person}_{suffix}.json"
    return root / WATCH / stream / "garmin_vivosmart5" / person / f"{person}_{suffix}.json"


def write_json(path, document):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=4), encoding="utf-8")


def write_person(root, who):
    for stream, (suffix, body, records) in streams(who).items():
        if stream not in who.without:
            write_json(path_of(root, who.person_id, stream, suffix), {"header": header(who), "body": {body: records}})
    if "continuous_glucose_monitoring" not in who.without:
        write_json(path_of(root, who.person_id, "continuous_glucose_monitoring", "DEX"), glucose_file(who))


def write_visits(root, people):
    (root / "clinical_data").mkdir(parents=True, exist_ok=True)
    for table in ("measurement", "observation"):
        with (root / "clinical_data" / f"{table}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            columns = ["", f"{table}_id", "person_id", f"{table}_source_value", "value_as_number", "unit_source_value"]
            writer.writerow(columns)
            rows = [(w.person_id, item, value) for w in people for item, value in getattr(w, table).items()]
            writer.writerows([i, i, person, item, value, ""] for i, (person, item, value) in enumerate(rows))


def write_manifests(root, people):
    for datatype in (WATCH, "wearable_blood_glucose"):
        kinds = [kind for kind, layout in LAYOUT.items() if layout.datatype == datatype]
        lines = ["\t".join(["person_id", *(f"{COLUMN[kind]}_filepath" for kind in kinds)])]
        for who in people:
            paths = [path_of(root, who.person_id, kind.value, LAYOUT[kind].suffix) for kind in kinds]
            cells = [f"/{path.relative_to(root)}" if path.exists() else "None" for path in paths]
            lines.append("\t".join([who.person_id, *cells]))
        (root / datatype).mkdir(exist_ok=True)
        (root / datatype / "manifest.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_participants(root, people):
    flags = [WATCH, "wearable_blood_glucose"]
    columns = ["person_id", "clinical_site", "study_group", "age", "study_visit_date", "recommended_split", *flags]
    groups = ("healthy", "pre_diabetes_lifestyle_controlled", "insulin_dependent")
    rows = [
        [w.person_id, "UW", groups[i % 3], w.age, "2024-01-15", w.split, "TRUE", "TRUE"] for i, w in enumerate(people)
    ]
    lines = ["\t".join(map(str, row)) for row in (columns, *rows)]
    (root / "participants.tsv").write_bytes(("\r\n".join(lines) + "\r\n").encode())


def write_release(root, people, synthetic=False):
    """A release 3 of these people; it says so only if it is to be taken for synthetic."""
    root.mkdir(parents=True, exist_ok=True)
    for who in people:
        write_person(root, who)
    write_visits(root, people)
    write_manifests(root, people)
    write_participants(root, people)
    (root / DESCRIPTION).write_text(json.dumps({MARK: True} if synthetic else {"version": "3.0.0"}), encoding="utf-8")
    return root


def crowd(n, **same):
    """People of different levels, every other one under high stress, dealt over the three parts."""
    parts = ("train", "train", "train", "val", "test", "test", "val", "train")
    return [
        Somebody(
            f"{900001 + i}",
            **{
                "stress": 15 + i % 5 + 20 * (i % 2),
                "glucose": 100 + 5 * (i % 11),
                "deep_minutes": 60 + 5 * (i % 7),
                "split": parts[i % 8],
                "age": 45 + i % 30,
                "vary": i,
                "measurement": {item: value + 0.5 * (i % 6) for item, value in VISIT.items()},
                "observation": {item: value + i % 6 for item, value in ANSWERS.items()},
                **same,
            },
        )
        for i in range(n)
    ]
