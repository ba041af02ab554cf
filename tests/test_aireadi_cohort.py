"""The synthetic cohort: one seed one cohort, calibrated, minutes that add up to days, and a task that can be learnt."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from sensecf_bench.classifiers import GradientBoosting, NeuralNetwork, RandomForest, SupportVectorMachine
from sensecf_bench.datasets.aireadi.cohort import make_cohort
from sensecf_bench.datasets.aireadi.cohort.calibration import SIZE, TARGETS, measured
from sensecf_bench.datasets.aireadi.cohort.draws import integers_with_sum
from sensecf_bench.datasets.aireadi.cohort.implied import hyperglycaemia_starts, implied_features, worn_days
from sensecf_bench.datasets.aireadi.cohort.minutes import record
from sensecf_bench.datasets.aireadi.cohort.people import CLOCK_CHANGES
from sensecf_bench.datasets.aireadi.cohort.recording import ACTIVITIES, STAGES
from sensecf_bench.datasets.aireadi.glycaemia import Readings, event_starts
from sensecf_bench.datasets.aireadi.synthetic import STUDY_SIZE, SyntheticAireadi
from sensecf_bench.datasets.aireadi.task import LABEL, SCHEMA, eligibility

DAY = 86_400
PEOPLE = 12


@pytest.fixture(scope="module")
def cohort():
    return make_cohort(PEOPLE, seed=3, days=5)


@pytest.fixture(scope="module")
def table():
    return SyntheticAireadi().load()


# -- one seed, one cohort -----------------------------------------------------------------------------------------------
def test_a_person_is_the_same_in_a_cohort_of_any_size(cohort):
    larger = implied_features(make_cohort(3 * PEOPLE, seed=3, days=5))
    for name, column in implied_features(cohort).items():
        np.testing.assert_array_equal(column, larger[name][:PEOPLE], err_msg=name)


def test_another_seed_is_another_cohort(cohort):
    other = make_cohort(PEOPLE, seed=4, days=5)
    assert not np.array_equal(cohort.readings, other.readings)
    assert not np.array_equal(cohort.people.bmi, other.people.bmi)


def test_minutes_are_the_same_each_time(cohort):
    one, other = record(cohort, 1), record(cohort, 1)
    np.testing.assert_array_equal(one.stress.values, other.stress.values)
    np.testing.assert_array_equal(one.sleep.starts, other.sleep.starts)


def test_nobody_wears_the_watch_over_a_change_of_clocks():
    visit = make_cohort(2000).people.visit
    for change in CLOCK_CHANGES:
        assert not ((visit <= change) & (change <= visit + 10)).any()


# -- calibration ----------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def figures():
    return measured(make_cohort(SIZE))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.what)
def test_the_cohort_has_the_published_aggregates(figures, target):
    assert figures[target.what] == pytest.approx(target.published, abs=target.tolerance)


def test_the_page_about_the_model_is_up_to_date():
    docs = Path(__file__).parent.parent / "docs"
    spec = importlib.util.spec_from_file_location("make_aireadi_synthetic", docs / "make_aireadi_synthetic.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (docs / "aireadi-synthetic.md").read_text() == module.page()


# -- minutes add up to days -------------------------------------------------------------------------------------------------
def complete(cohort):
    here = cohort.people.presence
    return np.flatnonzero(here.garmin & here.glucose & here.optical & here.oxygen)


def by_day(times, values, days):
    return np.bincount(times // DAY, weights=values, minlength=days)[:days]


def test_minutes_add_up_to_days(cohort):
    days, rows = cohort.days, cohort.wear.days + 1
    for i in complete(cohort):
        recording = record(cohort, i)
        for stream, count, total, scale in (
            (recording.stress, days.stress_count, days.stress_sum, 1),
            (recording.heart_rate, days.heart_count, days.heart_sum, 1),
            (recording.respiratory_rate, days.breath_count, days.breath_sum, 100),
        ):
            good = stream.values > 0
            times, values = stream.times[good], stream.values[good]
            np.testing.assert_array_equal(by_day(times, np.ones(len(times)), rows), count[i])
            np.testing.assert_allclose(by_day(times, scale * values, rows), total[i], rtol=1e-12)
        oxygen = recording.oxygen_saturation
        known = ~np.isnan(oxygen.values)
        np.testing.assert_array_equal(by_day(oxygen.times[known], oxygen.values[known], rows)[1:], days.oxygen_sum[i])
        top = np.zeros(rows)
        np.maximum.at(top, recording.physical_activity_calorie.times // DAY, recording.physical_activity_calorie.values)
        np.testing.assert_array_equal(top, days.calories[i])


def test_the_lowest_heart_rates_of_a_day_are_the_resting_rate(cohort):
    for i in complete(cohort):
        heart = record(cohort, i).heart_rate
        for day in np.flatnonzero(worn_days(cohort)[i]):
            rates = heart.values[(heart.times // DAY == day) & (heart.values > 0)]
            assert np.percentile(rates, 5) == cohort.days.resting[i, day] == rates.min()


def test_activities_last_as_long_as_the_days_say_and_have_their_codes(cohort):
    days = cohort.days
    for i in complete(cohort):
        spans = record(cohort, i).physical_activity
        assert (spans.starts[2:] == spans.ends[1:-1]).all()  # one after the other without a gap
        minutes = (spans.ends - spans.starts) / 60
        worn = worn_days(cohort)[i]
        for name, amount in (
            ("walking", days.walking.sum(axis=2)), ("generic", days.generic.sum(axis=2)), ("running", days.running)
        ):  # fmt: skip
            chosen = spans.names == ACTIVITIES.index(name)
            np.testing.assert_array_equal(
                by_day(spans.starts[chosen], minutes[chosen], len(worn))[worn], amount[i][worn]
            )
        codes = by_day(spans.starts, spans.values, len(worn))
        np.testing.assert_array_equal(codes[worn], days.code_sum[i][worn])


def test_stages_last_as_long_as_the_nights_say(cohort):
    nights = cohort.nights
    for i in complete(cohort):
        sleep = record(cohort, i).sleep
        minutes = (sleep.ends - sleep.starts) / 60
        for name in ("deep", "rem", "light", "awake"):
            chosen = sleep.names == STAGES.index(name)
            assert minutes[chosen].sum() == getattr(nights, name)[i][nights.recorded[i]].sum()
        between = np.sort(np.concatenate([sleep.starts[1:] - sleep.ends[:-1]]))
        assert (between[between > 0] > 5 * 3600).all()


def test_glucose_keeps_to_its_usual_level_and_to_the_kept_readings(cohort):
    inside = (cohort.readings.min(axis=1) > 40) & (cohort.readings.max(axis=1) < 400)
    assert inside.sum() > PEOPLE // 2
    np.testing.assert_allclose(cohort.readings.mean(axis=1)[inside], cohort.people.usual_glucose[inside], atol=0.1)
    for i in complete(cohort):
        trace = record(cohort, i).continuous_glucose_monitoring
        assert len(trace) == cohort.wear.readings[i].sum()
        assert (np.diff(trace.times) % 300 == 0).all()


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_whole_numbers_have_the_sum_that_is_asked_for(data):
    rows, columns = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 30))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    present = rng.random((rows, columns)) < 0.7
    low = rng.integers(0, 40, rows)
    totals = np.array([rng.integers(low[r] * n, 100 * n + 1) for r, n in enumerate(present.sum(axis=1))])
    pattern = rng.normal(50, data.draw(st.floats(0, 500)), (rows, columns))
    whole = integers_with_sum(pattern, totals, low, 100, present)
    assert (np.where(present, whole, 0).sum(axis=1) == totals).all()
    assert (whole[present] <= 100).all()
    assert (whole >= low[:, None])[present].all()


def test_a_sum_out_of_reach_is_refused():
    with pytest.raises(ValueError, match="out of reach"):
        integers_with_sum(np.zeros((1, 3)), np.array([400]), 1, 100, np.ones((1, 3), dtype=bool))


# -- events, counted twice over ------------------------------------------------------------------------------------------------
@given(
    st.lists(st.tuples(st.sampled_from([100, 180, 181, 250]), st.booleans()), min_size=1, max_size=60),
)
@settings(max_examples=200, deadline=None)
def test_events_are_those_that_the_reader_finds(trace):
    level = np.array([[value for value, _ in trace]], dtype=np.int16)
    kept = np.array([[here for _, here in trace]])
    times = 300 * np.flatnonzero(kept[0])
    reader = event_starts(Readings(times, level[kept].astype(float)))
    np.testing.assert_array_equal(hyperglycaemia_starts(level, kept)[kept], reader)


def test_an_event_by_hand():
    level = np.array([[190, 190, 190, 170, 190, 170, 170, 170, 190, 190, 190, 190]], dtype=np.int16)
    starts = hyperglycaemia_starts(level, np.ones(level.shape, dtype=bool))
    assert np.flatnonzero(starts[0]).tolist() == [2, 10]


# -- the table -------------------------------------------------------------------------------------------------------------
def test_the_table_has_as_many_people_as_the_study(table):
    assert len(table.frame) == STUDY_SIZE
    assert tuple(table.frame.columns) == SCHEMA.names
    assert LABEL not in SCHEMA.names
    assert "synthetic" in table.source
    assert all(name.startswith("synthetic-") for name in table.ids)


def test_the_table_may_be_passed_on():
    assert SyntheticAireadi().restricted() == ""


def test_everybody_in_the_table_has_what_the_task_asks_for(table):
    SCHEMA.encode(table.frame)
    judged = eligibility(implied_features(make_cohort(SIZE)))
    assert 0.75 < judged.eligible.mean() < 0.9
    assert judged.counts()["fewer than 3 wear days"] > 100


def test_a_smaller_table_is_the_beginning_of_the_larger_one(table):
    small = SyntheticAireadi(SyntheticAireadi.Options(participants=100)).load()
    assert small.frame.equals(table.frame.iloc[:100])


def test_the_threshold_moves_the_label(table):
    train = np.arange(len(table.ids))
    low, high = (
        SyntheticAireadi(SyntheticAireadi.Options(threshold=t)).labels(table, train).mean() for t in (20.0, 32.0)
    )
    assert low > 0.6 > 0.4 > high


ADVICE = (
    {"mean_glucose_mg_dl": -30.0},
    {"deep_sleep_pct": 5.0},
    {"rem_sleep_pct": 5.0},
    {"walking_min_per_day": 20.0, "active_calories_kcal": 85.0},  # one comes with the other
)
FAMILIES = (SupportVectorMachine, RandomForest, GradientBoosting, NeuralNetwork)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_classifiers_learn_the_task_and_believe_in_the_advice(table, family, seed):
    """The study's worked example: less glucose, more deep and REM sleep, more activity mean less stress."""
    dataset = SyntheticAireadi()
    rows, names = table.schema.encode(table.frame), table.schema.names
    split = dataset.split(table, seed)
    labels = dataset.labels(table, split.train)
    model = family()
    model.fit(table.schema, rows[split.train], labels[split.train], seed)
    before = model.predict_proba(rows)[:, 1]
    assert 0.75 < roc_auc_score(labels[split.test], before[split.test]) < 0.9
    low, high = table.schema.hard_bounds
    together = rows.copy()
    for advice in ADVICE:
        alone = rows.copy()
        for name, by in advice.items():
            alone[:, names.index(name)] += by
            together[:, names.index(name)] += by
        assert (model.predict_proba(np.clip(alone, low, high))[:, 1] - before).mean() < 0, advice
    assert (model.predict_proba(np.clip(together, low, high))[:, 1] - before).mean() < -0.05


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_worked_example_of_the_study_goes_in_its_direction(table, family):
    """A high-stress person with glucose 210.8 mg/dL, 30.1 % deep and 15.4 % REM sleep and little activity; advised: 180
    mg/dL, 35 % and 20 %. Here for every person with high stress and diabetes, with these values in place of their own."""
    dataset = SyntheticAireadi()
    rows, names = table.schema.encode(table.frame), table.schema.names
    split = dataset.split(table, 0)
    labels = dataset.labels(table, split.train)
    model = family()
    model.fit(table.schema, rows[split.train], labels[split.train], 0)
    walking, group = names.index("walking_min_per_day"), names.index("study_group")
    people = rows[(labels == 1) & (rows[:, group] >= 2)].copy()
    columns = [names.index(name) for name in ("mean_glucose_mg_dl", "deep_sleep_pct", "rem_sleep_pct")]
    people[:, walking] = np.quantile(rows[:, walking], 0.1)
    people[:, columns] = (210.8, 30.1, 15.4)
    before = model.predict_proba(people)[:, 1].mean()
    people[:, columns] = (180.0, 35.0, 20.0)
    assert model.predict_proba(people)[:, 1].mean() < before - 0.05
