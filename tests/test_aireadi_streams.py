"""Stream files: every kind and release, every quirk, and the quick parser never answering otherwise than the general one."""

import json
import math
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from aireadi_raw import header, record, text, write
from hypothesis import given, settings
from hypothesis import strategies as st

from sensecf_bench.datasets.aireadi.general import UnreadableError, parse_general
from sensecf_bench.datasets.aireadi.kinds import LAYOUT, StreamKind
from sensecf_bench.datasets.aireadi.quirks import MEANING, Quirk
from sensecf_bench.datasets.aireadi.regular import parse_regular
from sensecf_bench.datasets.aireadi.streams import StreamFileError, read_stream, stream_of
from sensecf_bench.datasets.aireadi.times import UNREADABLE, seconds_of

NOON = datetime(2024, 1, 15, 20, 5, 30, tzinfo=UTC)
HR, STRESS, GLUCOSE = StreamKind.HEART_RATE, StreamKind.STRESS, StreamKind.GLUCOSE
SLEEP, ACTIVITY, CALORIES = StreamKind.SLEEP, StreamKind.ACTIVITY, StreamKind.CALORIES
LABELS = {SLEEP: ["awake", "light", "deep", "rem"], ACTIVITY: ["sedentary", "walking", "", "generic"]}
PLAIN = {HR: 72, STRESS: 31, StreamKind.RESPIRATORY_RATE: 14.25, StreamKind.OXYGEN_SATURATION: 94.0, GLUCOSE: 121}


