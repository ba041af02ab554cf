"""What generators say of their own counterfactuals: kept, read back, quoted without effect, and never scored."""

import json
import re
import runpy

import pandas as pd
import pytest
from markdown_it import MarkdownIt

from sensecf_bench import api
from sensecf_bench.engine.files import digest
from sensecf_bench.engine.store import RunStore
from sensecf_bench.engine.worker import data_for
from sensecf_bench.queries import LONGEST_RATIONALE, query_seed
from sensecf_bench.reports.leaderboard import only, render, render_dataset
from sensecf_bench.reports.publish import build, check

QUERIES = 12
HEADING = "## What the models say"


@pytest.fixture(scope="module")
def config(single_file_plugins):
    def make(**more):
        basis = {
            "datasets": ("breast-cancer",),
            "classifiers": ("svm",),
            "metrics": ("validity", "sparsity"),
            "queries": QUERIES,
            "resamples": 100,
            "jobs": 1,
            "augmentation": "off",
            "plugins": (single_file_plugins / "outspoken.py", single_file_plugins / "closed.py"),
        }
        return api.RunConfig(**{**basis, **more})

    return make


@pytest.fixture(scope="module")
def told(config, tmp_path_factory):
    names = ("silent", "says-nothing-at-length", "outspoken", "says", "unfounded", "nearest-opposite")
    return api.run(
        config(generators=names, options={"says": {"says": "She sleeps more."}}, classifiers=("svm", "random-forest")),
        tmp_path_factory.mktemp("told") / "run",
    )


def cells_of(run, generator):
    return [run.folder / "cells" / r["cell"] for r in run.document["rows"] if r["generator"] == generator]


def section(page):
    """The part of a page that quotes generators."""
    return page.split(HEADING)[1].split("\n## ")[0]


# -- kept and read back ----------------------------------------------------------------------------------------------
def test_each_rationale_stands_beside_its_own_row(told, single_file_plugins):
    hostile = runpy.run_path(str(single_file_plugins / "outspoken.py"))["HOSTILE"]
    rows = told.counterfactuals
    mine = rows[rows["cf_generator"] == "outspoken"]
    assert len(mine) == 2 * QUERIES
    for query_id, said in zip(mine["query_id"], mine["cf_rationale"], strict=True):
        assert said == hostile[query_seed(0, query_id) % len(hostile)].replace("\ud83d", "?")
    says = rows[rows["cf_generator"] == "says"]
    even = [query_seed(0, query_id) % 2 == 0 for query_id in says["query_id"]]
    assert 0 < sum(even) < len(even)
    assert says["cf_rationale"].tolist() == ["She sleeps more." if e else "" for e in even]
    for silent in ("silent", "says-nothing-at-length", "nearest-opposite"):
        assert set(rows.loc[rows["cf_generator"] == silent, "cf_rationale"]) == {""}


def test_tables_of_those_who_say_nothing_are_as_they_were(told):
    for silent in ("silent", "says-nothing-at-length", "nearest-opposite"):
        for cell in cells_of(told, silent):
            assert "cf_rationale" not in pd.read_parquet(cell / "rows.parquet").columns
    for one, other in zip(cells_of(told, "silent"), cells_of(told, "says-nothing-at-length"), strict=True):
        assert digest(one / "rows.parquet") == digest(other / "rows.parquet")


def test_a_run_without_rationales_has_neither_an_entry_nor_a_section(small_run):
    assert "rationales" not in small_run.document
    assert HEADING not in render(small_run.document)


def test_nothing_said_changes_a_score(told):
    scores = {e["generator"]: e["metrics"] for e in told.document["summary"]}
    assert scores["outspoken"] == scores["silent"] == scores["says"]


def test_a_resumed_and_a_rescored_run_say_the_same(told, config):
    stored = told.counterfactuals
    again = api.run(config(**told_settings(told)), told.folder)
    assert again.counterfactuals.equals(stored)
    assert again.document["rationales"] == told.document["rationales"]
    rescored = api.score(told.folder)
    assert rescored.document["rationales"] == told.document["rationales"]
    assert api.load(told.folder).counterfactuals.equals(stored)


