"""Every quirk of the release, put into synthetic raw files: the features are unharmed, or nearly so where something real
is lost, or the person is excluded and the reason is given."""

import numpy as np
import pytest

from sensecf_bench.datasets.aireadi.catalogue import STUDY_GROUPS
from sensecf_bench.datasets.aireadi.cohort import make_cohort
from sensecf_bench.datasets.aireadi.cohort.implied import implied_features
from sensecf_bench.datasets.aireadi.collecting import collect
from sensecf_bench.datasets.aireadi.task import LABEL, SCHEMA, eligibility
from sensecf_bench.datasets.aireadi.writing.injection import QUIRKS, Injected, resolve
from sensecf_bench.datasets.aireadi.writing.release import write_release

SEED, PEOPLE, DAYS = 5, 2, 4  # two people who have everything; quirks hit the first
AFFECTED, SPARED = 0, 1

# What the reader counts when it meets the quirk: stream and name, and how often at least.
COUNTED = {
    "more-sentinels": ("stress", "sentinel", 100),
    "long-tail": ("stress", "sentinel", 14 * 1440),
    "dead-sensor": ("heart_rate", "dead_stream", 1),
    "dead-stress": ("stress", "dead_stream", 1),
    "dead-breath": ("respiratory_rate", "dead_stream", 1),
    "duplicate-blocks": ("heart_rate", "exact_duplicate", 100),
    "unsorted": ("continuous_glucose_monitoring", "unsorted", 1),
    "nan-oxygen": ("oxygen_saturation", "nan_value", 50),
    "zero-oxygen": ("oxygen_saturation", "sentinel", 50),
    "nan-breath": ("respiratory_rate", "nan_value", 100),
    "blank-activity": ("physical_activity", "blank_value", 50),
    "zero-length": ("physical_activity", "zero_length_interval", 50),
    "duplicate-nights": ("sleep", "exact_duplicate", 20),
    "overlapping-nights": ("sleep", "overlapping_interval", 10),
    "night-holes": ("sleep", "unknown_label", 1),
    "unknown-stages": ("sleep", "unknown_label", 3),
    "empty-sleep": ("sleep", "empty_stream", 1),
    "low-high": ("continuous_glucose_monitoring", "low_reading", 3),
    "dst-duplicate": ("continuous_glucose_monitoring", "conflicting_time", 10),
    "null-header": ("heart_rate", "null_header", 1),
    "survey-sentinels": ("clinical", "observation.paidscore: not answered", 1),
}
REASONS = {
    "dead-sensor": "fewer than 3 wear days",
    "empty-sleep": "fewer than 3 sleep nights",
    "sparse-glucose": "fewer than 3 glucose days",
    "missing-stress": "no mean_stress",
    "dead-stress": "no mean_stress",
    "dead-breath": "no respiration_rate_bpm",
    "missing-breath": "no respiration_rate_bpm",
    "missing-calories": "no active_calories_kcal",
    "survey-sentinels": "no paid5_score",
}
GLUCOSE = {
    "mean_glucose_mg_dl": 2.0, "sd_glucose_mg_dl": 2.0, "cv_glucose_pct": 2.0, "gmi_pct": 0.05, "time_in_range_pct": 1.0,
    "time_above_range_pct": 1.0, "time_below_range_pct": 0.5, "hyperglycaemia_events_per_day": 0.4,
}  # fmt: skip
AN_HOUR = GLUCOSE | {
    "mean_stress": 1.0, "mean_heart_rate_bpm": 0.5, "respiration_rate_bpm": 0.1, "oxygen_saturation_pct": 0.5,
    "sleep_hours": 0.26, "sleep_efficiency_pct": 3.0, "awake_pct": 3.0, "deep_sleep_pct": 4.0, "rem_sleep_pct": 4.0,
    "light_sleep_pct": 4.0, "sedentary_min_per_day": 21.0,
}  # fmt: skip
SLEEP = ("sleep_efficiency_pct", "awake_pct", "deep_sleep_pct", "rem_sleep_pct", "light_sleep_pct")
# How far features may be from those without the quirk, where something real is lost; all others must be equal.
BOUNDS = {
    "last-stage-dropped": {"sleep_efficiency_pct": 4.0, "awake_pct": 4.0},
    "overlapping-nights": {"sleep_hours": 0.09, **dict.fromkeys(SLEEP, 1.5)},  # five minutes every second night
    "night-holes": {"sleep_hours": 0.7, **dict.fromkeys(SLEEP, 5.0)},  # a stage of each night
    "low-high": GLUCOSE,
    "dst-duplicate": AN_HOUR,
    "dst-gap": AN_HOUR,
}
LOST = {"missing-oxygen": {"oxygen_saturation_pct"}}  # no feature of the task


@pytest.fixture(scope="module")
def cohort():
    return make_cohort(PEOPLE, SEED, DAYS)