def stamp(seconds):
    return datetime.fromtimestamp(NOON.timestamp() + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def points(kind, values, step=60, release=3):
    return [record(kind, stamp(i * step), value, release=release) for i, value in enumerate(values)]


def read(folder, kind, records, release=3, **how):
    return read_stream(write(folder, kind, records, release=release, **how), kind, release)


# -- what each release writes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("release", [1, 2, 3])
@pytest.mark.parametrize("kind", list(PLAIN))
def test_readings_of_every_release(tmp_path, kind, release):
    stream = read(tmp_path, kind, points(kind, [PLAIN[kind]] * 3, release=release), release)
    assert stream.times.tolist() == [NOON.timestamp() + 60 * i for i in range(3)]
    assert stream.values.tolist() == [PLAIN[kind]] * 3
    assert not stream.sentinel.any()
    assert stream.person_id == "1999"
    assert stream.timezone == ("America/Los_Angeles" if release == 3 else None)
    assert stream.quirks == ({} if release == 3 else {Quirk.NO_TIMEZONE: 1})


@pytest.mark.parametrize("release", [2, 3])
def test_sleep_stages_are_intervals_with_hours(tmp_path, release):
    records = [
        record(SLEEP, stamp(0), end=stamp(1800), label="light", release=release),
        record(SLEEP, stamp(1800), end=stamp(5400), label="deep", release=release),
    ]
    stream = read(tmp_path, SLEEP, records, release)
    assert stream.values.tolist() == [0.5, 1.0]
    assert (stream.ends - stream.times).tolist() == [1800, 3600]
    assert [stream.label_names[code] for code in stream.labels] == ["light", "deep"]
    assert not stream.sentinel.any()


def test_sleep_of_release_1_is_a_night_with_its_recorded_hours(tmp_path):
    records = [record(SLEEP, stamp(0), 7.1, end=stamp(8 * 3600), release=1)]
    stream = read(tmp_path, SLEEP, records, release=1)
    assert stream.values.tolist() == [7.1]
    assert (stream.ends - stream.times).tolist() == [8 * 3600]
    assert not stream.sentinel.any()


@pytest.mark.parametrize("release", [1, 2, 3])
def test_calories_under_the_key_of_each_release(tmp_path, release):
    stream = read(tmp_path, CALORIES, points(CALORIES, [0, 120, 130], release=release), release)
    assert stream.values.tolist() == [0, 120, 130]
    assert not stream.sentinel.any()


@pytest.mark.parametrize("written", ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S+00:00"])
def test_activity_in_every_form_of_time(tmp_path, written):
    moments = [datetime.fromtimestamp(NOON.timestamp() + 60 * i, UTC).strftime(written) for i in range(3)]
    records = [record(ACTIVITY, a, 70, end=b, label="walking") for a, b in pairwise(moments)]
    stream = read(tmp_path, ACTIVITY, records, release=2)
    assert stream.times.tolist() == [NOON.timestamp(), NOON.timestamp() + 60]
    assert stream.ends.tolist() == [NOON.timestamp() + 60, NOON.timestamp() + 120]
    assert [stream.label_names[code] for code in stream.labels] == ["walking", "walking"]


def test_keys_of_another_release_are_read_and_told(tmp_path):
    assert read(tmp_path, CALORIES, points(CALORIES, [1, 2], release=1), release=1).quirks == {Quirk.NO_TIMEZONE: 1}
    path = write(tmp_path, CALORIES, points(CALORIES, [1, 2], release=1), release=1)
    stream = read_stream(path, CALORIES, release=3)
    assert stream.values.tolist() == [1, 2]
    assert stream.quirks[Quirk.OTHER_RELEASE] == 1


def test_glucose_of_release_1_is_a_bare_list(tmp_path):
    path = write(tmp_path, GLUCOSE, points(GLUCOSE, [100, 110], release=1), release=1)
    assert isinstance(json.loads(path.read_text())["body"], list)
    assert read_stream(path, GLUCOSE, 1).values.tolist() == [100, 110]
    assert read_stream(path, GLUCOSE, 2).quirks[Quirk.OTHER_RELEASE] == 1


# -- quirks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "values", "sentinel", "counts"),
    [
        (HR, [72, 0, 80], [0, 1, 0], {Quirk.SENTINEL: 1}),
        (STRESS, [31, -1, -2, 0], [0, 1, 1, 0], {Quirk.SENTINEL: 2}),
        (StreamKind.RESPIRATORY_RATE, [14.25, -1.0, -2.0], [0, 1, 1], {Quirk.SENTINEL: 2}),
        (StreamKind.OXYGEN_SATURATION, [94.0, math.nan, 0], [0, 1, 1], {Quirk.NAN_VALUE: 1, Quirk.SENTINEL: 1}),
        (ACTIVITY, [70, "", 0], [0, 1, 0], {Quirk.BLANK_VALUE: 1}),
        (HR, [72, None, "None", "nan"], [0, 1, 1, 1], {Quirk.BLANK_VALUE: 2, Quirk.NAN_VALUE: 1}),
        (HR, [72, 900, 10**400], [0, 1, 1], {Quirk.IMPLAUSIBLE_VALUE: 2}),
        (GLUCOSE, [121, 6.7, math.inf], [0, 1, 1], {Quirk.IMPLAUSIBLE_VALUE: 2}),
        (HR, [72, "many", [1], True], [0, 1, 1, 1], {Quirk.UNREADABLE_VALUE: 3}),
        (HR, [0, 0], [1, 1], {Quirk.SENTINEL: 2, Quirk.DEAD_STREAM: 1}),
    ],
)
def test_what_is_no_measurement_is_masked_and_counted(tmp_path, kind, values, sentinel, counts):
    stream = read(tmp_path, kind, points(kind, values))
    assert stream.sentinel.tolist() == [bool(s) for s in sentinel]
    counted = {quirk: n for quirk, n in stream.quirks.items() if quirk is not Quirk.ZERO_LENGTH}
    assert counted == counts
    assert np.isfinite(stream.values[~stream.sentinel]).all()


def test_sentinels_keep_their_number(tmp_path):
    assert read(tmp_path, STRESS, points(STRESS, [31, -1, -2])).values.tolist() == [31, -1, -2]


def test_glucose_beyond_the_sensors_range_is_labelled(tmp_path):
    stream = read(tmp_path, GLUCOSE, points(GLUCOSE, ["Low", 121, "High", "Low"]))
    assert [stream.label_names[code] for code in stream.labels] == ["Low", "", "High", "Low"]
    assert stream.sentinel.tolist() == [True, False, True, True]
    assert stream.quirks == {Quirk.LOW_READING: 2, Quirk.HIGH_READING: 1}


def test_unknown_sleep_stages_are_masked(tmp_path):
    labels = ["light", "unknown", None, "rem"]
    records = [record(SLEEP, stamp(60 * i), end=stamp(60 * i + 60), label=label) for i, label in enumerate(labels)]
    stream = read(tmp_path, SLEEP, records)
    assert stream.sentinel.tolist() == [False, True, True, False]
    assert stream.quirks == {Quirk.UNKNOWN_LABEL: 2}


def test_a_whole_night_copied_is_dropped_once(tmp_path):
    night = [record(SLEEP, stamp(60 * i), end=stamp(60 * i + 60), label=LABELS[SLEEP][i % 4]) for i in range(8)]
    stream = read(tmp_path, SLEEP, night + night + night)
    assert len(stream) == 8
    assert stream.quirks == {Quirk.EXACT_DUPLICATE: 16, Quirk.UNSORTED: 1}


def test_nan_repeats_are_duplicates_too(tmp_path):
    records = points(StreamKind.OXYGEN_SATURATION, [math.nan, 95.0])
    stream = read(tmp_path, StreamKind.OXYGEN_SATURATION, [*records, *records])
    assert len(stream) == 2
    assert stream.quirks[Quirk.EXACT_DUPLICATE] == 2
    assert stream.quirks[Quirk.NAN_VALUE] == 1


def test_the_spring_changes_double_stamps_are_masked(tmp_path):
    """Local 01:05 and 02:05 of 2024-03-10 both became 09:05Z, with different glucose."""
    doubled = [record(GLUCOSE, "2024-03-10T09:05:00Z", value) for value in (100, 140)]
    before, after = record(GLUCOSE, "2024-03-10T08:55:00Z", 95), record(GLUCOSE, "2024-03-10T10:05:00Z", "Low")
    stream = read(tmp_path, GLUCOSE, [before, *doubled, after])
    assert stream.sentinel.tolist() == [False, True, True, True]
    assert stream.quirks == {Quirk.CONFLICTING_TIME: 2, Quirk.LOW_READING: 1}
    assert [stream.label_names[code] for code in stream.labels] == ["", "", "", "Low"]


def test_a_sentinel_does_not_contradict_a_reading(tmp_path):
    stream = read(tmp_path, HR, [record(HR, stamp(0), 0), record(HR, stamp(0), 70), record(HR, stamp(60), 71)])
    assert stream.sentinel.tolist() == [True, False, False]
    assert Quirk.CONFLICTING_TIME not in stream.quirks


def test_interleaved_calories_of_one_second_do_not_contradict_each_other(tmp_path):
    stream = read(tmp_path, CALORIES, [record(CALORIES, stamp(0), 5), record(CALORIES, stamp(0), 90)])
    assert stream.values.tolist() == [5, 90]
    assert not stream.sentinel.any()


def test_lengths_of_intervals(tmp_path):
    records = [
        record(ACTIVITY, stamp(0), 0, end=stamp(0), label="sedentary"),
        record(ACTIVITY, stamp(0), 70, end=stamp(120), label="walking"),
        record(ACTIVITY, stamp(60), 70, end=stamp(180), label="walking"),
        record(ACTIVITY, stamp(180), 0, end=stamp(170), label="generic"),
    ]
    stream = read(tmp_path, ACTIVITY, records)
    assert stream.quirks == {Quirk.ZERO_LENGTH: 1, Quirk.OVERLAPPING: 1, Quirk.NEGATIVE_LENGTH: 1}
    assert stream.sentinel.tolist() == [False, False, False, True]


def test_lengths_that_cannot_be_are_masked(tmp_path):
    days = 86_400
    moves = [
        record(ACTIVITY, stamp(0), 70, end=stamp(days), label="walking"),
        record(ACTIVITY, stamp(days), 70, end=stamp(2 * days + 1), label="walking"),
    ]
    stream = read(tmp_path, ACTIVITY, moves)
    assert stream.sentinel.tolist() == [False, True]
    assert stream.quirks == {Quirk.LONG_ACTIVITY: 1}
    stages = [
        record(SLEEP, stamp(0), None, end=stamp(3600), label="light"),
        record(SLEEP, stamp(3600), None, end=stamp(400 * days), label="deep"),
    ]
    stream = read(tmp_path, SLEEP, stages)
    assert stream.sentinel.tolist() == [False, True]
    assert stream.quirks == {Quirk.IMPLAUSIBLE_VALUE: 1}


@pytest.mark.parametrize(
    "odd", ["0001-01-01T00:00:00Z", "1989-12-31T00:00:00Z", "2040-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]
)
def test_times_that_cannot_be_are_dropped_and_counted(tmp_path, odd):
    stream = read(tmp_path, HR, [*points(HR, [70, 71]), record(HR, odd, 72)])
    assert stream.values.tolist() == [70, 71]
    assert stream.quirks == {Quirk.IMPLAUSIBLE_TIME: 1}


def test_records_out_of_order_are_sorted(tmp_path):
    stream = read(tmp_path, HR, points(HR, [70, 71, 72])[::-1])
    assert stream.values.tolist() == [70, 71, 72]
    assert stream.quirks == {Quirk.UNSORTED: 1}


def test_records_without_a_time_or_a_value(tmp_path):
    good = points(HR, [70, 71])
    odd = [{"heart_rate": {"value": 72}}, record(HR, "2024-02-30T00:00:00Z", 73), "text", record(HR, None, 74)]
    unvalued = {"effective_time_frame": {"date_time": stamp(600)}}
    stream = read(tmp_path, HR, [*good, *odd, unvalued])
    assert stream.values[~stream.sentinel].tolist() == [70, 71]
    assert stream.quirks == {Quirk.UNREADABLE_TIME: 3, Quirk.NOT_A_RECORD: 1, Quirk.UNREADABLE_VALUE: 1}


def test_another_unit_is_masked(tmp_path):
    records = points(GLUCOSE, [121, 122, 123])
    records[1]["blood_glucose"]["unit"] = "mmol/L"
    stream = read(tmp_path, GLUCOSE, records)
    assert stream.sentinel.tolist() == [False, True, False]
    assert stream.quirks == {Quirk.UNEXPECTED_UNIT: 1}
    for each in records:
        each["blood_glucose"]["unit"] = "mmol/L"
    assert read(tmp_path, GLUCOSE, records).quirks == {Quirk.UNEXPECTED_UNIT: 3, Quirk.DEAD_STREAM: 1}


def test_events_other_than_readings_are_left_out(tmp_path):
    records = points(GLUCOSE, [121, 122, 123])
    records[0]["event_type"] = "Calibration"
    stream = read(tmp_path, GLUCOSE, records)
    assert stream.values.tolist() == [122, 123]
    assert stream.quirks == {Quirk.NOT_A_READING: 1}


def test_null_header_and_empty_list(tmp_path):
    stream = read(tmp_path, SLEEP, [], head=None)
    assert len(stream) == 0
    assert stream.quirks == {Quirk.NULL_HEADER: 1, Quirk.EMPTY_STREAM: 1}
    assert stream.timezone is None


@pytest.mark.parametrize(
    ("label", "zone", "quirks"),
    [
        ("pst", "America/Los_Angeles", {}),
        ("CST", "America/Chicago", {}),
        ("Europe/Berlin", "Europe/Berlin", {}),
        ("mars", None, {Quirk.UNKNOWN_TIMEZONE: 1}),
        ("../etc", None, {Quirk.UNKNOWN_TIMEZONE: 1}),
        (5, None, {Quirk.UNKNOWN_TIMEZONE: 1}),
        ("", None, {Quirk.UNKNOWN_TIMEZONE: 1}),
    ],
)
def test_time_zones(tmp_path, label, zone, quirks):
    stream = read(tmp_path, HR, points(HR, [70, 71]), head=header(timezone=label))
    assert (stream.timezone, stream.quirks) == (zone, quirks)


def test_a_header_that_names_another_person(tmp_path):
    stream = read(tmp_path, HR, points(HR, [70, 71]), person="1998")
    assert stream.person_id == "1999"
    assert stream.quirks == {Quirk.OTHER_PERSON: 1}


def test_every_quirk_is_explained():
    assert set(MEANING) == set(Quirk)
    assert all(MEANING.values())


# -- files that cannot be read ---------------------------------------------------------------------------------------


def problem(tmp_path, data, kind=HR):
    path = tmp_path / "1999_x.json"
    path.write_bytes(data)
    with pytest.raises(StreamFileError) as caught:
        read_stream(path, kind, 3)
    assert str(path) in caught.value.message
    return caught.value


@pytest.mark.parametrize("cut", [1, 20, 300, 1000, -1, -2, -20])
def test_a_truncated_file_is_named_with_the_byte_where_it_ends(tmp_path, cut):
    whole = text(HR, points(HR, [72] * 50))[:cut]
    error = problem(tmp_path, whole)
    assert "cut off" in error.what
    assert error.position == len(whole)


def test_every_truncation_is_an_error(tmp_path):
    whole = text(HR, points(HR, [72] * 5))
    for cut in range(1, len(whole)):
        with pytest.raises(UnreadableError):
            parse_general(whole[:cut], LAYOUT[HR])
        assert parse_regular(whole[:cut], LAYOUT[HR]) is None


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "zero bytes"),
        (b"<html>not found</html>", "no JSON"),
        (b"[1, 2]", "no body"),
        (b'{"header": null, "body": {"stress": []}}', "'stress'"),
        (b'{"header": null, "body": 5}', "no body"),
        (b'{"body": {"heart_rate": [' + b"9" * 5000 + b"]}}", "no measurement"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"body": "\xff\xfe"}', "UTF-8"),
        (b"version https://git-lfs.github.com/spec/v1\n", "no JSON"),
    ],
)
def test_malformed_files_are_named(tmp_path, data, what):
    assert what in problem(tmp_path, data).what


