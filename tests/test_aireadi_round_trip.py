"""Features read back from the raw files of a synthetic cohort are those that the model implies."""

import numpy as np
import pytest

from sensecf_bench import api
from sensecf_bench.datasets.aireadi.catalogue import BY_NAME, COLUMNS
from sensecf_bench.datasets.aireadi.cohort import make_cohort
from sensecf_bench.datasets.aireadi.cohort.implied import implied_features
from sensecf_bench.datasets.aireadi.collecting import SPLIT, collect
from sensecf_bench.datasets.aireadi.dataset import Aireadi
from sensecf_bench.datasets.aireadi.synthetic import eligible_people
from sensecf_bench.datasets.aireadi.task import SCHEMA
from sensecf_bench.datasets.aireadi.writing.release import write_release

PEOPLE, DAYS = 8, 4
STAGES = ("sleep_efficiency_pct", "deep_sleep_pct", "rem_sleep_pct", "light_sleep_pct", "awake_pct")
HALF_A_HUNDREDTH_OF_AN_HOUR = 0.005  # as precisely as release 1 writes a night


@pytest.fixture(scope="module", params=[1, 2, 3])
def trip(request, tmp_path_factory):
    """The release, its cohort, what was read, and where it lies."""
    cohort = make_cohort(PEOPLE, seed=11, days=DAYS)
    folder = tmp_path_factory.mktemp("trip")
    write_release(cohort, folder, request.param)
    return request.param, cohort, collect(folder, None), folder


@pytest.mark.parametrize("name", [column.name for column in COLUMNS])
def test_a_feature_read_back_is_the_one_that_the_model_implies(trip, name):
    release, cohort, read, _ = trip
    implied = implied_features(cohort)[name]
    found = read.people.loc[[str(person) for person in cohort.people.ids], name].to_numpy()
    if name == "study_group":
        assert found.tolist() == implied.tolist()
        return
    if release == 1 and name in STAGES:
        assert np.isnan(found.astype(float)).all()
        return
    assert np.isfinite(implied).sum() >= PEOPLE // 2  # or nothing would be compared
    slack = HALF_A_HUNDREDTH_OF_AN_HOUR if (release, name) == (1, "sleep_hours") else 1e-9
    np.testing.assert_allclose(found.astype(float), implied, rtol=0, atol=slack, err_msg=BY_NAME[name].definition)


def test_nothing_is_wrong_with_what_was_written(trip):
    release, cohort, read, _ = trip
    assert read.problems == ()
    assert read.release.number == release
    assert list(read.people[SPLIT]) == [("train", "val", "test")[part] for part in cohort.people.split]


def test_quirks_that_every_recording_has_are_met(trip):
    _, _, read, _ = trip
    assert read.quirks["stress"]["sentinel"] > 1000
    assert read.quirks["oxygen_saturation"]["nan_value"] > 10
    assert read.quirks["physical_activity"]["zero_length_interval"] >= PEOPLE - 2


def test_raw_files_of_the_cohort_may_be_passed_on(trip):
    _, _, _, folder = trip
    assert Aireadi(Aireadi.Options(path=folder)).restricted() == ""


@pytest.mark.slow
@pytest.mark.parametrize("release", [1, 2, 3])
def test_a_release_runs_through_the_benchmark(tmp_path, release):
    """Write, read, run; the table is the one that `aireadi-synthetic` has of the same people."""
    cohort = make_cohort(60, seed=0, days=4)
    write_release(cohort, tmp_path / "raw", release)
    config = api.RunConfig(
        datasets=("aireadi",),
        classifiers=("random-forest",),
        generators=("identity", "random-opposite", "nearest-opposite"),
        queries=5,
        resamples=100,
        augmentation="off",
        options={"aireadi": {"path": str(tmp_path / "raw"), "cache": str(tmp_path / "cache")}},
    )
    run = api.run(config, tmp_path / "run")
    assert run.failed == []
    assert {row["dataset"] for row in run.document["rows"]} == {"aireadi-synthetic-files"}


def test_the_table_has_the_columns_of_the_task():
    frame = eligible_people(60, 0)
    assert set(SCHEMA.names) <= set(frame.columns)
    assert frame[list(SCHEMA.names)].notna().all().all()
