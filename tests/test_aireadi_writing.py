"""Raw files of the synthetic cohort: the release's layout byte for byte, and its manifests by their definitions."""

import csv
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from sensecf_bench.cli.main import app
from sensecf_bench.datasets.aireadi.cohort import make_cohort
from sensecf_bench.datasets.aireadi.cohort.recording import Samples, Spans
from sensecf_bench.datasets.aireadi.kinds import StreamKind
from sensecf_bench.datasets.aireadi.synthetic_mark import is_synthetic
from sensecf_bench.datasets.aireadi.writing.clinical_tables import MEASUREMENT, OBSERVATION
from sensecf_bench.datasets.aireadi.writing.json_text import as_text, as_times, dump_document, dump_list, slot
from sensecf_bench.datasets.aireadi.writing.manifests import sensor_row, watch_row
from sensecf_bench.datasets.aireadi.writing.release import write_release
from sensecf_bench.datasets.aireadi.writing.stream_files import Owner, Style, stream_file
from sensecf_bench.errors import BenchError, RunFolderError, UnknownNameError

OWNER = Owner("100001", "pst", 1_705_305_600)  # 2024-01-15 00:00 in Los Angeles
TIMES = np.array([43_530, 43_590])
SAMPLES = Samples(TIMES, np.array([72.0, 0.0]))
NIGHT = Spans(np.array([80_000, 82_280, 84_000]), np.array([82_280, 84_000, 86_400]), np.array([1, 2, 0]), np.zeros(3))


def header(kind, name, version, **more):
    return {
        "uuid": "AIREADI-100001",
        "creation_date_time": "2025-01-01T00:00:00Z",
        "user_id": "AIREADI-100001",
        "schema_id": {"namespace": kind, "name": name, "version": version},
        **more,
    }


def at(stamp):
    return {"effective_time_frame": {"date_time": stamp}}


# -- whole files against json.dumps of documents written by hand ----------------------------------------------------------
def test_a_heart_rate_file_is_what_the_release_writes():
    body = [
        {"heart_rate": {"value": 72, "unit": "beats/min"}, **at("2024-01-15T20:05:30Z")},
        {"heart_rate": {"value": 0, "unit": "beats/min"}, **at("2024-01-15T20:06:30Z")},
    ]
    wanted = {"header": header("omh", "heart-rate", 2.0, timezone="pst"), "body": {"heart_rate": body}}
    assert stream_file(StreamKind.HEART_RATE, 3, OWNER, SAMPLES) == json.dumps(wanted, indent=4).encode()


def test_an_oxygen_file_has_bare_nan_and_a_method():
    data = Samples(TIMES, np.array([94.0, np.nan]))
    body = [
        {"oxygen_saturation": {"value": v, "unit": "%"}, **at(t), "measurement_method": "pulse oximetry"}
        for v, t in ((94.0, "2024-01-15T20:05:30Z"), (math.nan, "2024-01-15T20:06:30Z"))
    ]
    wanted = {"header": header("omh", "oxygen-saturation", 2.0), "body": {"breathing": body}}
    assert stream_file(StreamKind.OXYGEN_SATURATION, 2, OWNER, data) == json.dumps(wanted, indent=4).encode()


@pytest.mark.parametrize(("release", "key"), [(1, "duration"), (2, "calories_value"), (3, "calories_value")])
def test_calories_by_release(release, key):
    zone = {"timezone": "pst"} if release == 3 else {}
    body = [
        {"activity_name": "kcal_burned", key: {"value": v, "unit": "kcal"}, **at(t)}
        for v, t in ((72, "2024-01-15T20:05:30Z"), (0, "2024-01-15T20:06:30Z"))
    ]
    wanted = {"header": header("ieee", "physical-activity", 1.0, **zone), "body": {"activity": body}}
    assert stream_file(StreamKind.CALORIES, release, OWNER, SAMPLES) == json.dumps(wanted, indent=4).encode()


@pytest.mark.parametrize(("release", "key"), [(2, "sleep_stage_time_frame"), (3, "effective_time_frame")])
def test_sleep_stages_by_release(release, key):
    document = json.loads(stream_file(StreamKind.SLEEP, release, OWNER, NIGHT))
    first = document["body"]["sleep"][0]
    assert list(first) == ["sleep_stage_state", key]
    assert first == {
        "sleep_stage_state": "light",
        key: {
            "time_interval": {
                "start_date_time": "2024-01-16T06:13:20Z",
                "end_date_time": "2024-01-16T06:51:20Z",
            }
        },
    }