def test_the_byte_of_an_error_is_counted_in_bytes(tmp_path):
    assert problem(tmp_path, '{"body": "äöü" !}'.encode()).position == len('{"body": "äöü" '.encode())


def test_a_missing_file_is_an_error_that_travels_between_processes(tmp_path):
    import pickle

    with pytest.raises(StreamFileError) as caught:
        read_stream(tmp_path / "1_stress.json", STRESS, 3)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (again.path, again.what, str(again)) == (caught.value.path, caught.value.what, str(caught.value))


# -- the quick parser answers as the general one ---------------------------------------------------------------------


def both(data, kind):
    """The streams of the quick and of the general parser; None for a parser that gives the file up."""
    quick = parse_regular(data, LAYOUT[kind])
    try:
        slow = parse_general(data, LAYOUT[kind])
    except UnreadableError:
        slow = None
    return quick and stream_of(quick, kind, 3, "1999"), slow and stream_of(slow, kind, 3, "1999")


def assert_same(quick, slow):
    assert slow is not None
    for name in ("times", "ends", "values", "sentinel", "labels"):
        np.testing.assert_array_equal(getattr(quick, name), getattr(slow, name), err_msg=name, strict=True)
    for name in ("kind", "label_names", "timezone", "person_id", "quirks"):
        assert getattr(quick, name) == getattr(slow, name)


