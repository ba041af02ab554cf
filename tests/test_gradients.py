"""Generators that need derivatives: what they get, and what becomes of them where there are none."""

from pathlib import Path

import numpy as np
import pytest

from sensecf_bench import Generator, api
from sensecf_bench.classifiers import GradientBoosting, NeuralNetwork, RandomForest, SupportVectorMachine
from sensecf_bench.engine.desk import needs_gradients
from sensecf_bench.errors import AccessError
from sensecf_bench.reports.leaderboard import render
from sensecf_bench.testing import local_setting

ASKED = 12
NOTE = "diabetes-progression · up-the-slope abstains from random-forest, xgboost: they offer no gradients."


@pytest.fixture(scope="module")
def run(tmp_path_factory, single_file_plugins):
    """The same people asked about classifiers with and without derivatives."""
    config = api.RunConfig(
        datasets=("diabetes-progression",),
        classifiers=("mlp", "random-forest", "xgboost"),
        generators=("up-the-slope", "asks-above-its-tier", "nearest-opposite"),
        plugins=(single_file_plugins / "gradients.py",),
        queries=ASKED,
        resamples=200,
        augmentation="off",
    )
    return api.run(config, tmp_path_factory.mktemp("gradients") / "run")


def of(frame, generator, classifier):
    return frame[(frame["cf_generator"] == generator) & (frame["cf_classifier"] == classifier)]


def summary_of(run, generator):
    return next(e for e in run.document["summary"] if e["generator"] == generator)


def row_of(run, generator, classifier):
    return next(r for r in run.document["rows"] if (r["generator"], r["classifier"]) == (generator, classifier))


def test_derivatives_lead_to_the_target_class(run):
    answered = row_of(run, "up-the-slope", "mlp")
    assert answered["outcomes"]["FOUND"] == ASKED
    assert answered["metrics"]["validity"]["value"] > 0.9


def test_derivatives_are_counted_as_predictions_are(run):
    asked = row_of(run, "up-the-slope", "mlp")["metrics"]
    assert asked["validity"]["value"] * asked["cost-rows"]["value"] == pytest.approx(40)  # a row a step and query


@pytest.mark.parametrize("classifier", ["random-forest", "xgboost"])
def test_without_derivatives_every_query_is_an_abstention_with_its_reason(run, classifier):
    queries = of(run.queries, "up-the-slope", classifier)
    assert len(queries) == ASKED
    assert set(queries["cf_outcome"]) == {"ABSTAINED"}
    assert set(queries["cf_reason"]) == {"no-gradients"}
    assert set(queries["cf_detail"]) == {f"classifier {classifier} offers no gradients"}
    assert not queries[["cf_calls", "cf_rows", "cf_seconds"]].to_numpy().any()
    row = row_of(run, "up-the-slope", classifier)
    assert (row["status"], row["asked"], row["outcomes"]["ABSTAINED"]) == ("ok", ASKED, ASKED)
    assert row["metrics"]["validity"] | {"low": 0, "high": 0} == {
        "value": 0, "low": 0, "high": 0, "scored": ASKED, "eligible": ASKED, "asked": ASKED
    }  # fmt: skip


def test_the_generator_is_not_even_started_there(run):
    assert row_of(run, "up-the-slope", "mlp")["fit"]["seconds"] > 0
    assert row_of(run, "up-the-slope", "random-forest")["fit"] == {"seconds": 0, "calls": 0, "rows": 0}


def test_denominators_are_everybodys(run):
    for entry in run.document["summary"]:
        assert sum(entry["outcomes"].values()) == 3 * ASKED
        assert entry["metrics"]["validity"]["asked"] == 3 * ASKED


def test_the_failure_is_visible(run):
    assert any(note.startswith(NOTE) for note in run.document["notes"])
    page = render(run.document)
    assert NOTE in page.partition("## Notes")[2]
    assert "the derivatives of its probabilities (gradient)" in page
    assert summary_of(run, "up-the-slope")["no_gradients_from"] == ["random-forest", "xgboost"]
    assert summary_of(run, "nearest-opposite")["no_gradients_from"] == []


def test_who_abstains_from_whole_classifiers_is_ranked_and_never_best(run):
    entry = summary_of(run, "up-the-slope")
    assert entry["ranked"]
    assert entry["metrics"]["validity"]["value"] <= 1 / 3
    assert entry["best"] == []


def test_a_value_over_some_classifiers_is_no_rival_for_one_over_all(tmp_path, single_file_plugins):
    """The same two generators on the same people: with the classifier that has no derivatives, the gap in distance is as
    clear, and says less."""
    common = {
        "datasets": ("diabetes-progression",),
        "generators": ("up-the-slope", "far-off"),
        "plugins": (single_file_plugins / "gradients.py", _far_off(tmp_path)),
        "queries": 60,
        "resamples": 200,
        "augmentation": "off",
    }
    alone = api.run(api.RunConfig(classifiers=("mlp",), **common), tmp_path / "alone")
    both = api.run(api.RunConfig(classifiers=("mlp", "random-forest"), **common), tmp_path / "both")
    assert "distance" in summary_of(alone, "up-the-slope")["best"]
    assert summary_of(both, "up-the-slope")["best"] == []
    assert not any("gradients" in note for note in alone.document["notes"])
    assert any("abstains from random-forest: it offers no gradients" in note for note in both.document["notes"])


def _far_off(folder):
    """A generator that is plainly farther away than anybody else."""
    file = folder / "far_off.py"
    file.write_text(
        "from sensecf_bench import Generator, hookimpl\n\n\n"
        "class FarOff(Generator):\n"
        '    """Puts every blood pressure at its hard bound."""\n\n'
        '    name = "far-off"\n\n'
        "    def generate(self, queries):\n"
        "        frame = queries.frame.reset_index()\n"
        "        return frame.assign(blood_pressure_mmhg=200.0, ldl_mg_dl=500.0, hdl_mg_dl=5.0)\n\n\n"
        "@hookimpl\n"
        "def sensecf_generators():\n"
        "    return [FarOff]\n"
    )
    return file


def test_the_tier_below_does_not_get_them(run):
    queries = of(run.queries, "asks-above-its-tier", "mlp")
    assert set(queries["cf_outcome"]) == {"ERROR"}
    assert queries["cf_detail"].str.contains("asked for gradients").all()
    assert len(of(run.queries, "asks-above-its-tier", "random-forest")) == ASKED


class Slopes(Generator):
    """Asks for derivatives."""

    name = "slopes"
    access = "gradient"

    def generate(self, queries):
        return None


def test_derivatives_are_of_the_target_class():
    setting = local_setting("breast-cancer", "svm", queries=5)
    task = setting.explained.task(Slopes, Path())
    assert task.target == 0
    rows = setting.queries.matrix
    np.testing.assert_array_equal(task.gradient(rows), -setting.explained.model.gradient(rows))
    np.testing.assert_array_equal(task.gradient(setting.queries.frame), task.gradient(rows))


def test_a_classifier_without_derivatives_says_so_to_whoever_asks():
    setting = local_setting("breast-cancer", "random-forest", queries=5)
    task = setting.explained.task(Slopes, Path())
    with pytest.raises(AccessError, match="offers no gradients"):
        task.gradient(setting.queries.matrix)


@pytest.mark.parametrize("classifier", [SupportVectorMachine, NeuralNetwork, RandomForest, GradientBoosting])
def test_only_the_gradient_tier_needs_gradients(classifier):
    class Modest(Slopes):
        access = "training-data"

    assert needs_gradients(Slopes, classifier) == (classifier in (RandomForest, GradientBoosting))
    assert not needs_gradients(Modest, classifier)