def test_release_1_has_one_record_a_night_with_the_hours_asleep():
    (record,) = json.loads(stream_file(StreamKind.SLEEP, 1, OWNER, NIGHT))["body"]["sleep"]
    assert record["sleep_duration"] == {"value": 1.11, "unit": "h"}  # 4,000 s of light and deep sleep
    assert record["effective_time_frame"]["time_interval"]["end_date_time"] == "2024-01-16T08:00:00Z"


def test_activity_by_release():
    spans = Spans(TIMES, TIMES + 60, np.array([2, 4]), np.array([70.0, np.nan]))
    for release, start in ((3, "2024-01-15T20:05:30Z"), (2, "2024-01-15 20:05:30")):
        walking, blank = json.loads(stream_file(StreamKind.ACTIVITY, release, OWNER, spans))["body"]["activity"]
        assert walking["base_movement_quantity"] == {"value": 70, "unit": "steps"}
        assert walking["effective_time_frame"]["time_interval"]["start_date_time"] == start
        assert (blank["activity_name"], blank["base_movement_quantity"]["value"]) == ("", "")
    floats = stream_file(StreamKind.ACTIVITY, 3, OWNER, spans, Style(floats=True))
    assert b'"value": 70.0,' in floats


def test_a_glucose_file_is_what_the_release_writes():
    data = Samples(np.array([51_012, 51_312, 51_612]), np.array([121.0, -np.inf, np.inf]))
    stamps = ("2024-01-15T22:10:12Z", "2024-01-15T22:15:12Z", "2024-01-15T22:20:12Z")
    body = [
        {
            "effective_time_frame": {"time_interval": {"start_date_time": stamp, "end_date_time": stamp}},
            "event_type": "EGV",
            "source_device_id": "SY00100001",
            "blood_glucose": {"unit": "mg/dL", "value": value},
            "transmitter_time": {"unit": "long integer", "value": clock},
            "transmitter_id": "186A1S",
        }
        for stamp, value, clock in zip(stamps, (121, "Low", "High"), (7500, 7800, 8100), strict=True)
    ]
    head = header("omh", "blood-glucose", 3.0)
    head["patient_id"] = head.pop("user_id")
    head = {k: head[k] for k in ("uuid", "creation_date_time", "patient_id", "schema_id")} | {
        "modality": "sensed",
        "acquistion_rate": {"number_of_times": 1, "time_window": {"value": 5, "unit": "min"}},
        "external_datasheets": {"datasheet_type": "source_device", "datasheet_reference": "iri-of-cgm-device"},
    }
    late = {"header": head | {"timezone": "pst"}, "body": {"cgm": body}}
    assert stream_file(StreamKind.GLUCOSE, 3, OWNER, data) == json.dumps(late, indent=4).encode()
    early = {"header": head, "body": body}
    assert stream_file(StreamKind.GLUCOSE, 1, OWNER, data) == json.dumps(early, indent=4).encode()


def test_an_empty_stream_without_a_header():
    nothing = NIGHT.take(np.zeros(0, dtype=int))
    written = stream_file(StreamKind.SLEEP, 3, OWNER, nothing, Style(header=False))
    assert written == json.dumps({"header": None, "body": {"sleep": []}}, indent=4).encode()


@given(st.lists(st.tuples(st.integers(-(10**6), 10**9), st.floats(allow_nan=True, allow_infinity=False)), max_size=20))
def test_lists_are_what_json_dumps_makes_of_them(pairs):
    first, second = np.array([a for a, _ in pairs], dtype=np.int64), np.array([b for _, b in pairs], dtype=np.float64)
    columns = {"a": as_text(first, str), "b": as_text(second, lambda v: json.dumps(v))} if pairs else {"a": [], "b": []}
    listed = dump_list({"x": {"y": slot("a")}, "z": ['é"', slot("b")]}, columns, depth=2)
    written = dump_document({"top": 1, "body": {"list": slot("list")}}, {"list": listed})
    # 0.0 and -0.0 are one value to numpy, and one text
    plain = [{"x": {"y": a}, "z": ['é"', b + 0.0]} for a, b in pairs]
    wanted = json.dumps({"top": 1, "body": {"list": plain}}, indent=4)
    assert written.decode().replace("-0.0\n", "0.0\n") == wanted.replace("-0.0\n", "0.0\n")