moments = st.integers(-(10**8), 10**8)
numbers = st.one_of(
    st.integers(-2, 300),
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(0, 100).map(lambda x: round(x, 2)),
    st.sampled_from([10**30, 1e-300, -0.0, 0.1 + 0.2]),
)
oddities = st.sampled_from(
    ["", "Low", "High", None, True, [], {}, {"value": 1}, "NaN", "\u00e4", '"', "\\", "\x01", "x" * 40]
)


@st.composite
def files(draw):
    kind, release = draw(st.sampled_from(list(StreamKind))), draw(st.sampled_from([1, 2, 3]))
    values = draw(st.sampled_from([st.integers(-2, 300), numbers, st.one_of(numbers, oddities)]))
    steps = draw(st.lists(st.integers(-60, 400), min_size=2, max_size=12))
    clock, records = draw(moments), []
    for step in steps:
        clock += step
        end = stamp(clock + draw(st.integers(-10, 500)))
        label = draw(st.sampled_from([*LABELS.get(kind, [""]), "unknown", "fitness_equipment"]))
        records.append(record(kind, stamp(clock), draw(values), end=end, label=label, release=release))
    indent = draw(st.sampled_from([4, 4, 4, None, 2, 0]))
    return kind, text(kind, records, release=release, head=draw(st.sampled_from([..., None])), indent=indent)


