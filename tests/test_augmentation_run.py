"""Augmentation in a run: what a scarce context holds, what is stored, and what is said of arms that go wrong."""

import json
import shutil

import numpy as np
import pytest

from sensecf_bench import api
from sensecf_bench.augmentation.controls import CONTROLS
from sensecf_bench.engine.context import prepare_data

ARMS = ("halfway", "peeker", "recorder", "crashes", "abstains")
SENTINELS = {"identity", "random-opposite", "nearest-opposite"}
COUNTS = ("removed", "asked", "answered", "valid", "added", "leaked")
STAGES = ("full", "reduced", "augmented")
FUSSY = 60  # as many rows as there are before any are removed, and more than scenario C leaves


@pytest.fixture(scope="module")
def cohort_config(single_file_plugins, tmp_path_factory):
    def make(**changes):
        basis = {
            "datasets": ("cohort",),
            "classifiers": ("svm",),
            "metrics": ("validity",),
            "queries": 2,
            "resamples": 100,
            "plugins": (single_file_plugins / "scarce.py",),
            "cache": tmp_path_factory.mktemp("cache"),
        }
        return api.RunConfig(**{**basis, **changes})

    return make


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Where `recorder` writes down what it is told."""
    return tmp_path_factory.mktemp("told")


@pytest.fixture(scope="module")
def run(cohort_config, told, tmp_path_factory):
    """All arms at four levels under two seeds; no test may alter it."""
    config = cohort_config(
        generators=ARMS,
        classifiers=("svm", "fussy"),
        options={"recorder": {"folder": str(told)}, "fussy": {"least": FUSSY}},
        augmentation={"scenarios": ("A", "C"), "reductions": (0.0, 0.5), "seeds": (0, 1)},
    )
    return api.run(config, tmp_path_factory.mktemp("run") / "run")


@pytest.fixture(scope="module")
def part(run):
    return run.document["augmentation"]


@pytest.fixture(scope="module")
def data(run, single_file_plugins):
    """The cohort as it is split under each seed, before anything is removed."""
    from sensecf_bench.registry import discover

    cohort = discover([single_file_plugins / "scarce.py"]).dataset("cohort")
    return {seed: prepare_data(cohort(), seed) for seed in (0, 1)}


def rows_of(part, **wanted):
    return [row for row in part["rows"] if all(row[name] == value for name, value in wanted.items())]


def entry_of(part, generator, scenario="A", reduction=0.5):
    (entry,) = [
        e
        for e in part["summary"]
        if (e["generator"], e["scenario"], e["reduction"]) == (generator, scenario, reduction)
    ]
    return entry


# -- the grid --------------------------------------------------------------------------------------------------------
def test_every_arm_has_a_row_for_every_level_seed_and_classifier(part):
    arms = {"none", *CONTROLS, *ARMS, *SENTINELS}
    assert {row["generator"] for row in part["rows"]} == arms
    assert len(part["rows"]) == len(arms) * 4 * 2 * 2
    assert len(part["summary"]) == len(arms) * 4
    assert {row["generator"] for row in part["rows"] if row["control"]} == {"none", *CONTROLS}
    assert {row["generator"] for row in part["rows"] if row["sentinel"]} == SENTINELS


def test_a_row_has_the_fields_that_are_promised(part):
    for row in part["rows"]:
        named = {"dataset", "generator", "control", "sentinel", "scenario", "reduction", "classifier", "seed"}
        assert set(row) == {*named, "status", "reason", *COUNTS, *STAGES}
        for stage in STAGES:
            assert set(row[stage]) == {"accuracy", "precision", "recall", "f1", "auc"}
        assert row["valid"] <= row["answered"] <= row["asked"] <= row["removed"]


def test_nothing_removed_is_nothing_gained(part):
    for entry in part["summary"]:
        if entry["reduction"] == 0:
            assert entry["removed"] == entry["added"] == 0
            for estimate in entry["lift"].values():
                assert (estimate["value"], estimate["low"], estimate["high"]) == (0, 0, 0)
            assert entry["recovered"]["f1"]["value"] is None
    assert {row["status"] for row in rows_of(part, reduction=0.0, classifier="svm")} == {"ok"}


def test_the_frame_is_the_rows(run, part):
    frame = run.augmentation
    assert len(frame) == len(part["rows"])
    mine = frame[(frame["generator"] == "halfway") & (frame["reduction"] == 0.5) & (frame["classifier"] == "svm")]
    expected = [row["augmented"]["f1"] for row in rows_of(part, generator="halfway", reduction=0.5, classifier="svm")]
    assert list(mine["augmented_f1"]) == expected


def test_counterfactuals_are_made_once_for_all_classifiers(run):
    mine = [p for p in (run.folder / "cells").iterdir() if "--halfway--" in p.name and "50" in p.name]
    assert sorted(p.name.split("--")[1:5] for p in mine) == sorted(
        ["svm", "halfway", f"seed{seed}", level]
        for seed in (0, 1)
        for level in ("A50-positive", "C50-positive", "C50-negative")
    )


# -- what went wrong -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arm", "status", "reason"),
    [
        ("halfway", "ok", ""),
        ("crashes", "failed", "every query failed; the first: raised: RuntimeError: no answer about"),
        ("abstains", "empty", "no query was answered"),
        ("identity", "empty", "no answer is in the target class"),
        ("peeker", "leak", "rows are rows of the table that it was never shown"),
    ],
)
def test_an_arm_says_what_became_of_it(part, arm, status, reason):
    mine = rows_of(part, generator=arm, scenario="A", reduction=0.5, classifier="svm")
    assert len(mine) == 2
    for row in mine:
        assert row["status"] == status
        assert reason in row["reason"]
        assert (row["added"] > 0) == (arm in ("halfway", "peeker"))
        if not row["added"]:
            assert row["augmented"] == row["reduced"]


def test_whoever_adds_nothing_stays_in_the_denominator(part):
    for arm in ("crashes", "abstains", "identity"):
        entry = entry_of(part, arm)
        assert entry["trials"] == entry_of(part, "halfway")["trials"]
        assert entry["lift"]["f1"]["value"] == 0
    assert entry_of(part, "crashes")["failed"] == 4


def test_a_planted_leak_is_found_and_counted(part):
    for row in rows_of(part, generator="peeker", reduction=0.5):
        assert row["leaked"] > 0
    assert entry_of(part, "peeker")["leaked"] > 0
    for row in part["rows"]:
        if row["generator"] != "peeker":
            assert row["leaked"] == 0, row["generator"]


def test_a_classifier_that_cannot_be_retrained_has_its_reason(part):
    mine = rows_of(part, generator="halfway", scenario="C", reduction=0.5, classifier="fussy")
    assert mine
    for row in mine:
        assert row["status"] == "impossible"
        assert "cannot be trained on the reduced rows: " in row["reason"]
        assert "ValueError: 36 rows are not enough" in row["reason"]
        assert set(row["reduced"].values()) == {None}
        assert row["full"]["f1"] is not None
    entry = entry_of(part, "halfway", "C")
    assert (entry["trials"], entry["failed"]) == (2, 2)
    f1 = entry["lift"]["f1"]
    assert (f1["eligible"], f1["asked"]) == (2, 4), "the trials without a reference are still asked for"


def test_weights_that_a_classifier_cannot_take_are_said_and_cost_it_alone(part):
    (fussy, svm) = (
        rows_of(part, generator="class-weights", scenario="A", reduction=0.5, classifier=name, seed=0)[0]
        for name in ("fussy", "svm")
    )
    assert fussy["status"] == "impossible"
    assert "takes no weights" in fussy["reason"]
    assert fussy["augmented"] == fussy["reduced"]
    assert svm["status"] == "ok"


# -- no removed row goes anywhere ----------------------------------------------------------------------------------------
def notes_of(told):
    return [np.load(path) for path in sorted(told.glob("*.npz"))]


def scarce_notes(told, data):
    """What was told in scarce contexts: those with fewer training rows than there are."""
    return [note for note in notes_of(told) if len(note["train"]) < len(data[int(note["seed"])].train)]


def test_a_generator_is_told_of_retained_rows_only(told, data, run):
    notes = scarce_notes(told, data)
    assert len(notes) == 2 * 3  # seeds; A, and C for each class
    for note in notes:
        whole = data[int(note["seed"])]
        training = {row.tobytes() for row in whole.matrix[whole.train]}
        shown = {row.tobytes() for row in note["train"]}
        assert shown < training
        assert {row.tobytes() for row in note["queries"]} <= shown
        np.testing.assert_array_equal(note["scales"], [note["train"].min(axis=0), note["train"].max(axis=0)])
        np.testing.assert_array_equal(note["brief"], note["scales"])


def test_something_was_hidden_by_it(told, data, run):
    """The extremes of the whole training rows are among the removed ones in some context, or nothing could be seen above."""
    hidden = []
    for note in scarce_notes(told, data):
        whole = data[int(note["seed"])]
        everything = whole.matrix[whole.train]
        hidden.append(not np.array_equal(note["scales"], [everything.min(axis=0), everything.max(axis=0)]))
    assert any(hidden)


def test_those_asked_are_of_the_other_class_and_no_more_than_are_missing(told, data, run):
    for note in scarce_notes(told, data):
        whole = data[int(note["seed"])]
        target, current = int(note["target"][0]), int(note["current"][0])
        assert (note["target"] == target).all() and (note["current"] == 1 - target).all()
        classes = {row.tobytes(): c for row, c in zip(whole.matrix, whole.labels, strict=True)}
        assert {classes[row.tobytes()] for row in note["queries"]} == {current}
        missing = (whole.labels[whole.train] == target).sum() - (note["labels"] == target).sum()
        assert 0 < len(note["queries"]) <= missing


def test_a_record_says_what_was_scarce(run):
    records = [
        json.loads(path.read_text())["cell"] for path in (run.folder / "cells").glob("*--recorder--*/record.json")
    ]
    scarce = [record["scarcity"] for record in records if "scarcity" in record]
    assert len(scarce) == len(records) - 2 == 6
    assert {(s["scenario"], s["fills"], s["reduction"]) for s in scarce} == {
        ("A", "positive", 0.5), ("C", "positive", 0.5), ("C", "negative", 0.5),
    }  # fmt: skip


# -- stored, resumed, scored again -----------------------------------------------------------------------------------------
def test_scoring_again_gives_the_same_and_makes_anew_what_is_gone_or_corrupt(run, tmp_path):
    folder = shutil.copytree(run.folder, tmp_path / "run")
    stored = sorted((folder / "augmentation").iterdir())
    before = {path.name: path.read_bytes() for path in stored}
    stored[0].unlink()
    stored[1].write_bytes(stored[1].read_bytes()[:-8] + b"scribble")
    warned = []

    class Listening(api.Quiet):
        def warn(self, message):
            warned.append(message)

    again = api.score(folder, Listening()).document
    assert again["augmentation"] == run.document["augmentation"]
    assert {path.name: path.read_bytes() for path in stored} == before
    assert [stored[1].name in line for line in warned] == [True]


def test_a_finished_augmentation_is_not_computed_again(run, tmp_path, cohort_config):
    folder = shutil.copytree(run.folder, tmp_path / "run")
    written = {p: p.stat().st_mtime_ns for p in (folder / "augmentation").iterdir()}
    config = api.RunConfig.model_validate(run.document["config"])
    fewer = config.model_copy(
        update={"augmentation": api.RunConfig(augmentation={"reductions": 0.5, "seeds": 1}).augmentation}
    )
    again = api.run(fewer, folder)
    assert {p: p.stat().st_mtime_ns for p in (folder / "augmentation").iterdir()} == written
    kept = [
        row
        for row in run.document["augmentation"]["rows"]
        if (row["scenario"], row["reduction"], row["seed"]) == ("A", 0.5, 1)
    ]
    assert again.document["augmentation"]["rows"] == kept


def test_invalid_rows_are_added_if_they_are_wanted_and_labelled_as_is_said(run, tmp_path):
    """What `identity` returns stays in the class it comes from, whatever it was asked for."""
    folder = shutil.copytree(run.folder, tmp_path / "run")
    cells = {path.name for path in (folder / "cells").iterdir()}
    added = {}
    for label in ("target", "model"):
        grid = {"reductions": 0.5, "seeds": 0, "keep_invalid": True, "label": label}
        config = api.RunConfig.model_validate({**run.document["config"], "augmentation": grid})
        part = api.run(config, folder).document["augmentation"]
        (added[label],) = rows_of(part, generator="identity", classifier="svm")
    assert {path.name for path in (folder / "cells").iterdir()} == cells  # the same answers, used otherwise
    for row in added.values():
        assert (row["status"], row["valid"], row["added"]) == ("ok", 0, row["asked"])
    assert added["target"]["augmented"] != added["model"]["augmented"]


def test_less_is_asked_and_added_if_less_is_wanted(run, tmp_path):
    folder = shutil.copytree(run.folder, tmp_path / "run")
    grid = {"reductions": 0.5, "seeds": 0, "amount": 0.25}
    config = api.RunConfig.model_validate({**run.document["config"], "generators": ARMS, "augmentation": grid})
    part = api.run(config, folder).document["augmentation"]
    for row in rows_of(part, classifier="svm"):
        if row["generator"] != "none":
            assert (row["removed"], row["asked"]) == (12, 3), row["generator"]
            assert row["added"] <= 3


def test_augmentation_changes_nothing_of_the_rest(run, tmp_path):
    folder = shutil.copytree(run.folder, tmp_path / "run")
    config = api.RunConfig.model_validate({**run.document["config"], "augmentation": "off"})
    without = api.run(config, folder)
    assert without.document["augmentation"] is None
    assert without.augmentation.empty
    for name in ("rows", "summary", "notes", "contexts", "factuals", "skipped", "drift"):
        assert without.document[name] == run.document[name]


# -- few rows ------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def few(cohort_config, tmp_path_factory):
    """Six of ten ill people are training rows: 3, 1 and 0 of them are left."""
    config = cohort_config(
        generators=("halfway", "sleeps", "forgetful"),
        classifiers=("svm", "fussy"),
        options={"cohort": {"people": 60, "ill": 10}},
        cell_timeout=6.0,
        augmentation={"reductions": (0.5, 0.8, 0.95), "seeds": (0,)},
    )
    return api.run(config, tmp_path_factory.mktemp("few") / "run")


def few_rows(few, generator, reduction, classifier="fussy"):
    (row,) = rows_of(few.document["augmentation"], generator=generator, reduction=reduction, classifier=classifier)
    return row


def test_a_class_with_fewer_rows_than_neighbours_is_worked_with_as_far_as_it_goes(few):
    assert few_rows(few, "smote", 0.5)["added"] == 3
    alone = few_rows(few, "smote", 0.8)
    assert (alone["status"], alone["added"], alone["removed"]) == ("impossible", 0, 5)
    assert "one" in alone["reason"] or "1" in alone["reason"]
    assert few_rows(few, "duplication", 0.8)["added"] == 5


def test_a_reference_that_cannot_be_fitted_stops_generators_alone(few):
    row = few_rows(few, "halfway", 0.8)
    assert row["status"] == "impossible"
    assert "the svm needs two training rows of each class" in row["reason"]
    assert row["augmented"] == row["reduced"]
    assert few_rows(few, "duplication", 0.8, "svm")["reason"]


def test_a_level_that_empties_a_class_is_said_of_every_arm(few):
    rows = rows_of(few.document["augmentation"], reduction=0.95)
    assert len(rows) == 2 * (1 + len(CONTROLS) + 3 + len(SENTINELS))
    for row in rows:
        assert (row["status"], row["reason"]) == ("impossible", "no training row of class 'ill' is left")
        assert row["removed"] == 6
        assert set(row["augmented"].values()) == set(row["reduced"].values()) == {None}
        assert row["full"]["f1"] is not None
    entry = entry_of(few.document["augmentation"], "halfway", reduction=0.95)
    assert (entry["trials"], entry["failed"], entry["lift"]["f1"]["value"]) == (0, 2, None)


def test_a_generator_that_hangs_has_failed(few):
    row = few_rows(few, "sleeps", 0.5)
    assert (row["status"], row["added"]) == ("failed", 0)
    assert "timeout" in row["reason"]


def test_failures_of_some_queries_are_told_of_an_arm_that_adds_rows(few):
    row = few_rows(few, "forgetful", 0.5)
    assert (row["status"], row["asked"], row["answered"]) == ("ok", 3, 1)
    assert row["reason"] == "2 of 3 queries failed; the first: raised: RuntimeError: what was the question?"
    assert few_rows(few, "halfway", 0.5)["reason"] == ""


def test_who_crashes_for_one_class_of_two_has_failed_and_adds_nothing(cohort_config, tmp_path):
    config = cohort_config(
        generators=("halfway", "one-sided"), augmentation={"scenarios": ("C",), "reductions": (0.5,), "seeds": (0,)}
    )
    part = api.run(config, tmp_path / "run").document["augmentation"]
    (row,), (whole,) = (rows_of(part, generator=name) for name in ("one-sided", "halfway"))
    assert (row["status"], row["added"]) == ("failed", 0)
    assert row["reason"].startswith("of one class: every query failed; the first: raised: RuntimeError: never heard")
    assert row["augmented"] == row["reduced"] != whole["augmented"]
    assert whole["added"] > 0


# -- what nobody can help ------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def ill_starred(cohort_config, tmp_path_factory):
    """A classifier that takes its process with it when rows repeat, and a table that one seed cannot split."""
    config = cohort_config(
        generators=("halfway",),
        classifiers=("fussy",),
        options={"fussy": {"mortal": True}, "cohort": {"refuses": 1}},
        augmentation={"seeds": (0, 1)},
    )
    return api.run(config, tmp_path_factory.mktemp("ill-starred") / "run")


def test_a_classifier_that_kills_its_worker_costs_the_arm_and_is_tried_again(ill_starred):
    rows = {row["generator"]: row for row in rows_of(ill_starred.document["augmentation"], seed=0)}
    died = {name for name, row in rows.items() if "WorkersDiedError" in row["reason"]}
    assert died == {"duplication", "flipped-neighbours", "nearest-opposite", "random-opposite"}  # all that repeat a row
    assert {rows[name]["status"] for name in died} == {"failed"}
    assert rows["halfway"]["status"] == rows["smote"]["status"] == "ok"
    stored = {path.name.split("--")[3] for path in (ill_starred.folder / "augmentation").iterdir()}
    assert not stored & died


def test_a_seed_that_cannot_split_the_table_is_said(ill_starred):
    part = ill_starred.document["augmentation"]
    rows = rows_of(part, seed=1)
    assert len(rows) == 1 + len(CONTROLS) + 1 + len(SENTINELS)
    for row in rows:
        assert (row["dataset"], row["status"]) == ("cohort", "failed")
        assert row["reason"] == "dataset failed: seed 1 leaves nobody to test"
        assert set(row["full"].values()) == {None}
    said, *others = sorted(part["notes"], key=lambda note: "seed 1" not in note)
    assert said == "cohort · seed 1: cannot be reduced, because it cannot be split: seed 1 leaves nobody to test"
    assert {"failed in 4 trials", "impossible in 1 trials"} == {note.split(": ")[1] for note in others}
    assert entry_of(part, "halfway")["seeds"] == 1


# -- rows that may not be passed on -----------------------------------------------------------------------------------------
def test_of_restricted_rows_nothing_is_told(cohort_config, tmp_path):
    config = cohort_config(
        generators=("halfway", "crashes"),
        classifiers=("svm", "fussy"),
        options={"cohort": {"restricted": "under licence"}, "fussy": {"least": FUSSY}},
        augmentation={"scenarios": "C", "seeds": (0,)},
    )
    run = api.run(config, tmp_path / "run")
    assert tmp_path.joinpath("run").stat().st_mode & 0o077 == 0
    text = json.dumps(run.document["augmentation"]) + (run.folder / "leaderboard.md").read_text()
    assert "patient-" not in text and "row-0" not in text and "not enough" not in text
    (fussy, *_) = rows_of(run.document["augmentation"], generator="halfway", classifier="fussy")
    assert fussy["reason"] == "cannot be trained on the reduced rows: ValueError"
    (crashed, *_) = rows_of(run.document["augmentation"], generator="crashes", classifier="svm")
    assert crashed["reason"] == "every query failed; the first: raised"
    (good, *_) = rows_of(run.document["augmentation"], generator="halfway", classifier="svm")
    assert good["added"] > 0
