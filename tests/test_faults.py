"""A generator that misbehaves costs only its own queries; real processes, real crashes."""

import psutil
import pytest

from sensecf_bench import api

FACTS = ("query_id", "cf_outcome", "cf_reason")
ALONE = {
    "hangs": ("TIMEOUT", "timeout"),
    "raises": ("ERROR", "raised"),
    "segfaults": ("ERROR", "crashed"),
    "exits": ("ERROR", "crashed"),
    "system-exits": ("ERROR", "raised"),
    "wrong-ids": ("ERROR", "protocol"),
    "too-many-rows": ("ERROR", "protocol"),
    "not-a-frame": ("ERROR", "protocol"),
    "returns-nan": ("REJECTED", "not-a-number"),
    "leaves-out": ("ABSTAINED", ""),
    "unparsable": ("UNPARSABLE", "unparsable"),
    "mutates-input": ("FOUND", ""),
    "floods-output": ("FOUND", ""),
    "cut-off-text": ("UNPARSABLE", "unparsable"),
    "uncountable-usage": ("ERROR", "protocol"),
    "leaves-a-process": ("FOUND", ""),
    "threads": ("FOUND", ""),
    "batch-raises": ("ERROR", "raised"),
    "batch-segfaults": ("ERROR", "crashed"),
    "batch-hangs": ("TIMEOUT", "timeout"),
}
SHARD = 4


@pytest.fixture(scope="module")
def faulty(tmp_path_factory, single_file_plugins):
    """One run of every faulty generator, each with the same victim."""

    common = {
        "datasets": ("breast-cancer",),
        "classifiers": ("svm",),
        "queries": 2 * SHARD,
        "shard_size": SHARD,
        "timeout": 1.5,
        "plugins": (single_file_plugins / "faulty.py",),
        "augmentation": "off",
    }
    folder = tmp_path_factory.mktemp("faulty")
    good = api.run(api.RunConfig(generators=("good",), **common), folder / "good")
    victim = good.queries["query_id"][1]
    names = (*ALONE, "batch-wrong-ids", "fails-to-fit", "asks-too-much", "good")
    options = {name: {"victim": victim} for name in names}
    run = api.run(api.RunConfig(generators=names, options=options, **common), folder / "faulty")
    return run, victim


def table(frame, generator):
    return frame[frame["cf_generator"] == generator].set_index("query_id")


@pytest.mark.parametrize("name", ALONE)
def test_the_victim_has_the_right_outcome_and_nobody_else_is_touched(faulty, name):
    run, victim = faulty
    found = table(run.queries, name)
    assert (found.loc[victim, "cf_outcome"], found.loc[victim, "cf_reason"]) == ALONE[name]
    assert set(found.drop(index=victim)["cf_outcome"]) == {"FOUND"}
    mine, yardstick = table(run.counterfactuals, name), table(run.counterfactuals, "good")
    others = [i for i in yardstick.index if i != victim]
    assert mine.loc[others].drop(columns="cf_generator").equals(yardstick.loc[others].drop(columns="cf_generator"))


def test_factual_rows_and_targets_are_the_harness_own(faulty):
    run, _ = faulty
    own = table(run.queries, "good").filter(regex="^(?!cf_)")
    assert table(run.queries, "mutates-input").filter(regex="^(?!cf_)").equals(own)
    assert set(table(run.queries, "mutates-input")["cf_target"]) == {0}


def test_a_stranger_in_a_batch_costs_that_call_and_no_other(faulty):
    run, victim = faulty
    found = table(run.queries, "batch-wrong-ids")
    shards = [list(found.index[i : i + SHARD]) for i in (0, SHARD)]
    guilty, innocent = sorted(shards, key=lambda ids: victim not in ids)
    assert set(found.loc[guilty, "cf_outcome"]) == {"ERROR"}
    assert set(found.loc[guilty, "cf_reason"]) == {"protocol"}
    assert set(found.loc[innocent, "cf_outcome"]) == {"FOUND"}


@pytest.mark.parametrize(("name", "words"), [("fails-to-fit", "cannot learn this"), ("asks-too-much", "training rows")])
def test_a_generator_that_cannot_be_fitted_fails_its_cell_with_the_reason(faulty, name, words):
    run, _ = faulty
    (row,) = [r for r in run.document["rows"] if r["generator"] == name]
    assert row["status"] == "failed"
    assert words in row["reason"]
    assert row["outcomes"]["ERROR"] == 2 * SHARD
    assert row["metrics"]["validity"]["value"] == 0.0
    assert [line for line in run.failed if name in line]


def test_failed_cells_are_not_ranked_and_say_why(faulty):
    run, _ = faulty
    entries = {e["generator"]: e for e in run.document["summary"]}
    assert not entries["fails-to-fit"]["ranked"]
    assert "cannot learn this" in entries["fails-to-fit"]["not_ranked_because"]
    assert entries["raises"]["ranked"]


def test_a_crash_takes_no_longer_than_it_takes(faulty):
    run, victim = faulty
    for name in ("segfaults", "exits"):
        assert table(run.queries, name).loc[victim, "cf_seconds"] < 4.0  # waiting for the dead took 5 s once


def test_what_a_generator_started_ends_with_it(faulty):
    assert not [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "31536000"]]


def test_what_a_crash_said_is_kept_beside_its_record(faulty):
    run, _ = faulty
    (log,) = (run.folder / "cells").glob("*--segfaults--*/output-*.log")
    assert "Segmentation fault" in log.read_text()
    assert not list((run.folder / "cells").glob("*/scratch-*"))