@settings(max_examples=300, deadline=None)
@given(files())
def test_the_same_answer_over_random_files(case):
    kind, data = case
    quick, slow = both(data, kind)
    if quick is not None:
        assert_same(quick, slow)


@pytest.mark.parametrize("release", [1, 2, 3])
@pytest.mark.parametrize("kind", list(StreamKind))
@pytest.mark.parametrize("indent", [4, 1])
def test_the_releases_own_files_take_the_quick_way(kind, release, indent):
    values = ["Low", 120, "High", 99] if kind is GLUCOSE else [7, "", math.nan, 90.25]
    labels = LABELS.get(kind, [""] * 4)
    records = [
        record(kind, stamp(60 * i), values[i % 4], end=stamp(60 * i + 60), label=labels[i % 4], release=release)
        for i in range(9)
    ]
    quick, slow = both(text(kind, records, release=release, indent=indent), kind)
    assert quick is not None
    assert_same(quick, slow)
    assert len(quick) == 9


SPLICES = [
    b" ", b"\n", b",", b"]", b"}", b"{", b"[", b'"', b"\\", b"0", b"1e5", b"-", b"NaN", b"null", b"\x00", b"\x01", b"\x02", b"\xff",
    b'"value": 3,', b', "value": 9', b'"body": {"heart_rate": [', b'{"heart_rate": {"value": 1}},', b"]}}", b'\xef\xbb\xbf', "ä".encode(),
    b'"date_time": null,', b'"event_type": "X",', b'["the records stood here"]',
]  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(files(), st.data())
def test_the_same_answer_over_hostile_files(case, data):
    kind, whole = case
    for _ in range(data.draw(st.integers(1, 3))):
        at, width = data.draw(st.integers(0, len(whole))), data.draw(st.sampled_from([0, 0, 1, 2, 20, 300]))
        copied = data.draw(st.integers(0, len(whole)))
        splice = data.draw(st.sampled_from([b"", whole[copied : copied + 200], *SPLICES]))
        whole = whole[:at] + splice + whole[at + width :]
    quick, slow = both(whole, kind)
    if quick is not None:
        assert_same(quick, slow)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"value": 71', b'"value": 71, "value": 72'),
        (b'"value": 71', b'"value": "7\\u0031"'),
        (b'"value": 71', b'"value": 71}, "heart_rate": {"value": 72'),
        (b'"value": 71', b'"value":  71'),
        (b'"value": 71', b'"value": 071'),
        (b'"value": 71', b'"value": 71 \n'),
        (b'"value": 71', b'"value": 71\x01'),
        (b'"value": 71', b'"value": 71, "x": [{"a": "]"}]'),
        (b"2024-01-15T20:06:30Z", b"2024-13-15T20:06:30Z"),
        (b"2024-01-15T20:06:30Z", b"2024-01-15T20:06:60Z"),
        (b"2024-01-15T20:06:30Z", b"2024-01-15t20:06:30Z"),
        (b"2024-01-15T20:06:30Z", b"2024-01-15T20:06:3\xc2\xb2"),
        (b'"2024-01-15T20:06:30Z"', b"12024-01-15T20:06:30Z1"),
        (b'"beats/min"', b'"bpm"'),
        (b'"timezone": "pst"', b'"timezone": "pst", "body": {"heart_rate": []}'),
        (b'"header"', b'"body": {"heart_rate": [{"a": 1}, {"a": 1}]}, "header"'),
    ],
)
def test_traps(old, new):
    data = text(HR, points(HR, [70, 71, 72, 73]))
    assert old in data
    for count in (1, -1):
        quick, slow = both(data.replace(old, new, count), HR)
        if quick is not None:
            assert_same(quick, slow)


