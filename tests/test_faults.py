"""A generator that misbehaves costs only its own queries; real processes, real crashes."""

from dataclasses import dataclass

import pandas as pd
import psutil
import pytest

from sensecf_bench import api
from sensecf_bench.testing import local_setting

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


HANGING = ("hangs", "batch-hangs")
PATIENT, IMPATIENT = 60.0, 3.0  # seconds a query: long enough on any machine, and not much longer than it takes to wait


@dataclass(frozen=True)
class Faulty:
    """One victim of every faulty generator: the run of those that end by themselves, and all tables, read once."""

    victim: str
    run: api.Run
    queries: pd.DataFrame
    counterfactuals: pd.DataFrame


@pytest.fixture(scope="module")
def faulty(tmp_path_factory, single_file_plugins):
    """Whoever hangs is waited for with little patience, and in small shards, for a shard's time is waited for too."""
    victim = local_setting("breast-cancer", "svm", queries=2 * SHARD).queries.ids[1]
    folder = tmp_path_factory.mktemp("faulty")

    def asked(names, timeout, shard_size):
        config = api.RunConfig(
            generators=names,
            options={name: {"victim": victim} for name in names},
            datasets=("breast-cancer",),
            classifiers=("svm",),
            queries=2 * SHARD,
            shard_size=shard_size,
            timeout=timeout,
            plugins=(single_file_plugins / "faulty.py",),
            augmentation="off",
        )
        return api.run(config, folder / names[0])

    ending = [name for name in ALONE if name not in HANGING]
    run = asked((*ending, "batch-wrong-ids", "fails-to-fit", "asks-too-much", "good"), PATIENT, SHARD)
    both = (run, asked(HANGING, IMPATIENT, SHARD // 2))
    return Faulty(victim, run, pd.concat([r.queries for r in both]), pd.concat([r.counterfactuals for r in both]))


def table(frame, generator):
    return frame[frame["cf_generator"] == generator].set_index("query_id")


@pytest.mark.parametrize("name", ALONE)
def test_the_victim_has_the_right_outcome_and_nobody_else_is_touched(faulty, name):
    victim = faulty.victim
    found = table(faulty.queries, name)
    assert (found.loc[victim, "cf_outcome"], found.loc[victim, "cf_reason"]) == ALONE[name]
    assert set(found.drop(index=victim)["cf_outcome"]) == {"FOUND"}
    mine, yardstick = table(faulty.counterfactuals, name), table(faulty.counterfactuals, "good")
    others = [i for i in yardstick.index if i != victim]
    assert mine.loc[others].drop(columns="cf_generator").equals(yardstick.loc[others].drop(columns="cf_generator"))


def test_factual_rows_and_targets_are_the_harness_own(faulty):
    own = table(faulty.queries, "good").filter(regex="^(?!cf_)")
    assert table(faulty.queries, "mutates-input").filter(regex="^(?!cf_)").equals(own)
    assert set(table(faulty.queries, "mutates-input")["cf_target"]) == {0}


def test_a_stranger_in_a_batch_costs_that_call_and_no_other(faulty):
    victim = faulty.victim
    found = table(faulty.queries, "batch-wrong-ids")
    shards = [list(found.index[i : i + SHARD]) for i in (0, SHARD)]
    guilty, innocent = sorted(shards, key=lambda ids: victim not in ids)
    assert set(found.loc[guilty, "cf_outcome"]) == {"ERROR"}
    assert set(found.loc[guilty, "cf_reason"]) == {"protocol"}
    assert set(found.loc[innocent, "cf_outcome"]) == {"FOUND"}


@pytest.mark.parametrize(("name", "words"), [("fails-to-fit", "cannot learn this"), ("asks-too-much", "training rows")])
def test_a_generator_that_cannot_be_fitted_fails_its_cell_with_the_reason(faulty, name, words):
    run = faulty.run
    (row,) = [r for r in run.document["rows"] if r["generator"] == name]
    assert row["status"] == "failed"
    assert words in row["reason"]
    assert row["outcomes"]["ERROR"] == 2 * SHARD
    assert row["metrics"]["validity"]["value"] == 0.0
    assert [line for line in run.failed if name in line]


def test_failed_cells_are_not_ranked_and_say_why(faulty):
    run = faulty.run
    entries = {e["generator"]: e for e in run.document["summary"]}
    assert not entries["fails-to-fit"]["ranked"]
    assert "cannot learn this" in entries["fails-to-fit"]["not_ranked_because"]
    assert entries["raises"]["ranked"]


def test_a_crash_takes_no_longer_than_it_takes(faulty):
    taken = [table(faulty.queries, name).loc[faulty.victim, "cf_seconds"] for name in ("segfaults", "exits")]
    assert min(taken) < 4.0  # waiting for the dead took 5 s once, for all of them; a busy machine may delay one


def test_what_a_generator_started_ends_with_it(faulty):
    assert not [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", "31536000"]]


def test_what_a_crash_said_is_kept_beside_its_record(faulty):
    run = faulty.run
    (log,) = (run.folder / "cells").glob("*--segfaults--*/output-*.log")
    assert "Segmentation fault" in log.read_text()
    assert not list((run.folder / "cells").glob("*/scratch-*"))