@pytest.fixture(scope="module")
def plain(cohort, tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    written = write_release(cohort, folder, 3)
    return written.root, collect(folder, None)


@pytest.fixture(scope="module", params=list(QUIRKS))
def quirky(request, cohort, tmp_path_factory):
    """The quirk's name, what was written, and what was read of it."""
    folder = tmp_path_factory.mktemp(request.param)
    written = write_release(cohort, folder, 3, [request.param])
    return request.param, written, collect(folder, None)


def features(read, person):
    return read.people.iloc[person].drop(["study_group", "recommended_split"]).astype(float)


def judged(read):
    columns = {name: read.people[name].to_numpy() for name in read.people.columns}
    return eligibility(columns)


def contents(root):
    """The bytes of everything under a root by its path, but for folders inside a folder of their own name."""
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_the_plain_release_has_two_people_who_can_be_used(cohort, plain):
    assert judged(plain[1]).eligible.all()
    assert eligibility(implied_features(cohort)).eligible.all()


def test_the_quirk_changes_what_is_written(plain, quirky):
    name, written, _ = quirky
    before, after = contents(plain[0]), contents(written.root)
    assert before != after
    if not QUIRKS[name].whole_release:
        others = [path for path in before if f"/{written.injected[name][0]}/" not in path and path.count("/") > 2]
        assert others
        assert all(before[path] == after[path] for path in others)


def test_the_reader_meets_the_quirk(quirky):
    name, _, read = quirky
    if name in COUNTED:
        stream, quirk, least = COUNTED[name]
        assert read.quirks[stream][quirk] >= least


def test_features_are_unharmed_or_the_person_is_excluded(plain, quirky):
    name, _, read = quirky
    after = judged(read)
    if QUIRKS[name].effect == "excludes":
        assert not after.eligible[AFFECTED]
        assert after.of(AFFECTED) == (REASONS[name],)
        return
    assert after.eligible[AFFECTED]
    wanted, found = features(plain[1], AFFECTED), features(read, AFFECTED)
    for column in wanted.index:
        if column in LOST.get(name, ()):
            assert np.isnan(found[column])
            assert column not in SCHEMA.names
            continue
        assert found[column] == pytest.approx(wanted[column], abs=BOUNDS.get(name, {}).get(column, 1e-9)), column


def test_a_bounded_quirk_does_change_features(plain, quirky):
    name, _, read = quirky
    if QUIRKS[name].effect == "bounded":
        assert not np.allclose(features(plain[1], AFFECTED), features(read, AFFECTED), rtol=0, atol=1e-9)


def test_others_are_as_they_were(plain, quirky):
    _, _, read = quirky
    np.testing.assert_array_equal(features(plain[1], SPARED), features(read, SPARED))


def test_groups_are_as_they_were(plain, quirky):
    _, _, read = quirky
    assert read.people["study_group"].tolist() == plain[1].people["study_group"].tolist()


def test_the_other_name_of_a_group_is_read_as_its_usual_one(tmp_path):
    cohort = make_cohort(2, seed=2, days=2)
    assert 3 in cohort.people.group
    written = write_release(cohort, tmp_path, 3, ["insulin-alias"])
    assert "\tinsulin_controlled\t" in (written.root / "participants.tsv").read_text()
    assert collect(tmp_path, None).people["study_group"].tolist() == [STUDY_GROUPS[g] for g in cohort.people.group]


def test_only_mixed_releases_are_a_problem(quirky):
    name, _, read = quirky
    assert bool(read.problems) == (name == "mixed-release"), read.problems
    assert all("releases must not be mixed" in problem for problem in read.problems)


def test_every_quirk_has_its_test():
    assert set(REASONS) == {name for name, quirk in QUIRKS.items() if quirk.effect == "excludes"}
    assert set(BOUNDS) == {name for name, quirk in QUIRKS.items() if quirk.effect == "bounded"}
    assert set(COUNTED) | set(LOST) | set(BOUNDS) <= set(QUIRKS)


# -- all at once -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("release", [1, 2, 3])
def test_all_quirks_at_once_leave_people_who_can_be_used(tmp_path, release):
    cohort = make_cohort(14, seed=2, days=4)
    written = write_release(cohort, tmp_path, release, ["all"])
    assert set(written.injected) == set(QUIRKS)
    missed = {name for name, people in written.injected.items() if not people}
    assert all(QUIRKS[name].effect == "excludes" for name in missed)  # few people: not every one of these finds one
    assert any(QUIRKS[name].effect == "excludes" for name in set(QUIRKS) - missed)
    read = collect(tmp_path, None)
    frame = read.people
    stress, implied = frame[LABEL].to_numpy(), implied_features(cohort)[LABEL]
    usable = np.isfinite(stress)
    assert usable.sum() >= 5
    np.testing.assert_allclose(stress[usable], implied[usable], atol=1.0)
    if release > 1:
        assert judged(read).eligible.sum() >= 3


def test_of_several_quirks_those_that_exclude_share_a_quarter_of_the_people():
    cohort = make_cohort(80)
    injected = Injected(["all"], cohort)
    excluded = {i for name in injected.names if QUIRKS[name].effect == "excludes" for i in injected.of(name)}
    others = {
        i for name in injected.names
        if QUIRKS[name].effect != "excludes" and not QUIRKS[name].whole_release for i in injected.of(name)
    }  # fmt: skip
    assert excluded
    assert not excluded & others
    assert all(injected.of(name) for name in injected.names)


def test_quirks_are_applied_in_one_order_however_they_are_asked_for():
    assert resolve(["unsorted", "low-high"]) == resolve(["low-high", "unsorted", "low-high"])
    assert resolve(["all", "low-high"]) == tuple(QUIRKS)