def refused(data, kind=HR):
    """The quick parser must give these up: they look regular and are not."""
    quick, slow = both(data, kind)
    assert quick is None
    return slow


def test_a_byte_that_pads_short_tokens():
    data = text(HR, points(HR, [70, 71, 7, 7]))
    assert refused(data.replace(b'"value": 7,', b'"value": 7\0,', 1)) is None


@pytest.mark.parametrize("piece", [b"beats/min", b'"unit"', b'"date_time"', b"},\n", b'"effective_time_frame"'])
def test_a_constant_that_changes_once_and_keeps_its_length(piece):
    data = text(HR, points(HR, [70, 71, 72, 73]))
    at = data.rindex(piece, 0, data.rindex(b"73,"))
    refused(data[:at] + piece[::-1] + data[at + len(piece) :])


def test_a_line_that_moves_from_one_record_to_the_next():
    data = text(HR, points(HR, [70, 71, 72, 73]))
    at, to = data.index(b"\n", data.index(b"71,")), data.index(b"\n", data.index(b"72,"))
    slow = refused(data[:at] + b" " + data[at + 1 : to] + b"\n\n" + data[to + 1 :])
    assert slow.values.tolist() == [70, 71, 72, 73]


def test_a_key_twice_in_every_record():
    one = '{"heart_rate": {"value": 70}, "heart_rate": {"value": {"v": 1}}, "effective_time_frame": {\n"date_time": "%s"}}'
    records = ",\n".join(one % stamp(60 * i) for i in range(4))
    slow = refused(f'{{"header": null, "body": {{"heart_rate": [{records}]}}}}'.encode())
    assert slow.quirks[Quirk.UNREADABLE_VALUE] == 4


