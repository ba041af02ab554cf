"""NICEx on pandas 1 and dice-ml on pandas 3, in one run and on one leaderboard."""

import pandas as pd
import pytest
from command_line import bench

from sensecf_bench import api
from sensecf_bench.engine.environments import inspect

GENERATORS = ("nice-reference", "nice-sparsity", "dice-random")


@pytest.fixture(scope="session")
def run(python, tmp_path_factory):
    config = api.RunConfig(
        generators=GENERATORS,
        datasets=("breast-cancer",),
        classifiers=("random-forest", "xgboost"),
        queries=15,
        options={"nice-sparsity": {"stock": True}},
        augmentation="off",
    )
    return api.run(config, tmp_path_factory.mktemp("run") / "run")


def test_it_has_the_pandas_that_the_harness_cannot_have(python):
    assert inspect(python).version_of("pandas").startswith("1.")
    assert int(pd.__version__.partition(".")[0]) >= 2


def test_both_stand_on_one_leaderboard(run):
    page = (run.folder / "leaderboard.md").read_text()
    assert [name for name in GENERATORS if f"\n| {name}" not in page] == []
    assert not run.failed
    versions = {r["generator"]: r["versions"] for r in run.document["rows"]}
    assert versions["nice-reference"]["pandas"].startswith("1.")
    assert versions["nice-reference"]["NICEx"] == "0.2.3"
    assert "dice-ml" in versions["dice-random"]


def test_the_reference_and_our_own_give_equal_answers(run):
    rows = run.counterfactuals.set_index(["cf_classifier", "query_id"])
    features = [c for c in rows.columns if not c.startswith("cf_")]
    reference, own = (rows.loc[rows["cf_generator"] == name, features] for name in GENERATORS[:2])
    assert len(reference) == 30
    assert reference.equals(own)


def test_an_environment_is_built_once(python):
    again = bench("plugin", "env", "create", "nice-reference")
    assert "is there already" in again.stdout
    assert "nice-reference" in bench("plugin", "env", "list").stdout


def test_named_by_hand_it_is_the_same_cell(run, python):
    settings = run.document["config"] | {"environments": {"nice-reference": python}}
    planned, _ = api.plan(api.RunConfig.model_validate(settings))
    fingerprints = {r["cell"].rpartition("--")[2] for r in run.document["rows"] if r["generator"] == "nice-reference"}
    (context,) = {c["fingerprint"] for c in run.document["contexts"]}
    assert {c.key(context)[:12] for c in planned.cells if c.generator.name == "nice-reference"} == fingerprints