def test_times_are_utc():
    assert as_times(np.array([0, 1_705_349_130])).tolist() == [b'"1970-01-01T00:00:00Z"', b'"2024-01-15T20:05:30Z"']
    assert as_times(np.array([1_705_349_130]), spaced=True).tolist() == [b'"2024-01-15 20:05:30"']


# -- manifests ------------------------------------------------------------------------------------------------------------
def test_manifest_statistics_count_sentinels_in():
    from sensecf_bench.datasets.aireadi.cohort.recording import Recording

    recording = Recording(
        heart_rate=Samples(np.array([0, 90_000]), np.array([72.0, 0.0])),
        stress=Samples(TIMES, np.array([31.0, -2.0])),
        respiratory_rate=Samples(TIMES, np.array([14.25, -1.0])),
        oxygen_saturation=Samples(TIMES, np.array([94.0, np.nan])),
        physical_activity=Spans(TIMES, TIMES + 60, np.array([2, 4]), np.array([70.0, np.nan])),
        physical_activity_calorie=Samples(TIMES, np.array([10.0, 21.0])),
        sleep=None,
        continuous_glucose_monitoring=None,
    )
    kinds = (
        "heart_rate",
        "stress",
        "respiratory_rate",
        "oxygen_saturation",
        "physical_activity",
        "physical_activity_calorie",
    )
    paths = {kind: f"/{kind}" for kind in kinds}
    row = watch_row(recording, paths, OWNER.midnight, 3, ("Left", "Right"), floats=False)
    assert row == [
        "Left", "Right", "/heart_rate", "2", "36.0", "/oxygen_saturation", "2", "94.0", "/stress", "2", "14.5",
        "None", "None", "None", "/respiratory_rate", "2", "6.62", "/physical_activity", "1", "70.0",
        "/physical_activity_calorie", "2", "15.5", "2", "Garmin", "Vivosmart 5",
    ]  # fmt: skip
    assert watch_row(recording, paths, OWNER.midnight, 1, ("Left", "Right"), floats=False)[18] == "2"
    assert watch_row(recording, paths, OWNER.midnight, 3, ("Left", "Right"), floats=True)[19] == "0.0"


def test_the_glucose_manifest_counts_low_as_70_and_high_as_200():
    trace = Samples(np.array([0, 300, 90_000]), np.array([100.0, -np.inf, np.inf]))
    row = sensor_row(trace, "/x", OWNER.midnight, "SY1")
    assert row == ["/x", "3", repr(370 / 3), "2", "SY1", "Dexcom", "G6"]


# -- a whole release --------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module", params=[1, 2, 3])
def release(request, tmp_path_factory):
    cohort = make_cohort(3, seed=1, days=3)
    return request.param, cohort, write_release(cohort, tmp_path_factory.mktemp("release"), request.param)


def rows(path, delimiter=","):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file, delimiter=delimiter))


def test_the_participants_table(release):
    number, cohort, written = release
    head, *people = rows(written.root / "participants.tsv", "\t")
    assert head[1:6] == ["clinical_site", "study_group", "age", "study_visit_date", "recommended_split"]
    assert head[0] == ("person_id" if number == 3 else "participant_id")
    assert head[6:] == [
        "cardiac_ecg", "clinical_data", "environment", "retinal_flio", "retinal_oct", "retinal_octa",
        "retinal_photography", "wearable_activity_monitor", "wearable_blood_glucose",
    ]  # fmt: skip
    assert [row[0] for row in people] == [str(i) for i in cohort.people.ids]
    assert all(int(row[0]) > 99_999 for row in people)  # no participant has such an id
    assert (written.root / "participants.tsv").read_bytes().count(b"\r\n") == len(people) + 1
    described = json.loads((written.root / "participants.json").read_text())
    assert set(described) == set(head[:6])


