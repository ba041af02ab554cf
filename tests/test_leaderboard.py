"""Leaderboards: a pure function of their records, and a check that notices every edit."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

from sensecf_bench.contracts import Sums
from sensecf_bench.errors import EXIT_STALE, RunFolderError, StaleError
from sensecf_bench.metrics.bootstrap import difference, estimates
from sensecf_bench.metrics.sparsity import Sparsity
from sensecf_bench.queries import Outcome
from sensecf_bench.reports.leaderboard import MEANING, only, render, render_dataset
from sensecf_bench.reports.origin import command, records_hash
from sensecf_bench.reports.pooling import LEAST_PEOPLE, Pool, best_of
from sensecf_bench.reports.publish import build, check
from sensecf_bench.reports.results import _metric

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
    assert "| *identity* | label | 0 [0, " in page
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
    assert "| nearest-opposite | training-data | **0." in render_dataset(records)


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
    assert "| *identity* | label | – |" in render_dataset(records)


def test_the_command_repeats_the_run(small_run):
    assert command(small_run.document["config"]) == (
        "sensecf-bench run --generators identity,random-opposite,nearest-opposite --datasets diabetes-progression "
        "--classifiers svm --queries 12 --seeds 0 --resamples 200 --augmentation off"
    )


@pytest.fixture
def records(small_run):
    return copy.deepcopy(only(small_run.document, "diabetes-progression"))


def test_the_command_quotes_and_names_plugins_without_folders(small_run):
    config = small_run.document["config"] | {
        "plugins": ["/home/somebody/my plugin.py"],
        "blocked": ["nice"],
        "cache": "/home/somebody/cache",
        "may_share": ["aireadi", "mine"],
        "datasets": ["breast-cancer", "table:/home/somebody/people.yaml"],
        "options": {"dice-*": {"stock": True}, "mine": {"weights": "/home/somebody/mine.bin"}},
    }
    text = command(config)
    assert "--datasets breast-cancer,table:people.yaml " in text
    assert text.endswith(
        "--set 'dice-*.stock=true' --set 'mine.weights=\"mine.bin\"' --plugin 'my plugin.py' --block nice "
        "--i-may-share aireadi --i-may-share mine"
    )


def test_published_records_hold_no_folders_and_publishing_twice_changes_nothing(small_run):
    document = copy.deepcopy(small_run.document)
    document["config"] |= {"plugins": ["/home/somebody/mine.py"], "datasets": ["table:/home/somebody/people.yaml"]}
    document["config"]["cache"] = "/home/somebody/cache"
    document["config"]["options"] = {"table": {"schema_file": "/home/somebody/people.yaml"}}
    reason = "one/model is not in /home/somebody/.cache/hub (see https://example.org/a/b, or --out runs/mine)"
    document["skipped"] = [{"generator": "mine", "reason": reason, "fix": "copy it to /home/somebody/models/one."}]
    document["summary"][0]["options"] = {"weights": ["/home/somebody/mine.bin"]}
    before = copy.deepcopy(document)
    published = only(document, "diabetes-progression")
    assert "somebody" not in json.dumps(published)
    (skipped,) = published["skipped"]
    assert skipped["reason"] == "one/model is not in hub (see https://example.org/a/b, or --out runs/mine)"
    assert only(published, "diabetes-progression") == published
    assert document == before


def test_equal_runs_have_equal_hashes_and_other_answers_another(records):
    later = copy.deepcopy(records)
    later["timing"]["wall"] += 7
    later["timing"]["jobs"] += 1
    later["config"]["jobs"] = 3
    later["config"]["cache"] = "/home/somebody/cache"
    later["provenance"]["date"] = "2001-01-01"
    for entry in (*later["rows"], *later["summary"]):
        entry["metrics"]["cost-seconds"]["value"] = 123.0
    for row in later["rows"]:
        row["fit"]["seconds"] = 123.0
    assert records_hash(later) == records_hash(records)
    later["rows"][0]["metrics"]["validity"]["value"] = 0.5
    assert records_hash(later) != records_hash(records)


def test_a_metric_that_raised_is_a_note(records):
    for row in records["rows"][:2]:
        row |= {"generator": "identity", "metric_errors": {"distance": "ValueError: one\ntwo"}}
    assert (
        "- `distance` raised on 2 cell(s) of `identity`, the first svm · seed 0: ValueError: one two\n"
        in render_dataset(records)
    )


def test_every_outcome_is_explained(records):
    assert set(MEANING) == set(Outcome)
    page = render_dataset(records)
    assert all(f"{name}: {MEANING[Outcome(name)]}" in page for name in records["summary"][0]["outcomes"])


def test_one_seed_is_said_to_be_one_split(records):
    assert "one seed is one split" in render_dataset(records)
    records["config"]["seeds"] = [0, 1]
    assert "one seed is one split" not in render_dataset(records)


def test_the_page_says_how_many_workers_shared_the_machine(records):
    records["timing"]["jobs"] = 13
    assert " cores, 13 workers;" in render_dataset(records)


def test_a_line_break_in_a_name_does_not_end_a_row(records):
    next(e for e in records["summary"] if e["sentinel"])["generator"] = "two\nlines|bars"
    assert "| *two lines\\|bars* |" in render_dataset(records)


def test_the_place_of_an_edit_is_named(published):
    page = published / "diabetes-progression.md"
    page.write_text(page.read_text().replace("## Outcomes", "## Results"))
    number = page.read_text().splitlines().index("## Results") + 1
    with pytest.raises(
        StaleError, match=rf"diabetes-progression\.md:{number}: expected '## Outcomes', found '## Results'"
    ):
        check(published)


def test_a_run_folder_is_not_a_folder_of_leaderboards(small_run):
    with pytest.raises(RunFolderError, match="is a run folder"):
        check(small_run.folder)


def test_a_metric_without_a_docstring_has_no_description():
    class Silent(Sparsity):
        name = "silent"

    assert _metric(Silent())["description"] == ""


# -- who is best -----------------------------------------------------------------------------------------------------
def pool_of(values, people):
    """A pool of one sparsity a person, in one cell; NaN where the person got no answer."""
    metric, values = Sparsity(), np.asarray(values, dtype=float)
    scored = np.isfinite(values)
    sums = Sums(np.column_stack([np.where(scored, values, 0.0), scored]), scored, scored)
    ids = np.array([str(p) for p in people])
    known = estimates([(metric, sums)], ids, resamples=500)
    return Pool(known, {metric.name: sums}, ids, ids, len(ids))


def best(**pools):
    return best_of(pools, [Sparsity()], 500).get("sparsity", set())


def test_too_few_common_people_cannot_tell_two_generators_apart():
    few, enough = range(LEAST_PEOPLE - 1), range(LEAST_PEOPLE)
    noise = np.arange(LEAST_PEOPLE) % 2
    assert best(good=pool_of(1 + noise[:-1], few), bad=pool_of(9 + noise[:-1], few)) == set()
    assert best(good=pool_of(1 + noise, enough), bad=pool_of(9 + noise, enough)) == {"good"}


def test_people_are_common_only_where_both_have_a_value():
    first, second = np.full(40, 1.0), np.full(40, 9.0)
    first[:12], second[-12:] = np.nan, np.nan
    assert best(good=pool_of(first, range(40)), bad=pool_of(second, range(40))) == set()


def test_whoever_answers_few_is_never_best():
    few = np.full(100, np.nan)
    few[:49] = 1.0
    noise = np.arange(100) % 2
    pools = {"good": pool_of(3 + noise, range(100)), "bad": pool_of(9 + noise, range(100))}
    assert best(**pools, few=pool_of(few, range(100))) == {"good"}
    few[:50] = 1.0
    assert best(**pools, few=pool_of(few, range(100))) == {"few"}


def test_the_more_generators_the_stronger_a_difference_must_be():
    rng = np.random.default_rng(5)
    people = range(60)
    base = rng.normal(5, 1, 60)
    close = base + rng.normal(0, 1, 60)
    close += 0.3 - (close - base).mean()  # two and a bit standard errors from the best
    others = {f"other{i}": pool_of(base + 20 + rng.normal(0, 1, 60), people) for i in range(30)}
    assert best(top=pool_of(base, people), close=pool_of(close, people)) == {"top"}
    assert best(top=pool_of(base, people), close=pool_of(close, people), **others) == {"top", "close"}


def test_more_confidence_is_a_wider_interval():
    rng = np.random.default_rng(1)
    first, second = (pool_of(rng.normal(5, 1, 50), range(50)) for _ in range(2))
    gaps = [
        difference(Sparsity(), first.sums["sparsity"], second.sums["sparsity"], first_keys=first.keys,
                   second_keys=second.keys, clusters=first.ids, confidence=c) for c in (0.9, 0.95, 0.99)
    ]  # fmt: skip
    assert gaps[0].value == gaps[1].value == gaps[2].value
    assert gaps[2].low < gaps[1].low < gaps[0].low < gaps[0].high < gaps[1].high < gaps[2].high


def test_committed_leaderboards_are_what_their_records_say():
    assert {"breast-cancer", "diabetes-progression"} <= set(check(COMMITTED))
