"""Restricted data, money, and what outlives a run."""

import pytest
import yaml

from sensecf_bench import api
from sensecf_bench.engine.config import RunConfig
from sensecf_bench.errors import NothingRan, UnknownNameError
from sensecf_bench.purse import SharedPurse

OPEN = {
    "generators": ("spender",),
    "datasets": ("diabetes-progression",),
}  # what a restricted table leaves is not shared


@pytest.fixture
def settings(single_file_plugins):
    def make(**more):
        basis = {
            "datasets": ("secret",),
            "classifiers": ("svm",),
            "queries": 6,
            "allow": ("network", "paid"),
            "jobs": 1,
            "augmentation": "off",
        }
        return RunConfig(**{**basis, "plugins": (single_file_plugins / "remote.py",), **more})

    return make


def test_a_restricted_dataset_is_not_sent_away(settings):
    planned, _ = api.plan(settings(generators=("remote", "identity")))
    assert {c.generator.name for c in planned.cells} == {"identity"}
    (skipped,) = planned.skipped
    assert (
        skipped.reason == "secret may not be passed on (under licence), and remote sends its rows to models.example.org"
    )
    assert skipped.fix == "if you may all the same: --i-may-share secret"
    with pytest.raises(NothingRan, match="may not be passed on"):
        api.run(settings(generators=("remote",)))


def test_a_table_of_ones_own_may_be_restricted(settings, tmp_path):
    file = tmp_path / "people.yaml"
    described = {"name": "people", "file": "people.csv", "target": "ill", "classes": ["no", "yes"], "undesired": "yes"}
    features = [{"name": "age", "kind": "integer"}]
    file.write_text(yaml.safe_dump({**described, "features": features, "restricted": "patients said no"}))
    own = settings(generators=("remote",), datasets=(f"table:{file}", "breast-cancer"))
    planned, _ = api.plan(own)
    assert {c.context.dataset.name for c in planned.cells} == {"breast-cancer"}
    (skipped,) = planned.skipped
    assert "(patients said no)" in skipped.reason
    assert skipped.fix.endswith(f"--i-may-share table:{file.stem}")
    assert len(api.plan(own.model_copy(update={"may_share": (f"table:{file.stem}",)}))[0].cells) == 2


def test_other_datasets_and_machines_of_ones_own_are_not_affected(settings):
    both = settings(generators=("remote",), datasets=("secret", "breast-cancer"))
    assert {c.context.dataset.name for c in api.plan(both)[0].cells} == {"breast-cancer"}
    local = settings(generators=("remote",), options={"remote": {"host": ""}})
    assert api.plan(local)[0].cells


def test_who_answers_for_it_may_share(settings):
    assert api.plan(settings(generators=("remote",), may_share=("secret",)))[0].cells
    with pytest.raises(UnknownNameError, match="did you mean 'secret'"):
        api.plan(settings(generators=("remote",), may_share=("sekret",)))


def test_the_price_of_a_plan_is_known_before_it_runs(settings):
    planned, _ = api.plan(settings(generators=("spender", "identity"), k=2))
    assert api.estimate(planned) == {"spender": 0.5 * 6 * 2}


def test_what_augmentation_may_cost_is_in_the_price(settings):
    """Of 442 people no more than half of the share that is asked for can be missing."""
    grid = {"seeds": (0, 1), "amount": 0.5}
    planned, _ = api.plan(settings(generators=("spender",), augmentation=grid))
    assert api.estimate(planned) == {"spender": 0.5 * 6 + 2 * 0.5 * 111}


def test_a_restricted_dataset_is_not_sent_away_for_augmentation_either(settings):
    both = settings(generators=("remote",), datasets=("secret", "breast-cancer"), augmentation="quick")
    planned, _ = api.plan(both)
    sent = {c.context.dataset.name for c in planned.augmentation.cells if c.generator.name == "remote"}
    assert sent == {"breast-cancer"}
    assert {c.context.dataset.name for c in planned.augmentation.cells} == {"secret", "breast-cancer"}


def test_a_run_stops_before_the_call_that_would_exceed_its_budget(settings, tmp_path):
    config = settings(**OPEN, shard_size=2, max_cost_usd=1.2, cache=tmp_path / "cache")
    run = api.run(config, tmp_path / "run")
    (failure,) = run.failed
    assert failure.count("OverBudgetError") == failure.count("fix: ") == 1
    assert "--max-cost-usd" in failure
    assert SharedPurse(tmp_path / "run" / "spending.sqlite", None).gone() == 0.75  # 0.25 each, 0.5 needed ahead
    asked = (tmp_path / "cache" / "answers").read_text().split()
    assert len(asked) == 3


def test_with_more_money_it_goes_on_where_it_was(settings, tmp_path):
    config = settings(**OPEN, shard_size=2, max_cost_usd=1.2, cache=tmp_path / "cache")
    api.run(config, tmp_path / "run")
    run = api.run(config.model_copy(update={"max_cost_usd": 10.0}), tmp_path / "run")
    assert not run.failed
    asked = (tmp_path / "cache" / "answers").read_text().split()
    assert len(asked) == 7  # the finished shard of two is not asked again, the half-finished one is
    assert len(set(asked)) == 6


def test_options_that_a_generator_wants_named_stand_on_the_leaderboard_at_their_defaults_too(settings, tmp_path):
    run = api.run(settings(generators=("remote",), may_share=("secret",)), tmp_path / "run")
    assert "\n| remote (host=models.example.org) |" in (run.folder / "leaderboard.md").read_text()
