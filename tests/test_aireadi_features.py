"""Days and people from streams: values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from aireadi_streams import DAY, LOCAL, PACIFIC, activity, at, day_number, glucose, heart, sleep, stream
from hypothesis import given
from hypothesis import strategies as st

from sensecf_bench.datasets.aireadi.by_day import ByDay, onto
from sensecf_bench.datasets.aireadi.catalogue import BY_NAME, COLUMNS
from sensecf_bench.datasets.aireadi.daily import OF_DAYS, daily_features
from sensecf_bench.datasets.aireadi.features import person_features
from sensecf_bench.datasets.aireadi.glycaemia import Readings, daily_glucose, event_starts, person_glucose
from sensecf_bench.datasets.aireadi.kinds import StreamKind
from sensecf_bench.datasets.aireadi.nights import Intervals, nightly_sleep
from sensecf_bench.datasets.aireadi.wear import daily_wear, worn_days

MIDNIGHT = at("2024-01-15 00:00")
FIVE = 300


# -- the local calendar ------------------------------------------------------------------------------------------------
@given(st.lists(st.integers(1_600_000_000, 1_800_000_000), max_size=40))
def test_local_seconds_are_those_of_the_standard_library(times):
    from datetime import UTC, datetime

    wall = [datetime.fromtimestamp(t, UTC).astimezone(PACIFIC).replace(tzinfo=UTC).timestamp() for t in times]
    assert LOCAL.seconds(np.array(times, dtype=np.int64)).tolist() == wall


def test_the_day_clocks_go_forward_is_one_day_of_23_hours():
    evening, morning = at("2024-03-09 23:59"), at("2024-03-11 00:00")
    assert morning - evening == 60 + 23 * 3600
    assert LOCAL.days(np.array([evening, evening + 60, morning - 1, morning])).tolist() == [
        day_number("2024-03-09"),
        day_number("2024-03-10"),
        day_number("2024-03-10"),
        day_number("2024-03-11"),
    ]


# -- statistics by day ---------------------------------------------------------------------------------------------
@given(
    st.lists(st.tuples(st.integers(0, 4), st.floats(0, 300, allow_subnormal=False)), min_size=1, max_size=60),
    st.floats(0, 100),
)
def test_daily_statistics_are_numpys_own_of_each_day(readings, share):
    days = np.array([d for d, _ in readings], dtype=np.int64)
    values = np.array([v for _, v in readings])
    by_day = ByDay.of(days)
    for i, day in enumerate(by_day.names):
        own = values[days == day]
        assert by_day.counts[i] == len(own)
        assert by_day.mean(values)[i] == pytest.approx(own.mean())
        assert by_day.greatest(values)[i] == own.max()
        assert by_day.percentile(values, share)[i] == pytest.approx(np.percentile(own, share))
        expected = own.std(ddof=1) if len(own) > 1 else np.nan
        assert by_day.deviation(values)[i] == pytest.approx(expected, nan_ok=True, abs=1e-6)


def test_values_are_laid_onto_days_and_days_without_one_stay_empty():
    laid = onto(np.array([3, 5, 9]), np.array([5, 7, 9, 12]), np.array([1.0, 2.0, 3.0, 4.0]))
    assert np.array_equal(laid, [np.nan, 1.0, 3.0], equal_nan=True)


# -- glucose -------------------------------------------------------------------------------------------------------
def day_of_glucose(levels, start=MIDNIGHT):
    return glucose(start + FIVE * np.arange(len(levels)), levels)


def test_a_day_of_glucose_worked_out_by_hand():
    """150 readings of 100, 50 of 200, 2 "High" and 2 "Low": 204 in all, 200 of them numbers."""
    readings = Readings.of(day_of_glucose([100.0] * 150 + [200.0] * 50 + ["High"] * 2 + ["Low"] * 2))
    days, columns = daily_glucose(readings, LOCAL.seconds(readings.times))
    assert days.tolist() == [day_number("2024-01-15")]
    got = {name: values[0] for name, values in columns.items()}
    sd = np.sqrt((150 * 25**2 + 50 * 75**2) / 199)
    assert got["mean_glucose_mg_dl"] == pytest.approx(125.0)
    assert got["sd_glucose_mg_dl"] == pytest.approx(sd)
    assert got["cv_glucose_pct"] == pytest.approx(100 * sd / 125)
    assert got["time_in_range_pct"] == pytest.approx(100 * 150 / 204)
    assert got["time_above_range_pct"] == pytest.approx(100 * 52 / 204)
    assert got["time_below_range_pct"] == pytest.approx(100 * 2 / 204)
    assert got["gmi_pct"] == pytest.approx(3.31 + 0.02392 * 125)
    assert got["hyperglycaemia_events_per_day"] == 1


def test_the_edges_of_the_range_belong_to_it():
    readings = Readings.of(day_of_glucose([70.0] * 101 + [180.0] * 101))
    _, columns = daily_glucose(readings, LOCAL.seconds(readings.times))
    assert columns["time_in_range_pct"][0] == 100


@pytest.mark.parametrize(("count", "valid"), [(201, 0), (202, 1)])
def test_a_day_needs_202_readings(count, valid):
    readings = Readings.of(day_of_glucose([100.0] * count))
    days, _ = daily_glucose(readings, LOCAL.seconds(readings.times))
    assert len(days) == valid
    assert person_glucose(readings, LOCAL.seconds(readings.times))["glucose_days"] == valid


def test_a_person_s_glucose_is_that_of_all_readings_of_valid_days():
    """288 readings of 100, 210 of 200, and a day of 10 readings of 400 which is no valid day."""
    second, third = at("2024-01-16 00:00"), at("2024-01-17 00:00")
    times = np.concatenate(
        [MIDNIGHT + FIVE * np.arange(288), second + FIVE * np.arange(210), third + FIVE * np.arange(10)]
    )
    readings = Readings.of(glucose(times, [100.0] * 288 + [200.0] * 210 + [400.0] * 10))
    person = person_glucose(readings, LOCAL.seconds(readings.times))
    assert person["glucose_days"] == 2
    assert person["mean_glucose_mg_dl"] == pytest.approx((288 * 100 + 210 * 200) / 498)
    assert person["hyperglycaemia_events_per_day"] == pytest.approx(1 / 2)


def test_two_different_readings_at_one_second_are_both_left_out():
    times = [MIDNIGHT, MIDNIGHT, MIDNIGHT + FIVE]
    assert Readings.of(glucose(times, [90.0, 140.0, 100.0])).levels.tolist() == [100.0]
    assert Readings.of(glucose(times, ["Low", "High", 100.0])).levels.tolist() == [100.0]


def test_numbers_no_sensor_reports_are_left_out():
    assert len(Readings.of(glucose([MIDNIGHT, MIDNIGHT + FIVE], [5.6, 401.0])).times) == 0


HIGH, IN = 200.0, 120.0


@pytest.mark.parametrize(
    ("levels", "starts"),
    [
        ([HIGH] * 2 + [IN] * 5, []),  # ten minutes are no event
        ([HIGH] * 3 + [IN] * 5, [2]),
        ([HIGH] * 3 + [IN] * 2 + [HIGH] * 3, [2]),  # a dip of ten minutes does not end it
        ([HIGH] * 3 + [IN] * 3 + [HIGH] * 3, [2, 8]),
        ([HIGH] * 3 + [IN] * 3 + [HIGH] * 2 + [IN] * 3, [2]),
        (["High"] * 3, [2]),
        ([180.0] * 9, []),
        ([], []),
    ],
)
def test_events_of_hyperglycaemia(levels, starts):
    readings = Readings.of(day_of_glucose(levels))
    assert np.flatnonzero(event_starts(readings)).tolist() == starts


def test_a_gap_ends_an_event():
    times = np.concatenate([MIDNIGHT + FIVE * np.arange(3), MIDNIGHT + 3600 + FIVE * np.arange(3)])
    assert event_starts(Readings.of(glucose(times, [HIGH] * 6))).sum() == 2
    times[3:] -= 3600 - 2 * FIVE - 900  # 15 minutes after the third reading is no gap
    assert event_starts(Readings.of(glucose(times, [HIGH] * 6))).sum() == 1


@given(st.lists(st.tuples(st.sampled_from([IN, HIGH]), st.sampled_from([300, 300, 300, 1200])), max_size=60))
def test_events_are_those_of_a_walk_through_the_readings(steps):
    times = MIDNIGHT + np.cumsum([gap for _, gap in steps]).astype(np.int64)
    levels = np.array([level for level, _ in steps])
    inside, run, previous, expected = False, 0, None, []
    for i, (level, gap) in enumerate(steps):
        if gap > 900 or i == 0:
            inside, run = False, 0
        elif (level > 180) != previous:
            run = 0
        run, previous = run + 1, level > 180
        if run >= 3 and previous and not inside:
            inside = True
            expected.append(i)
        elif run >= 3 and not previous:
            inside = False
    assert np.flatnonzero(event_starts(Readings(times, levels))).tolist() == expected


# -- sleep ---------------------------------------------------------------------------------------------------------
def night(start="2024-01-15 23:00"):
    """An hour awake, 4 h light, 1.5 h deep, 1.5 h REM: 7 h of sleep in 8 h of bed."""
    t = at(start)
    hours = [(0, 1, "awake"), (1, 5, "light"), (5, 6.5, "deep"), (6.5, 8, "rem")]
    return [(t + int(a * 3600), t + int(b * 3600), stage) for a, b, stage in hours]


EXPECTED_NIGHT = {
    "sleep_hours": 7.0,
    "sleep_efficiency_pct": 100 * 7 / 8,
    "deep_sleep_pct": 100 * 1.5 / 7,
    "rem_sleep_pct": 100 * 1.5 / 7,
    "light_sleep_pct": 100 * 4 / 7,
    "awake_pct": 100 / 8,
}


def one_night(segments):
    days, columns = nightly_sleep(sleep(segments), LOCAL)
    assert len(days) == 1
    return int(days[0]), {name: values[0] for name, values in columns.items()}


def test_a_night_worked_out_by_hand_belongs_to_the_day_it_ends_on():
    day, columns = one_night(night())
    assert day == day_number("2024-01-16")
    assert columns == pytest.approx(EXPECTED_NIGHT)


def test_a_night_twice_is_a_night_once():
    assert one_night([*night(), *night()])[1] == pytest.approx(EXPECTED_NIGHT)


def test_unknown_stages_and_overlaps_count_no_minute_twice():
    t = at("2024-01-15 23:00")
    segments = [*night(), (t + 8 * 3600, t + 8 * 3600 + 600, "unknown"), (t + 4 * 3600, t + 5 * 3600, "rem")]
    assert one_night(segments)[1] == pytest.approx(EXPECTED_NIGHT)


def test_a_nap_is_no_night_and_the_longest_of_two_counts():
    nap = [(at("2024-01-16 14:00"), at("2024-01-16 15:30"), "light")]
    long_nap = [(at("2024-01-16 14:00"), at("2024-01-16 18:30"), "light")]
    assert one_night([*night(), *nap])[1] == pytest.approx(EXPECTED_NIGHT)
    assert one_night([*night(), *long_nap])[1] == pytest.approx(EXPECTED_NIGHT)
    assert len(nightly_sleep(sleep(nap), LOCAL)[0]) == 0


def test_more_than_ninety_minutes_part_two_nights():
    t = at("2024-01-15 20:00")
    first, rest = (t, t + 4 * 3600, "light"), 4 * 3600 + 90 * 60
    joined = [first, (t + rest, t + rest + 4 * 3600, "deep")]
    parted = [first, (t + rest + 1, t + rest + 4 * 3600 + 1, "deep")]
    assert one_night(joined)[1]["sleep_hours"] == 8
    days, columns = nightly_sleep(sleep(parted), LOCAL)  # both end on the 16th: one at midnight, one in the morning
    assert days.tolist() == [day_number("2024-01-16")]
    assert columns["sleep_hours"].tolist() == [4.0]


def test_release_one_knows_hours_of_sleep_and_no_stages():
    t = at("2024-01-15 23:00")
    nights = stream(StreamKind.SLEEP, [t], [6.5], ends=[t + 8 * 3600])
    days, columns = nightly_sleep(nights, LOCAL)
    assert days.tolist() == [day_number("2024-01-16")]
    assert {name: values.tolist() for name, values in columns.items()} == {"sleep_hours": [6.5]}


intervals = st.lists(
    st.tuples(st.integers(0, 500), st.integers(0, 60), st.integers(0, 3)).map(lambda t: (t[0], t[0] + t[1], t[2])),
    min_size=1,
    max_size=30,
)


@given(intervals)
def test_intervals_apart_cover_the_same_seconds_once(segments):
    starts, ends, labels = (np.array(column) for column in zip(*segments, strict=True))
    apart = Intervals.apart(starts.astype(np.int64), ends.astype(np.int64), labels.astype(np.int16))
    covered = [t for a, b in zip(apart.starts, apart.ends, strict=True) for t in range(a, b)]
    assert len(covered) == len(set(covered))
    assert set(covered) == {t for a, b, _ in segments for t in range(a, b)}


# -- wear ----------------------------------------------------------------------------------------------------------
def test_the_first_and_last_day_of_wear_and_days_of_few_hours_are_left_out():
    full = heart(MIDNIGHT, 5)
    assert worn_days({StreamKind.HEART_RATE: full}, LOCAL).tolist() == [
        day_number(d) for d in ("2024-01-16", "2024-01-17", "2024-01-18")
    ]
    assert len(worn_days({StreamKind.HEART_RATE: heart(MIDNIGHT, 5, hours=9)}, LOCAL)) == 0
    assert len(worn_days({StreamKind.HEART_RATE: heart(MIDNIGHT, 5, hours=10)}, LOCAL)) == 3


def test_a_tail_off_the_wrist_is_no_wear():
    worn = heart(MIDNIGHT, 4)
    tail = heart(MIDNIGHT + 4 * DAY, 9, bpm=0.0)
    both = stream(
        StreamKind.HEART_RATE,
        np.concatenate([worn.times, tail.times]),
        np.concatenate([worn.values, tail.values]),
        sentinel=np.concatenate([worn.sentinel, np.ones(len(tail), dtype=bool)]),
    )
    assert (
        worn_days({StreamKind.HEART_RATE: both}, LOCAL).tolist()
        == worn_days({StreamKind.HEART_RATE: worn}, LOCAL).tolist()
    )


def one_worn_day(**streams):
    worn = np.array([day_number("2024-01-15")])
    columns = daily_wear({s.kind: s for s in streams.values()}, worn, LOCAL)
    return {name: values[0] for name, values in columns.items()}


def test_stress_and_heart_rate_leave_sentinels_and_impossible_values_out():
    scores, none = [-1, -2, 20, 40, 0, 101] * 10, [1, 1, 0, 0, 0, 0] * 10
    stress = stream(StreamKind.STRESS, MIDNIGHT + 600 * np.arange(60), scores, sentinel=none)
    t = MIDNIGHT + 60 * np.arange(6)
    beats = stream(StreamKind.HEART_RATE, t, [0, 60, 70, 80, 29, 221], sentinel=[1, 0, 0, 0, 0, 0])
    day = one_worn_day(stress=stress, beats=beats)
    assert day["mean_stress"] == pytest.approx(20.0)
    assert day["mean_heart_rate_bpm"] == pytest.approx(70.0)
    assert day["resting_heart_rate_bpm"] == pytest.approx(61.0)  # 60 + 0.05 x 2 x 10


@pytest.mark.parametrize(("hours", "known"), [(1, False), (9, False), (10, True), (24, True)])
def test_few_hours_of_stress_are_no_day_s_mean(hours, known):
    stress = stream(StreamKind.STRESS, MIDNIGHT + 3600 * np.arange(hours), [90.0] * hours)
    assert one_worn_day(stress=stress)["mean_stress"] == pytest.approx(90.0 if known else np.nan, nan_ok=True)


def test_an_activity_of_more_than_a_day_takes_no_minutes_from_the_others():
    walk = (MIDNIGHT + 3600, MIDNIGHT + 5400, "walking", 70.0)
    alone = one_worn_day(moves=activity([walk]))
    beside = one_worn_day(moves=activity([(MIDNIGHT - 3 * DAY, MIDNIGHT + 2 * DAY, "sedentary", 0.0), walk]))
    assert alone["walking_min_per_day"] == beside["walking_min_per_day"] == 30.0
    assert beside["sedentary_min_per_day"] == 0.0


@pytest.mark.parametrize("stage", ["awake", "unknown"])
def test_stages_without_sleep_are_no_night(stage):
    """Only release 1 writes nights without stages, and without labels."""
    t = MIDNIGHT + np.array([22 * 3600])
    night = stream(StreamKind.SLEEP, t, [6.0], ends=t + 6 * 3600, labels=[0], names=(stage,))
    assert len(nightly_sleep(night, LOCAL)[0]) == 0
    unstaged = stream(StreamKind.SLEEP, t, [6.0], ends=t + 6 * 3600, labels=[0], names=("",))
    assert nightly_sleep(unstaged, LOCAL)[1]["sleep_hours"].tolist() == [6.0]


def test_breathing_is_the_mean_of_what_is_possible():
    t = MIDNIGHT + 60 * np.arange(4)
    breaths = stream(StreamKind.RESPIRATORY_RATE, t, [-1, 12, 16, 45], sentinel=[1, 0, 0, 0])
    oxygen = stream(StreamKind.OXYGEN_SATURATION, t, [np.nan, 94, 96, 60])
    day = one_worn_day(breaths=breaths, oxygen=oxygen)
    assert (day["respiration_rate_bpm"], day["oxygen_saturation_pct"]) == (14, 95)


def test_calories_are_the_greatest_of_the_interleaved_running_totals():
    t = MIDNIGHT + 3600 * np.arange(6)
    day = one_worn_day(calories=stream(StreamKind.CALORIES, t, [5, 20, 10, 60, 15, 61]))
    assert day["active_calories_kcal"] == 61


def test_minutes_by_activity_are_parted_at_midnight_and_codes_are_summed():
    before = at("2024-01-14 23:50")
    noon = at("2024-01-15 12:00")
    moves = activity(
        [
            (before, before + 1200, "walking", 70),  # 10 of its 20 minutes lie on the 15th
            (noon, noon, "walking", 70),  # takes no time, and its code counts
            (noon, noon + 60, "running", 33),
            (noon + 60, noon + 660, "generic", 64),
            (noon + 660, noon + 4260, "sedentary", 0),
            (noon + 4260, noon + 4320, "", np.nan),
        ]
    )
    day = one_worn_day(moves=moves)
    assert day["walking_min_per_day"] == 10
    assert day["running_min_per_day"] == 1
    assert day["generic_activity_min_per_day"] == 10
    assert day["sedentary_min_per_day"] == 60
    assert day["movement_code_sum_per_day"] == 70 + 33 + 64


# -- a person ------------------------------------------------------------------------------------------------------
def everything():
    t = MIDNIGHT + 60 * np.arange(5 * 1440)
    nights = [segment for d in range(15, 19) for segment in night(f"2024-01-{d} 23:00")]
    return {
        StreamKind.HEART_RATE: heart(MIDNIGHT, 5, bpm=66.0),
        StreamKind.STRESS: stream(StreamKind.STRESS, t, np.repeat([90.0, 20.0, 30.0, 40.0, 90.0], 1440)),
        StreamKind.SLEEP: sleep(nights),
        StreamKind.GLUCOSE: day_of_glucose([120.0] * (3 * 288)),
    }


def test_a_person_is_the_mean_of_their_days():
    streams = everything()
    days = daily_features(streams, LOCAL)
    person = person_features(streams, days, LOCAL)
    assert person["mean_stress"] == 30  # the first and last day of wear are left out
    assert (person["wear_days"], person["sleep_nights"], person["glucose_days"]) == (3, 4, 3)
    assert person["sleep_hours"] == pytest.approx(7)
    assert person["mean_glucose_mg_dl"] == 120
    assert person["cv_glucose_pct"] == 0
    assert np.isnan(person["walking_min_per_day"])
    assert days.days.tolist() == [day_number(f"2024-01-{d}") for d in range(15, 20)]
    assert days.columns["mean_stress"][1:4].tolist() == [20, 30, 40]
    assert np.isnan(days.columns["mean_stress"][[0, 4]]).all()
    assert days.glucose.tolist() == [True, True, True, False, False]
    assert days.slept.tolist() == [False, True, True, True, True]


@pytest.mark.parametrize("missing", list(everything()))
def test_a_missing_stream_leaves_its_features_empty_and_the_others_alone(missing):
    whole = everything()
    streams = {kind: s for kind, s in whole.items() if kind != missing}
    full = person_features(whole, daily_features(whole, LOCAL), LOCAL)
    person = person_features(streams, daily_features(streams, LOCAL), LOCAL)
    sources = {
        StreamKind.GLUCOSE: ("glucose",),
        StreamKind.SLEEP: ("sleep",),
        StreamKind.STRESS: ("stress",),
        StreamKind.HEART_RATE: ("heart", "stress", "breath", "activity"),  # without it nobody knows what was worn
    }[missing]
    for name, value in person.items():
        if BY_NAME[name].source in sources:
            assert np.isnan(value) or value == 0, name
        else:
            assert value == pytest.approx(full[name], nan_ok=True), name


def test_no_stream_at_all_is_a_person_of_whom_nothing_is_known():
    person = person_features({}, daily_features({}, LOCAL), LOCAL)
    assert set(person) == {c.name for c in COLUMNS if c.source not in ("participants", "clinical")}
    assert all(np.isnan(person[name]) for name in OF_DAYS)
    assert (person["glucose_days"], person["wear_days"], person["sleep_nights"]) == (0, 0, 0)


def test_an_empty_stream_is_like_a_missing_one():
    empty = {kind: stream(kind, []) for kind in StreamKind}
    person = person_features(empty, daily_features(empty, LOCAL), LOCAL)
    assert all(np.isnan(person[name]) for name in OF_DAYS)


def test_columns_have_a_name_a_unit_and_a_definition():
    assert all(c.definition and (c.unit or c.name == "study_group") for c in COLUMNS)
    assert len(BY_NAME) == len(COLUMNS)
