"""A run through the Python interface: what is stored, what is reported, and what the sentinels must score."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from sensecf_bench import api
from sensecf_bench.errors import ConfigError, NothingRan, RunFolderError
from sensecf_bench.queries import Outcome


def test_every_query_has_exactly_one_outcome(small_run):
    for row in small_run.document["rows"]:
        assert sum(row["outcomes"].values()) == row["asked"] == 12
        assert set(row["outcomes"]) == {str(o) for o in Outcome}


def test_counts_stand_beside_every_value(small_run):
    for row in small_run.document["rows"]:
        for name, estimate in row["metrics"].items():
            assert set(estimate) == {"value", "low", "high", "scored", "eligible", "asked"}
            assert estimate["scored"] <= estimate["eligible"] <= estimate["asked"] == 12, name
            if estimate["low"] is not None:
                assert estimate["low"] <= estimate["value"] <= estimate["high"], name


def test_sentinels_score_what_they_must(small_run):
    metrics = {row["generator"]: row["metrics"] for row in small_run.document["rows"]}
    assert metrics["identity"]["validity"]["value"] == 0
    assert metrics["identity"]["sparsity"]["value"] == 0
    assert metrics["nearest-opposite"]["copying"]["value"] == 1
    assert metrics["nearest-opposite"]["plausibility"]["value"] == 1
    assert small_run.document["drift"] == []


def test_validity_is_recomputed_from_what_is_stored(small_run):
    queries, rows = small_run.queries, small_run.counterfactuals
    for row in small_run.document["rows"]:
        mine = rows[(rows["cf_generator"] == row["generator"]) & (rows["cf_reason"] == "")]
        target = queries.set_index(["cf_generator", "query_id"])["cf_target"]
        hits = sum(target[(row["generator"], r.query_id)] == r.cf_predicted for r in mine.itertuples())
        assert row["metrics"]["validity"]["value"] == pytest.approx(hits / 12)


def test_stored_probability_belongs_to_the_target_class(small_run):
    rows = small_run.counterfactuals
    rows = rows[rows["cf_reason"] == ""]
    assert np.array_equal(rows["cf_probability"] > 0.5, rows["cf_predicted"] == 0)


def test_results_frame_has_a_row_a_cell_and_metric(small_run):
    frame = small_run.results
    assert len(frame) == 3 * len(small_run.document["metrics"])
    assert {"value", "low", "high", "scored", "eligible", "asked", "generator", "metric"} <= set(frame.columns)


def test_classifier_quality_is_recorded(small_run):
    (context,) = small_run.document["contexts"]
    assert context["test"] == 89
    assert 0.6 < context["quality"]["accuracy"] < 0.9
    assert {"accuracy", "f1", "auc"} <= set(context["quality"])


def test_the_folder_speaks_for_itself(small_run):
    names = {p.name for p in small_run.folder.iterdir()}
    assert {"run.json", "cells", "results.json", "leaderboard.md"} <= names
    for cell in (small_run.folder / "cells").iterdir():
        assert {p.name for p in cell.iterdir()} == {"record.json", "queries.parquet", "rows.parquet"}
    assert json.loads((small_run.folder / "results.json").read_text()) == small_run.document


def test_scoring_again_changes_nothing_but_the_clock(small_run, tmp_path):
    again = api.score(shutil.copytree(small_run.folder, tmp_path / "run")).document
    changed = {name for name in again if again[name] != small_run.document[name]}
    assert changed == {"timing"}
    assert again["timing"]["generate"] == small_run.document["timing"]["generate"]


def test_load_opens_a_finished_run(small_run):
    assert api.load(small_run.folder).document == small_run.document


def test_more_counterfactuals_a_query_bring_diversity(tmp_path, small_config):
    config = small_config.model_copy(
        update={"k": 3, "generators": ("random-opposite",), "datasets": ("breast-cancer",)}
    )
    run = api.run(config, tmp_path / "k3")
    (row,) = run.document["rows"]
    assert row["metrics"]["diversity"]["value"] > 0
    assert run.counterfactuals.groupby("query_id").size().eq(3).all()
    assert sorted(run.counterfactuals["cf_rank"].unique()) == [0, 1, 2]


def test_fewer_queries_than_asked_is_said(tmp_path, small_config):
    run = api.run(small_config.model_copy(update={"queries": 80, "generators": ("identity",)}), tmp_path / "many")
    (note,) = run.document["notes"]
    assert "80 queries asked for" in note
    assert str(run.document["contexts"][0]["queries"]) in note


def test_a_run_of_nothing_is_a_failure(tmp_path):
    plugin = tmp_path / "needy.py"
    plugin.write_text(
        "from sensecf_bench import Generator, hookimpl\n"
        "class Needy(Generator):\n"
        "    name, needs = 'needy', frozenset({'paid'})\n"
        "    def generate(self, queries): return None\n"
        "@hookimpl\n"
        "def sensecf_generators(): return [Needy]\n"
    )
    with pytest.raises(NothingRan, match=r"needy: needs paid .*--allow paid"):
        api.run(api.RunConfig(generators=("needy",), plugins=(plugin,)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_without_results_cannot_be_loaded(tmp_path):
    with pytest.raises(RunFolderError, match=r"no results\.json"):
        api.load(tmp_path)
    with pytest.raises(RunFolderError, match="not a results folder"):
        api.score(tmp_path)


def test_plugins_that_listen_are_told_and_cannot_stop_a_run(tmp_path, small_config):
    plugin = tmp_path / "listener.py"
    plugin.write_text(
        "import json, pathlib\n"
        "from sensecf_bench import hookimpl\n"
        "LOG = pathlib.Path(__file__).with_suffix('.log')\n"
        "def note(line):\n"
        "    with LOG.open('a') as log: log.write(line + '\\n')\n"
        "@hookimpl\n"
        "def sensecf_cell_started(cell): note('started ' + cell['generator'])\n"
        "@hookimpl\n"
        "def sensecf_cell_finished(record): note('finished ' + record['cell']['generator']); raise RuntimeError('deaf')\n"
        "@hookimpl\n"
        "def sensecf_run_finished(summary): note(f\"run {len(summary['rows'])}\")\n"
    )
    config = small_config.model_copy(update={"plugins": (plugin,), "generators": ("identity",)})
    warned = []

    class Listening(api.Quiet):
        def warn(self, message):
            warned.append(message)

    api.run(config, tmp_path / "run", Listening())
    assert plugin.with_suffix(".log").read_text().splitlines() == ["started identity", "finished identity", "run 1"]
    assert any("listener.py" in line and "deaf" in line for line in warned)


def test_scoring_again_keeps_failed_cells(tmp_path, small_config):
    run = api.run(with_a_bad_classifier(tmp_path, small_config), tmp_path / "run")
    again = api.score(tmp_path / "run")
    assert again.document["rows"] == run.document["rows"]
    assert again.document["summary"] == run.document["summary"]
    assert again.failed == run.failed


def test_an_edited_plugin_is_asked_again_and_its_old_answers_are_not_mixed_in(tmp_path, small_config):
    plugin = tmp_path / "edited.py"
    source = (
        "from sensecf_bench import Generator, hookimpl\n"
        "class Edited(Generator):\n"
        "    'Changes between runs.'\n"
        "    name = 'edited'\n"
        "    def generate(self, queries): return ANSWER\n"
        "@hookimpl\n"
        "def sensecf_generators(): return [Edited]\n"
    )
    config = small_config.model_copy(update={"plugins": (plugin,), "generators": ("edited",)})
    for answer, outcome in (("None", "ABSTAINED"), ("queries.frame", "FOUND")):
        plugin.write_text(source.replace("ANSWER", answer))
        done = subprocess.run(
            [sys.executable, "-c", "import sys; from sensecf_bench import api\n"
             "api.run(api.RunConfig.model_validate_json(sys.argv[1]), sys.argv[2])", config.model_dump_json(), tmp_path / "run"],
            capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        run = api.load(tmp_path / "run")
        assert set(run.queries["cf_outcome"]) == {outcome}
        assert len(run.queries) == 12


def test_two_tables_of_one_name_are_refused(tmp_path, small_config):
    for name, offset in (("one", 0), ("two", 1)):
        rows = ["a,b,y", *(f"{i + offset},{(i * 7) % 50},{int(i > 30)}" for i in range(60))]
        (tmp_path / f"{name}.csv").write_text("\n".join(rows))
        features = "features: [{name: a, kind: integer}, {name: b, kind: integer}]"
        described = f"name: twin\nfile: {name}.csv\ntarget: y\nclasses: ['0', '1']\nundesired: '1'\n{features}\n"
        (tmp_path / f"{name}.yaml").write_text(described)
    tables = tuple(f"table:{tmp_path / name}.yaml" for name in ("one", "two"))
    with pytest.raises(ConfigError, match="two datasets are called 'twin'"):
        api.run(small_config.model_copy(update={"datasets": tables}), tmp_path / "run")


def test_a_preloaded_module_that_raises_costs_nobody_anything(tmp_path, small_config):
    (tmp_path / "explosive_module.py").write_text("raise RuntimeError('at import')\n")
    plugin = tmp_path / "preloads.py"
    plugin.write_text(
        "import sys\n"
        "from sensecf_bench import Generator, hookimpl\n"
        "class Preloads(Generator):\n"
        "    'Wants a module that cannot be imported.'\n"
        "    name, preload = 'preloads', ('explosive_module', 'antigravity_is_not_there')\n"
        "    def generate(self, queries): return None\n"
        "@hookimpl\n"
        "def sensecf_generators(): return [Preloads]\n"
    )
    config = small_config.model_copy(update={"plugins": (plugin,), "generators": ("preloads", "identity")})
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from sensecf_bench import api\n"
         "api.run(api.RunConfig.model_validate_json(sys.argv[1]), sys.argv[2])", config.model_dump_json(), tmp_path / "run"],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert api.load(tmp_path / "run").failed == []


def test_options_that_refuse_company_reach_the_generator_alone(tmp_path, small_config):
    plugin = tmp_path / "exclusive.py"
    plugin.write_text(
        "from pydantic import model_validator\n"
        "from sensecf_bench import Generator, PluginOptions, hookimpl\n"
        "class Exclusive(Generator):\n"
        "    'Takes one option, and no other beside it.'\n"
        "    name = 'exclusive'\n"
        "    class Options(PluginOptions):\n"
        "        stock: bool = False\n"
        "        steps: int = 3\n"
        "        @model_validator(mode='after')\n"
        "        def alone(self):\n"
        "            if self.stock and self.model_fields_set != {'stock'}: raise ValueError('stock takes no company')\n"
        "            return self\n"
        "    def generate(self, queries): return queries.frame if self.options.stock else None\n"
        "@hookimpl\n"
        "def sensecf_generators(): return [Exclusive]\n"
    )
    update = {"plugins": (plugin,), "generators": ("exclusive",), "options": {"exclusive": {"stock": True}}}
    run = api.run(small_config.model_copy(update=update), tmp_path / "run")
    assert set(run.queries["cf_outcome"]) == {"FOUND"}


def with_a_bad_classifier(tmp_path, small_config):
    plugin = tmp_path / "bad_classifier.py"
    plugin.write_text(
        "from sensecf_bench import Classifier, hookimpl\n"
        "class Bad(Classifier):\n"
        "    'Never learns.'\n"
        "    name = 'bad'\n"
        "    def fit(self, schema, rows, labels, seed): raise RuntimeError('will not learn')\n"
        "    def predict_proba(self, rows): return rows[:, :2]\n"
        "@hookimpl\n"
        "def sensecf_classifiers(): return [Bad]\n"
    )
    return small_config.model_copy(update={"plugins": (plugin,), "classifiers": ("bad", "svm")})


def test_a_classifier_that_fails_costs_its_own_cells(tmp_path, small_config):
    run = api.run(with_a_bad_classifier(tmp_path, small_config), tmp_path / "run")
    status = {(r["classifier"], r["generator"]): r["status"] for r in run.document["rows"]}
    assert {s for (c, _), s in status.items() if c == "bad"} == {"failed"}
    assert {s for (c, _), s in status.items() if c == "svm"} == {"ok"}
    assert all("will not learn" in line for line in run.failed)
    assert all(e["metrics"]["validity"]["value"] is None for e in run.document["summary"])


def test_listeners_are_told_of_every_cell_and_of_the_end(tmp_path, monkeypatch, small_config, single_file_plugins):
    monkeypatch.chdir(tmp_path)
    names = ("identity", "nearest-opposite")
    config = small_config.model_copy(update={"generators": names, "plugins": (single_file_plugins / "listener.py",)})
    api.run(config, tmp_path / "run")
    heard = [json.loads(line) for line in (tmp_path / "heard.jsonl").read_text().splitlines()]
    assert sorted(entry["generator"] for entry in heard if entry["event"] == "cell started") == list(names)
    assert [sum(entry["outcomes"].values()) for entry in heard if entry["event"] == "cell finished"] == [12, 12]
    assert heard[-1] == {"event": "run finished", "rows": 2}