def told_settings(run):
    kept = json.loads((run.folder / "run.json").read_text())["config"]
    return {name: kept[name] for name in ("generators", "options", "classifiers")}


def test_what_was_said_before_a_run_was_cut_off_is_kept(config, tmp_path, monkeypatch):
    """A run ends when its shards are written, and one of three is lost: the others are read back as they were stored."""
    settings = config(generators=("outspoken",), shard_size=5)
    whole = api.run(settings, tmp_path / "whole")
    cut = tmp_path / "cut"

    def end(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(RunStore, "finish", end)
        api.run(settings, cut)
    first, *others = sorted(cut.glob("cells/*/shard-*.bin"))
    assert len(others) == 2
    first.unlink()
    resumed = api.run(settings, cut)
    assert resumed.counterfactuals.equals(whole.counterfactuals)
    assert (resumed.counterfactuals["cf_rationale"] != "").all()


def test_one_without_end_is_cut_and_says_so(config, tmp_path):
    text = "é" * (LONGEST_RATIONALE + 1)
    run = api.run(config(generators=("says",), options={"says": {"says": text}}), tmp_path / "run")
    kept = {said for said in run.counterfactuals["cf_rationale"] if said}
    assert kept == {"é" * LONGEST_RATIONALE + "… [cut]"}
    just = api.run(config(generators=("says",), options={"says": {"says": text[1:]}}), tmp_path / "just")
    assert {said for said in just.counterfactuals["cf_rationale"] if said} == {text[1:]}


@pytest.mark.parametrize(
    ("generator", "why"),
    [
        ("speaks-of-strangers", "notes about queries nobody asked: ['nobody']"),
        ("says-too-much", "2 rationale(s) for a query of 1 row(s), not one for each row"),
        ("says-one-text", "a query's rationales are a list with a text for each of its rows, not str"),
        ("says-numbers", "a rationale is float, not text"),
        ("says-a-list", "rationales are lists of texts by query id, not list"),
    ],
)
def test_what_cannot_be_matched_to_rows_breaks_the_protocol(config, tmp_path, generator, why):
    run = api.run(config(generators=(generator,), queries=2), tmp_path / "run")
    assert set(run.queries["cf_outcome"]) == {"ERROR"}
    assert set(run.queries["cf_reason"]) == {"protocol"}
    assert set(run.queries["cf_detail"]) == {why}


# -- shown -----------------------------------------------------------------------------------------------------------
def test_examples_are_the_first_valid_ones_by_query_id(told):
    (item,) = [i for i in told.document["rationales"] if i["generator"] == "says"]
    rows, queries = told.counterfactuals, told.queries
    mine = rows[(rows["cf_generator"] == "says") & (rows["cf_rationale"] != "")]
    target = queries["cf_target"].iloc[0]
    valid = mine[(mine["cf_reason"] == "") & (mine["cf_predicted"] == target)]
    assert [e["query"] for e in item["examples"]] == sorted(set(valid["query_id"]))[:3]
    assert item["with_rationale"] == len(mine)
    assert item["rows"] == 2 * QUERIES


def test_the_changes_shown_are_those_of_the_row(told):
    (item,) = [i for i in told.document["rationales"] if i["generator"] == "outspoken"]
    example = item["examples"][0]
    rows, queries = told.counterfactuals, told.queries

    def only_one(table):
        same = (table["cf_generator"] == "outspoken") & (table["query_id"] == example["query"])
        return table[same & (table["cf_classifier"] == example["classifier"])].iloc[0]

    before, after = only_one(queries), only_one(rows)
    schema = data_for(api.plan(api.RunConfig(datasets=("breast-cancer",)))[0].contexts[0]).schema
    moved = [f.name for f in schema.features if abs(before[f.name] - after[f.name]) > f.step]
    assert [c["feature"] for c in example["changes"]] == moved
    for change in example["changes"]:
        step = next(f.step for f in schema.features if f.name == change["feature"])
        assert float(change["from"]) == pytest.approx(before[change["feature"]], abs=step / 2)
        assert float(change["to"]) == pytest.approx(after[change["feature"]], abs=step / 2)


def test_the_page_quotes_and_says_that_nothing_was_checked(told):
    page = (told.folder / "leaderboard.md").read_text()
    said = section(page)
    assert "not checked, not scored" in said
    assert said.count("> “She sleeps more.”") == 3
    assert "**unfounded**: 24 of 24 rows came with a rationale. None of those rows is a valid counterfactual" in said
    assert "**silent**" not in said
    assert "nearest-opposite" not in said


def test_a_hostile_rationale_changes_nothing_on_the_page(told):
    """Of the whole page, a Markdown reader finds the same headings, tables and raw HTML as without any rationale."""
    page = (told.folder / "leaderboard.md").read_text()
    quiet = render({**told.document, "rationales": []})

    def found(text):
        tokens = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
        inline = [child for token in tokens for child in token.children or ()]
        headings = [tokens[i + 1].content for i, token in enumerate(tokens) if token.type == "heading_open"]
        html = [t.content for t in [*tokens, *inline] if t.type.startswith("html") and t.content != "<!-- -->"]
        kinds = [t.type for t in [*tokens, *inline]]
        return {"headings": headings, "html": html, **{k: kinds.count(k) for k in ("table_open", "link_open", "image")}}

    with_them, without = found(page), found(quiet)
    assert with_them["headings"].count("What the models say") == 1
    with_them["headings"].remove("What the models say")
    assert with_them == without
    assert "\x00" not in page and "\x1b" not in page and "\u202e" not in page and "\u2028" not in page


def test_a_long_rationale_is_quoted_with_an_ellipsis(config, tmp_path):
    run = api.run(config(generators=("says",), options={"says": {"says": "why " * 200}}), tmp_path / "run")
    quotes = re.findall("> “(.*)”", (run.folder / "leaderboard.md").read_text())
    assert len(quotes) == 3
    assert {len(quote) for quote in quotes} == {300}
    assert all(quote.endswith("why…") for quote in quotes)


@pytest.mark.parametrize(
    ("dataset", "why"),
    [
        ("closed", "the licence \\| says &lt;no&gt;"),
        ("doubtful", "asked whether they may be passed on, the dataset raised FileNotFoundError"),
    ],
)
def test_of_restricted_data_nobody_is_shown(config, tmp_path, dataset, why):
    secret = "She, and nobody else, sleeps badly."
    run = api.run(config(generators=("indiscreet",), datasets=(dataset,)), tmp_path / "run")
    build(run.folder, tmp_path / "boards")
    (item,) = run.document["rationales"]
    assert item["with_rationale"] > 0
    assert item["examples"] == []
    published = [run.folder / "leaderboard.md", run.folder / "results.json", *(tmp_path / "boards").iterdir()]
    assert len(published) == 4
    for file in published:
        text = file.read_text()
        assert secret not in text and "patient-17" not in text
        if file.suffix == ".md":
            assert f"None is shown, because rows of this dataset may not be passed on: {why}." in text
            assert "> “" not in text
            assert not [query for query in run.queries["query_id"] if f"query {query} " in text]
        else:
            assert not [entry for entry in json.loads(text)["rationales"] if entry["examples"]]
    stored = run.counterfactuals["cf_rationale"]
    assert secret in set(stored)  # whoever may read the rows finds it there


def test_published_pages_quote_what_their_records_hold(told, tmp_path):
    build(told.folder, tmp_path / "boards")
    assert check(tmp_path / "boards") == ["breast-cancer"]
    records = json.loads((tmp_path / "boards" / "breast-cancer.json").read_text())
    assert section(render_dataset(records)) == section((told.folder / "leaderboard.md").read_text())


def test_a_page_quotes_only_what_was_said_on_its_dataset(told):
    elsewhere = {**told.document["rationales"][0], "dataset": "another"}
    document = {**told.document, "rationales": [*told.document["rationales"], elsewhere]}
    assert only(document, "breast-cancer")["rationales"] == told.document["rationales"]
