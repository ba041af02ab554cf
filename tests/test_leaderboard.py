"""Leaderboards: a pure function of their records, and a check that notices every edit."""

import copy
import json
from pathlib import Path

import pytest

from sensecf_bench.errors import EXIT_STALE, StaleError
from sensecf_bench.reports.leaderboard import command, only, render, render_dataset
from sensecf_bench.reports.publish import build, check

COMMITTED = Path(__file__).parent.parent / "leaderboards"


@pytest.fixture
def published(small_run, tmp_path):
    build(small_run.folder, tmp_path / "boards")
    return tmp_path / "boards"


def test_a_leaderboard_is_a_function_of_its_records(small_run, published):
    assert (published / "diabetes-progression.md").read_text() == render(small_run.document)
    assert check(published) == ["diabetes-progression"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("0 [0, ", "0.9 [0, "),
        ("# Leaderboard", "# Our leaderboard"),
        ("| *identity*", "| *identity* "),
        ("seed", "speed"),
    ],
)
def test_an_edit_by_hand_is_noticed(published, before, after):
    page = published / "diabetes-progression.md"
    assert before in page.read_text()
    page.write_text(page.read_text().replace(before, after, 1))
    with pytest.raises(StaleError, match=r"diabetes-progression\.md is not what its records say") as raised:
        check(published)
    assert raised.value.exit_code == EXIT_STALE


def test_an_edited_record_is_noticed(published):
    records = published / "diabetes-progression.json"
    content = json.loads(records.read_text())
    content["summary"][0]["metrics"]["validity"]["value"] = 0.99
    records.write_text(json.dumps(content))
    with pytest.raises(StaleError):
        check(published)


def test_a_page_without_records_and_records_without_a_page_are_noticed(published):
    (published / "diabetes-progression.md").rename(published / "renamed.md")
    with pytest.raises(StaleError, match=r"renamed\.md has no records.*diabetes-progression\.json has no leaderboard"):
        check(published)


def test_records_that_cannot_be_read_are_named(published):
    (published / "diabetes-progression.json").write_text("{}")
    with pytest.raises(StaleError, match=r"diabetes-progression\.json cannot be read"):
        check(published)


def test_sentinels_stand_in_the_table_and_are_not_ranked(small_run):
    page = render(small_run.document)
    assert "| *identity* | 0 [0, " in page
    assert "- `identity`: sentinel" in page


def test_what_was_skipped_is_listed_with_its_cure(small_run):
    document = copy.deepcopy(small_run.document)
    document["skipped"] = [{"generator": "gpt-4-zero-shot", "reason": "needs paid", "fix": "add --allow paid,network"}]
    assert "- `gpt-4-zero-shot`: skipped, needs paid; to enable it: add --allow paid,network" in render(document)


def test_bold_follows_the_records_and_nothing_else(small_run):
    records = copy.deepcopy(only(small_run.document, "diabetes-progression"))
    assert "**" not in render_dataset(records).split("## Not ranked")[0].replace("**Bold**", "")
    entry = next(e for e in records["summary"] if e["generator"] == "nearest-opposite")
    entry |= {"ranked": True, "sentinel": False, "best": ["validity"]}
    assert "| nearest-opposite | **0." in render_dataset(records)


def test_a_value_that_is_not_there_is_a_dash_and_never_a_number(small_run):
    records = copy.deepcopy(only(small_run.document, "diabetes-progression"))
    for entry in records["summary"]:
        entry["metrics"]["validity"] = {
            "value": None,
            "low": None,
            "high": None,
            "scored": 0,
            "eligible": 12,
            "asked": 12,
        }
    assert "| *identity* | – |" in render_dataset(records)


def test_the_command_repeats_the_run(small_run):
    assert command(small_run.document["config"]) == (
        "sensecf-bench run --generators identity,random-opposite,nearest-opposite --datasets diabetes-progression "
        "--classifiers svm --queries 12 --seeds 0 --resamples 200"
    )


def test_committed_leaderboards_are_what_their_records_say():
    assert {"breast-cancer", "diabetes-progression"} <= set(check(COMMITTED))