def test_a_last_record_that_ends_otherwise():
    records = [dict(reversed(each.items())) for each in points(HR, [70, 71, 72, 73])]  # the unit comes last
    data = text(HR, records)
    assert parse_regular(data, LAYOUT[HR]) is not None
    last = data.rindex(b"beats/min")
    slow = refused(data[:last] + b"beats/mon" + data[last + 9 :])
    assert slow.quirks[Quirk.UNEXPECTED_UNIT] == 1


def test_records_elsewhere_than_in_the_body():
    inner = text(HR, points(HR, [70, 71, 72, 73])).decode()
    slow = refused(f'{{"body": {{"heart_rate": []}}, "header": {inner}}}'.encode())
    assert len(slow) == 0


def test_events_of_another_kind_throughout():
    records = [{**each, "event_type": "Calibration"} for each in points(GLUCOSE, [100, 101, 102])]
    assert refused(text(GLUCOSE, records), GLUCOSE).quirks[Quirk.NOT_A_READING] == 3


@pytest.mark.parametrize("tail", [b' , "more": [1, 2]}', b' , "body": {"heart_rate": []}}', b"}\n\n"])
def test_what_follows_the_body(tail):
    data = text(HR, points(HR, [70, 71, 72]))[:-1] + tail
    quick, slow = both(data, HR)
    if quick is not None:
        assert_same(quick, slow)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 70, 71, math.nan])), max_size=12))
def test_duplicates_and_conflicts_as_a_plain_loop_finds_them(rows):
    stream = stream_of(parse_general(text(HR, [record(HR, stamp(s), v) for s, v in rows]), LAYOUT[HR]), HR, 3)
    distinct = {(s, str(v)) for s, v in rows}
    assert len(stream) == len(distinct)
    assert stream.quirks.get(Quirk.EXACT_DUPLICATE, 0) == len(rows) - len(distinct)
    clashing = {s for s, v in distinct if v == "70"} & {s for s, v in distinct if v == "71"}
    assert stream.quirks.get(Quirk.CONFLICTING_TIME, 0) == 2 * len(clashing)
    assert (np.diff(stream.times) >= 0).all()


# -- times -----------------------------------------------------------------------------------------------------------


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))
def test_times_as_datetime_reads_them(moment):
    moment = moment.replace(microsecond=0, tzinfo=UTC)
    expected = int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    bare = f"{moment.year:04}-{moment.month:02}-{moment.day:02} {moment.hour:02}:{moment.minute:02}:{moment.second:02}"
    iso = bare.replace(" ", "T")
    assert seconds_of([bare, iso, iso + "Z", iso + "+00:00", iso + ".25Z"]).tolist() == [expected] * 5


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-30T00:00:00Z", "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2024-00-10T00:00:00Z", "0000-01-01T00:00:00Z",
        "2024-01-00T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z", "2024/01/01T00:00:00Z",
        "2024-01-01", "", "now", None, 5, "２024-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "x" * 20,
    ],
)  # fmt: skip
def test_what_is_no_time(text):
    assert seconds_of([text]).tolist() == [UNREADABLE]


def test_other_offsets_are_converted():
    assert seconds_of(["2024-01-15T12:05:30-08:00"]).tolist() == [int(NOON.timestamp())]