def test_manifests_name_files_that_are_there(release):
    number, _, written = release
    head, *people = rows(written.root / "wearable_activity_monitor" / "manifest.tsv", "\t")
    assert len(head) == 27
    assert ("physical_activity_num_records" in head) == (number == 1)
    for row in people:
        paths = [cell for name, cell in zip(head, row, strict=True) if name.endswith("_filepath") and cell != "None"]
        assert paths
        assert all(path.startswith("/") and (written.root / path[1:]).is_file() for path in paths)


def test_the_clinical_tables(release):
    number, cohort, written = release
    for name, columns in (("measurement", MEASUREMENT), ("observation", OBSERVATION)):
        head, *table = rows(written.root / "clinical_data" / f"{name}.csv")
        assert head == ([""] if number == 3 else []) + list(columns)
        sources = [row[head.index(f"{name}_source_value")] for row in table]
        longest = 49 if number == 3 or name == "observation" else 35  # early laboratory values have short names
        assert max(map(len, sources)) == longest
        assert len({len(row) for row in table}) == 1
        ids = [row[head.index(f"{name}_id")] for row in table]
        assert len(set(ids)) == len(ids)
    head, *table = rows(written.root / "clinical_data" / "measurement.csv")
    source = "import_hba1c, Hemoglobin A1c/Hemoglobin.total in " if number == 3 else "HbA1c (%)"
    values = {row[head.index("person_id")]: row[head.index("value_as_number")] for row in table if source in row}
    assert values == {
        str(cohort.people.ids[i]): str(cohort.people.hba1c[i]) for i in np.flatnonzero(cohort.people.presence.hba1c)
    }
    assert len(rows(written.root / "clinical_data" / "person.csv")[0]) == 18
    assert len(rows(written.root / "clinical_data" / "visit_occurrence.csv")[0]) == 17
    assert len(rows(written.root / "clinical_data" / "condition_occurrence.csv")[0]) == 16
    assert len(rows(written.root / "clinical_data" / "procedure_occurrence.csv")[0]) == 16


def test_it_says_everywhere_that_it_is_synthetic(release):
    _, _, written = release
    assert is_synthetic(written.root)
    for name in ("README.md", "CHANGELOG.md", "LICENSE.txt", "healthsheet.md", "dataset_description.json",
                 "study_description.json", "participants.json"):  # fmt: skip
        assert "SYNTHETIC" in (written.root / name).read_text(), name


def test_every_stream_file_is_what_json_dumps_writes(release):
    _, _, written = release
    files = sorted(written.root.glob("wearable_*/*/*/*/*.json"))
    assert len(files) == written.files
    assert sum(path.stat().st_size for path in files) == written.bytes
    for path in files[:: max(1, len(files) // 8)]:
        content = path.read_bytes()
        assert json.dumps(json.loads(content), indent=4).encode() == content


# -- what goes wrong ----------------------------------------------------------------------------------------------------------
def test_releases_are_not_mixed(tmp_path):
    cohort = make_cohort(1, days=3)
    write_release(cohort, tmp_path, 3)
    with pytest.raises(RunFolderError, match="is not empty"):
        write_release(cohort, tmp_path, 2)


def test_an_unknown_quirk_is_named_before_anything_is_written(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'low-high'"):
        write_release(make_cohort(1, days=3), tmp_path, 3, ["low-hig"])
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "dataset").write_text("in the way")
    with pytest.raises(BenchError):
        write_release(make_cohort(1, days=3), tmp_path, 3)


def test_the_command_writes_and_says_so(tmp_path):
    asked = [
        "data",
        "aireadi",
        "synthesize",
        "--participants",
        "2",
        "--days",
        "3",
        "--out",
        str(tmp_path),
        "--release",
        "2",
    ]
    done = CliRunner().invoke(app, [*asked, "--quirk", "unsorted", "--quirk", "second-index"])
    assert done.exit_code == 0, done.output
    assert "wrote 2 synthetic people" in done.output
    assert "second-index: 2 of 2 people" in done.output
    assert len(rows(tmp_path / "dataset" / "participants.tsv", "\t")) == 3


def test_the_command_lists_quirks(tmp_path):
    done = CliRunner().invoke(app, ["data", "aireadi", "synthesize", "--list-quirks"])
    assert done.exit_code == 0
    assert "dst-duplicate" in done.output
