"""The dataset `aireadi`: who is in it, how it is split, what it says, and what it refuses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from aireadi_release import Somebody, crowd, glucose_file, path_of, write_json, write_release
from pydantic import ValidationError

from sensecf_bench import api
from sensecf_bench.datasets.aireadi.catalogue import COLUMNS
from sensecf_bench.datasets.aireadi.collecting import collect
from sensecf_bench.datasets.aireadi.dataset import Aireadi
from sensecf_bench.datasets.aireadi.task import (
    CONSTRAINTS,
    COUNTS,
    FEATURES,
    LABEL,
    SCHEMA,
    eligibility,
    high_stress,
    narrowed,
)
from sensecf_bench.engine.config import RunConfig
from sensecf_bench.engine.context import prepare_data
from sensecf_bench.errors import DataError, SchemaError
from sensecf_bench.reports.publish import build

PEOPLE = 12


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return write_release(tmp_path_factory.mktemp("aireadi") / "dataset", crowd(PEOPLE))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def aireadi(release, cache):
    def made(path=release, **options):
        return Aireadi(Aireadi.Options(path=path, cache=cache, **options))

    return made


# -- the task ------------------------------------------------------------------------------------------------------
def columns(n=3, **others):
    """`n` people in the middle of everything, but for the columns given."""
    low, high = SCHEMA.hard_bounds
    middle = {f.name: np.full(n, (low[j] + high[j]) // 2) for j, f in enumerate(FEATURES) if f.is_numeric}
    group = {"study_group": np.array(["healthy"] * n, dtype=object)}
    days = {count: np.full(n, 10.0) for count in COUNTS}
    return middle | group | days | {LABEL: np.full(n, 30.0)} | {k: np.asarray(v) for k, v in others.items()}


def test_stress_is_high_from_the_threshold_on():
    assert high_stress(np.array([25.99, 26.0, 40.0])).tolist() == [0, 1, 1]
    assert high_stress(np.array([25.99, 26.0, 40.0]), 40).tolist() == [0, 0, 1]


def test_the_label_and_what_follows_from_other_columns_are_no_features():
    twins = {
        "time_in_range_pct",
        "sd_glucose_mg_dl",
        "gmi_pct",
        "light_sleep_pct",
        "awake_pct",
        "sedentary_min_per_day",
    }
    assert not set(SCHEMA.names) & (twins | {LABEL, *COUNTS})
    assert set(SCHEMA.names) <= {c.name for c in COLUMNS}


def test_what_may_change_is_glucose_sleep_and_activity():
    assert {f.group for f in FEATURES if f.mutable} == {"glucose", "sleep", "activity"}
    assert all(f.mutable for f in FEATURES if f.group in ("glucose", "sleep", "activity"))


def test_deep_and_rem_sleep_cannot_be_more_than_sleep():
    row = np.array([[(f.bounds[0] or 0) if f.is_numeric else 0 for f in FEATURES]], dtype=float)
    deep, rem = SCHEMA.names.index("deep_sleep_pct"), SCHEMA.names.index("rem_sleep_pct")
    row[0, deep], row[0, rem] = 60, 40
    assert SCHEMA.keeps(row).all()
    row[0, rem] = 41
    assert not SCHEMA.keeps(row).any()


def test_a_schema_without_a_feature_lacks_its_constraints_too():
    schema = narrowed({"deep_sleep_pct"})
    assert len(schema) == len(SCHEMA) - 1
    assert len(schema.constraints) == len(CONSTRAINTS) - 1


def test_everybody_complete_is_eligible():
    judged = eligibility(columns())
    assert judged.eligible.all() and not judged.counts()


@pytest.mark.parametrize(
    ("column", "values", "reason"),
    [
        ("hba1c_pct", [5.0, np.nan, 6.0], "no hba1c_pct"),
        ("hba1c_pct", [5.0, 25.0, 6.0], "hba1c_pct outside [3, 20]"),
        ("study_group", np.array(["healthy", "", "healthy"], dtype=object), "no study_group"),
        ("study_group", np.array(["healthy", "wealthy", "healthy"], dtype=object), "no study_group"),
        ("mean_stress", [30.0, np.nan, 30.0], "no mean_stress"),
        ("glucose_days", [3, 2, 3], "fewer than 3 glucose days"),
        ("wear_days", [3, 0, 3], "fewer than 3 wear days"),
        ("sleep_nights", [3, 0, 3], "fewer than 3 sleep nights"),
    ],
)
def test_whoever_is_left_out_is_left_out_for_a_reason(column, values, reason):
    judged = eligibility(columns(**{column: values}))
    assert judged.eligible.tolist() == [True, False, True]
    assert judged.of(1) == (reason,) and judged.of(0) == ()
    assert judged.counts() == {reason: 1}


def test_one_missing_stream_is_one_reason():
    nobody = np.array([1.0, np.nan, 1.0])
    gone = {f.name: nobody + 50 for f in FEATURES if f.group == "glucose"} | {"glucose_days": [9, 0, 9]}
    assert eligibility(columns(**gone)).of(1) == ("fewer than 3 glucose days",)


def test_days_of_glucose_are_not_asked_for_without_features_of_glucose():
    left_out = {f.name for f in FEATURES if f.group == "glucose"}
    judged = eligibility(columns(glucose_days=[0, 0, 0]), schema=narrowed(left_out))
    assert judged.eligible.all()


# -- the table -----------------------------------------------------------------------------------------------------
def test_people_become_rows(aireadi):
    data = prepare_data(aireadi(), seed=0)
    table = data.table
    assert table.schema.names == SCHEMA.names and data.matrix.shape == (PEOPLE, len(SCHEMA))
    assert set(table.ids) == {f"{900001 + i}" for i in range(PEOPLE)}
    assert data.labels.tolist() == [i % 2 for i in range(PEOPLE)]
    assert table.frame["systolic_bp_mmhg"].iloc[0] == 125
    assert table.source == f"AI-READI release 3; {PEOPLE} of {PEOPLE} people are complete"


def test_the_threshold_moves_the_label(aireadi):
    assert prepare_data(aireadi(threshold=36), 0).labels.tolist() == [int(who.stress >= 36) for who in crowd(PEOPLE)]
    assert prepare_data(aireadi(threshold=36), 0).labels.sum() < PEOPLE / 2


def test_the_recommended_split_is_kept_whatever_the_seed(aireadi):
    recommended = [who.split for who in crowd(PEOPLE)]
    for seed in (0, 7):
        data = prepare_data(aireadi(), seed)
        parts = {"train": data.train, "val": data.validation, "test": data.test}
        assert {recommended[i] for i in parts["train"]} == {"train"}
        for name, rows in parts.items():
            assert sorted(rows) == [i for i, part in enumerate(recommended) if part == name]


def test_a_recommended_split_that_lacks_a_part_is_given_up_and_the_table_says_so(tmp_path, aireadi):
    people = [replace(who, split="train" if who.split == "val" else who.split) for who in crowd(PEOPLE)]
    root = write_release(tmp_path / "dataset", people)
    why = "the release recommends none of them for val, so the seed deals people 60 / 20 / 20"
    assert why in aireadi(root).load().source
    assert why not in aireadi(root, split="seeded").load().source
    assert "recommends none" not in aireadi().load().source


def test_a_seeded_split_deals_everybody_to_one_part(aireadi):
    dataset = aireadi(split="seeded")
    table = dataset.load()
    one, again, other = (dataset.split(table, seed) for seed in (0, 0, 1))
    assert sorted([*one.train, *one.validation, *one.test]) == list(range(PEOPLE))
    assert np.array_equal(one.test, again.test) and not np.array_equal(one.test, other.test)


def test_people_without_a_recommended_part_are_training_rows(aireadi):
    dataset = aireadi()
    table = dataset.load()
    nowhere = replace(table, recommended=("", *table.recommended[1:]))
    assert 0 in dataset.split(nowhere, 0).train
    without = replace(table, recommended=("",) * PEOPLE)
    dealt = dataset.split(without, 0)
    assert sorted([*dealt.train, *dealt.validation, *dealt.test]) == list(range(PEOPLE))
    assert len(dealt.test) > 0


@pytest.mark.parametrize("split", ["recommended", "seeded"])
def test_no_person_s_days_stand_on_both_sides(aireadi, split):
    dataset = aireadi(unit="person-day", split=split)
    table = dataset.load()
    assert len(table.ids) == 4 * PEOPLE  # four worn days, each with glucose and the night before
    assert table.ids[0] == "900001/2024-01-16"
    parts = dataset.split(table, 3)
    whose = np.array(table.people)
    groups = [set(whose[rows]) for rows in (parts.train, parts.validation, parts.test)]
    assert sum(map(len, groups)) == PEOPLE == len(set.union(*groups))
    assert len(parts.train) + len(parts.validation) + len(parts.test) == len(table.ids)
    assert prepare_data(dataset, 3).labels.mean() == 0.5


def test_features_may_be_left_out(aireadi):
    table = aireadi(leave_out="hba1c_pct, rem_sleep_pct").load()
    assert set(SCHEMA.names) - set(table.schema.names) == {"hba1c_pct", "rem_sleep_pct"}


@pytest.mark.parametrize("given", ["stress", ["hba1c_pct", "mean_stress"], list(SCHEMA.names)])
def test_what_is_left_out_must_be_a_feature(given):
    with pytest.raises(ValidationError, match="no feature"):
        Aireadi.Options(leave_out=given)


# -- who is not in it ----------------------------------------------------------------------------------------------
def variant(tmp_path, release, *changed):
    """A copy of the release in which some people are others."""
    root = tmp_path / "dataset"
    shutil.copytree(release, root)
    people = [next((c for c in changed if c.person_id == who.person_id), who) for who in crowd(PEOPLE)]
    for who in changed:
        for folder in root.glob(f"*/*/*/{who.person_id}"):
            shutil.rmtree(folder)
    other = write_release(tmp_path / "changed", list(changed))
    shutil.copytree(other, root, dirs_exist_ok=True)
    from aireadi_release import write_manifests, write_participants, write_visits

    write_visits(root, people)
    write_manifests(root, people)
    write_participants(root, people)
    return root


def test_people_with_gaps_are_left_out_and_counted(tmp_path, release, aireadi):
    people = crowd(PEOPLE)
    root = variant(
        tmp_path,
        release,
        replace(people[0], without=("continuous_glucose_monitoring",)),
        replace(people[1], days=4),  # two days of wear
        replace(people[2], observation={}),
        replace(people[3], age="old"),
        replace(people[4], without=("heart_rate",)),
    )
    table = aireadi(root).load()
    assert set(table.ids) == {who.person_id for who in people[5:]}
    assert table.source == (
        "AI-READI release 3; 7 of 12 people are complete (of the others, 2 have fewer than 3 wear days; "
        "1 have fewer than 3 glucose days; 1 have no age_years; 1 have no paid5_score; 1 have no cesd10_score); "
        "1 problem in the files: see `sensecf-bench data aireadi check`"  # the age of one of them
    )
    assert len(aireadi(root, least_days=2).load().ids) == 8
    assert len(aireadi(root, leave_out=["paid5_score", "cesd10_score"]).load().ids) == 8


def test_glucose_in_another_unit_is_a_problem_and_the_person_is_left_out(tmp_path, release, aireadi):
    root = tmp_path / "dataset"
    shutil.copytree(release, root)
    who = crowd(1)[0]
    path = path_of(root, who.person_id, "continuous_glucose_monitoring", "DEX")
    write_json(path, glucose_file(who, unit="mmol/L", scale=1 / 18))
    assert who.person_id not in aireadi(root).load().ids
    collected = collect(root, None)
    assert any(str(path) in problem and "unit" in problem for problem in collected.problems)
    write_json(path, glucose_file(who, unit="mg/dL", scale=1 / 18))  # the unit is claimed, the numbers say otherwise
    assert np.isnan(collect(root, None).people.loc[who.person_id, "mean_glucose_mg_dl"])
    assert any(str(path) in problem for problem in collect(root, None).problems)


def test_nobody_complete_is_an_error_that_says_why(tmp_path, aireadi):
    root = write_release(tmp_path / "dataset", crowd(2, without=("sleep",)))
    with pytest.raises(DataError, match=r"0 of 2 people are complete.*2 have fewer than 3 sleep nights"):
        aireadi(root).load()


def test_a_feature_that_is_the_same_for_everybody_is_named_with_the_way_out(tmp_path, aireadi):
    people = [replace(who, age=50) for who in crowd(4)]
    root = write_release(tmp_path / "dataset", people)
    with pytest.raises(DataError, match="age_years") as caught:
        aireadi(root).load()
    assert "aireadi.leave_out=age_years" in caught.value.fix
    assert len(aireadi(root, leave_out=caught.value.fix.partition("leave_out=")[2]).load().ids) == 4


def test_a_folder_is_needed_and_one_that_holds_a_release(tmp_path, aireadi):
    with pytest.raises(SchemaError, match="needs the folder"):
        Aireadi().load()
    with pytest.raises(DataError, match="no AI-READI release"):
        aireadi(tmp_path).load()


# -- what may be passed on -----------------------------------------------------------------------------------------
def test_a_release_is_restricted_unless_it_says_that_it_is_synthetic(tmp_path, aireadi):
    people = [Somebody("900001"), Somebody("900002")]
    real = write_release(tmp_path / "real", people)
    made = write_release(tmp_path / "made", people, synthetic=True)
    assert "licensed" in aireadi(real).restricted()
    assert aireadi(made).restricted() == ""


@pytest.mark.parametrize("mark", ["{", '{"isSynthetic": "true"}', "[true]", '{"isSynthetic": 1}'])
def test_in_doubt_it_is_restricted(tmp_path, aireadi, mark):
    root = write_release(tmp_path / "dataset", [Somebody("900001")])
    (root / "dataset_description.json").write_text(mark)
    assert aireadi(root).restricted()
    assert Aireadi().restricted() and aireadi(tmp_path / "nowhere").restricted()


def test_the_tables_have_the_catalogue_s_columns(release):
    collected = collect(release, None)
    assert list(collected.people.columns) == [*(c.name for c in COLUMNS), "recommended_split"]
    assert collected.people.index.name == "person_id"
    assert list(collected.days.columns) == [*(c.name for c in COLUMNS if c.daily), "recommended_split"]
    day = collected.days.loc[("900002", "2024-01-17")]
    assert day["mean_stress"] == 36 and day["walking_min_per_day"] == 31
    assert not collected.problems


# -- as a dataset of the harness -------------------------------------------------------------------------------------
def test_it_passes_the_conformance_kit(release, cache):
    """In a process of its own, as a contributor would; the one check it declares it cannot pass is counted as passed."""
    done = subprocess.run(
        [sys.executable, "-m", "sensecf_bench", "plugin", "check", f"aireadi:{release}"],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
    )
    assert done.returncode == 0, done.stdout
    assert "split-follows-the-seed" in done.stdout


def test_a_run_publishes_nobody(release, cache, tmp_path):
    """Neither ids nor rows of a restricted dataset stand in what is published of a run, or in its logs."""
    settings = RunConfig(
        datasets=("aireadi",),
        classifiers=("random-forest",),
        generators=("identity",),
        options={"aireadi": {"path": str(release), "cache": str(cache)}},
        jobs=1,
        augmentation="off",
    )
    api.run(settings, tmp_path / "run")
    build(tmp_path / "run", tmp_path / "published")
    frame = Aireadi(Aireadi.Options(path=release, cache=cache)).load().frame
    personal = {f"{900001 + i}" for i in range(PEOPLE)} | {repr(v) for v in frame["cv_glucose_pct"]}
    published = [
        *(tmp_path / "published").iterdir(),
        *(tmp_path / "run").glob("*.*"),
        *(tmp_path / "run").rglob("*.log"),
    ]
    assert len(published) >= 5
    # Whole numbers only: the digits of an id may stand by chance within a duration, a mean or a digest.
    number = re.compile(r"(?<![0-9a-f.])\d+(?:\.\d+)?(?![0-9a-f])")
    assert personal <= set(number.findall(" ".join(sorted(personal))))
    for file in published:
        assert not personal & set(number.findall(file.read_text())), file
    assert str(release) not in "".join(file.read_text() for file in (tmp_path / "published").iterdir())
