"""What a leaderboard says of augmentation: exactly what its records say, controls apart, failures shown, and no reason lost."""

import copy
import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from sensecf_bench.engine.config import RunConfig
from sensecf_bench.errors import StaleError
from sensecf_bench.reports.arms import SCORES, settings_of
from sensecf_bench.reports.augmentation import COLUMN, augmentation_lift, lift_column
from sensecf_bench.reports.curves import curves_of
from sensecf_bench.reports.drawing import _figure, drawn
from sensecf_bench.reports.leaderboard import only, render, render_dataset
from sensecf_bench.reports.markdown import signed
from sensecf_bench.reports.origin import command, records_hash
from sensecf_bench.reports.publish import build, check, write_page

DATASET = "diabetes-progression"
HEADING = "## Augmentation lift"
HOSTILE = "<b>|x|</b> [a](https://x.example) $y$ `z` *w*\n| \u202e"
READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


# -- documents written by hand -----------------------------------------------------------------------------------------
def estimate(value, low=None, high=None, trials=2):
    return {"value": value, "low": low, "high": high, "scored": trials if value is not None else 0, "eligible": trials, "asked": 2}  # fmt: skip


def every(value):
    return dict.fromkeys(SCORES, value)


def arm(
    name, kind="generator", at=("A", 0.5), status="ok", reason="", reduced=0.6, gain=0.1, added=(8, 9), **estimates
):
    """The summary and the two rows, of two seeds, of an arm; all scores are alike."""
    who = {"dataset": DATASET, "generator": name, "control": kind == "control", "sentinel": kind == "sentinel",
           "scenario": at[0], "reduction": at[1]}  # fmt: skip
    stages = {"full": every(0.8), "reduced": every(reduced), "augmented": every(reduced + gain)}
    rows = [
        {**who, **stages, "classifier": "svm", "seed": seed, "status": status, "reason": reason, "removed": 10, "asked": 10,
         "answered": n, "valid": n, "added": n, "leaked": 3 if status == "leak" else 0}
        for seed, n in enumerate(added)
    ]  # fmt: skip
    usual = {
        "lift": estimate(100 * gain, 100 * gain - 2, 100 * gain + 2),
        "relative": estimate(100 * gain / reduced, 10.0, 20.0),
        "recovered": estimate(gain / 0.2, 0.25, 0.75),
        "over_best_control": estimate(100 * gain - 5, 100 * gain - 8, 100 * gain - 2),
    }
    pooled = {quantity: every(value) for quantity, value in {**usual, **estimates}.items()}
    bad = status in ("failed", "impossible", "leak")
    summary = {**who, **stages, **pooled, "trials": 2, "seeds": 2, "failed": 2 * bad, "reason": reason,
               "best_control": every("duplication")}  # fmt: skip
    return summary, rows


def augmentation(*arms, left_out=(), notes=()):
    grid = RunConfig().augmentation.model_dump(mode="json")
    return {
        "grid": grid,
        "rows": [row for _, rows in arms for row in rows],
        "summary": [summary for summary, _ in arms],
        "left_out": list(left_out),
        "notes": list(notes),
    }


def document(*arms, **more):
    """As much of a results document as the section needs."""
    contexts = [{"undesired": "fast", "classes": ["slow", "fast"]}]
    return {"summary": [{"dataset": DATASET}], "contexts": contexts, "augmentation": augmentation(*arms, **more)}


SMALL = document(
    arm("mine"),
    arm("worse", gain=0.02),
    arm("thief", gain=0.2, status="leak"),
    arm("duplication", "control", gain=0.05),
    arm("identity", "sentinel", gain=0.0, status="empty", reason="no answer is in the target class", added=(0, 0)),
    left_out=[{"generator": "slow-one", "reason": "it takes minutes"}],
    notes=[f"{DATASET} · seed 1: cannot be split", f"{DATASET} · thief: leak in 2 of its trials"],
)


def section(page):
    return page.split(f"{HEADING}\n\n")[1].split("\n## ")[0]


@pytest.fixture
def records(small_run):
    """A whole results document about one dataset, with the small augmentation part."""
    found = copy.deepcopy(only(small_run.document, DATASET))
    return found | {"augmentation": copy.deepcopy(SMALL["augmentation"])}


@pytest.fixture
def grid_records(records):
    """The same over three reductions of two scenarios; one generator leaks at one of them."""
    arms = [
        made
        for at in [(scenario, r) for scenario in "AB" for r in (0.1, 0.3, 0.5)]
        for made in (
            arm("mine", at=at, reduced=0.8 - 0.2 * at[1]),
            arm("thief", at=at, reduced=0.8 - 0.2 * at[1], status="leak" if at[1] == 0.3 else "ok"),
            arm("duplication", "control", at=at, reduced=0.8 - 0.2 * at[1], gain=0.05),
        )
    ]
    return records | {"augmentation": augmentation(*arms)}


# -- one setting -------------------------------------------------------------------------------------------------------
def test_the_table_of_a_setting_is_this_one():
    lines = augmentation_lift(SMALL).splitlines()
    start = lines.index("### Scenario A: positive rows (*fast*) removed")
    assert lines[start + 2 : start + 18] == [
        "50 % removed, nothing added, mean (lowest to highest of single trials): F1 is 0.800 (0.800 to 0.800 of 2) with all rows "
        "and 0.600 (0.600 to 0.600 of 2) with the retained ones; AUC is 0.800 (0.800 to 0.800 of 2) with all rows and 0.600 "
        "(0.600 to 0.600 of 2) with the retained ones.",
        "",
        "| arm | kind | lift in F1, points ↑ | relative to reduced, % ↑ | F1 loss recovered, % ↑ | lift in AUC, points ↑ | "
        "F1 over the best control, points ↑ | added / asked / removed | trials |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| mine | generator | **+10.00** [+8.00, +12.00] | +16.7 [+10.0, +20.0] | +50.0 [+25.0, +75.0] | +10.00 [+8.00, +12.00] "
        "| **+5.00** [+2.00, +8.00] (duplication) | 17 / 20 / 20 | 2 |",
        "| worse | generator | +2.00 [0, +4.00] | +3.3 [+10.0, +20.0] | +10.0 [+25.0, +75.0] | +2.00 [0, +4.00] "
        "| -3.00 [-6.00, 0] (duplication) | 17 / 20 / 20 | 2 |",
        "| thief † | generator | +20.00 [+18.00, +22.00] | +33.3 [+10.0, +20.0] | +100.0 [+25.0, +75.0] | +20.00 [+18.00, +22.00] "
        "| +15.00 [+12.00, +18.00] (duplication) | 17 / 20 / 20 | 2 |",
        "| *duplication* | control | +5.00 [+3.00, +7.00] | +8.3 [+10.0, +20.0] | +25.0 [+25.0, +75.0] | +5.00 [+3.00, +7.00] "
        "| – | 17 / 20 / 20 | 2 |",
        "| *identity* | sentinel | 0 [-2.00, +2.00] | 0 [+10.0, +20.0] | 0 [+25.0, +75.0] | 0 [-2.00, +2.00] | – | 0 / 20 / 20 | 2 |",
        "",
        "What did not go as asked († is not ranked):",
        "",
        "- † thief, A 50 %: leak in 2 of 2 trials\\: 6 returned rows are removed training rows or test rows, which it was never shown",
        "- identity, A 50 %: empty in 2 of 2 trials, the first svm · seed 0\\: no answer is in the target class",
        "",
        "<details><summary>A 50 %: all five scores</summary>",
    ]  # fmt: skip


def test_all_five_scores_stand_with_all_rows_with_the_reduced_and_augmented():
    page = augmentation_lift(SMALL)
    assert "| mean (lift, points) | kind | accuracy | precision | recall | F1 | AUC |" in page
    assert f"| *full* | reference |{' 0.800 |' * 5}\n| *reduced* | reference |{' 0.600 |' * 5}\n" in page
    assert f"| mine | generator |{' 0.700 (+10.00 [+8.00, +12.00]) |' * 5}\n" in page


def test_what_was_left_out_and_noted_ends_the_section():
    assert augmentation_lift(SMALL).endswith(
        "Left out:\n\n- slow-one: it takes minutes\n\nNotes:\n\n- diabetes-progression · seed 1\\: cannot be split"
    )


def test_the_main_table_gains_a_column_and_says_what_bold_means_there(records):
    assert lift_column(SMALL) == {
        "slow-one": "left out",
        "mine": "**+10.00** [+8.00, +12.00] (2)",
        "worse": "+2.00 [0, +4.00] (2)",
        "thief": "+20.00 [+18.00, +22.00] † (2)",
        "duplication": "+5.00 [+3.00, +7.00] (2)",
        "identity": "0 [-2.00, +2.00] (2)",
    }
    top, _ = render_dataset(records).split("## Not ranked")
    rows = [line for line in top.splitlines() if line.startswith("| ")]
    assert rows[0].endswith(f"| {COLUMN} |")
    assert len({row.count(" | ") for row in rows if "---" not in row}) == 1
    cells = {row.split(" | ")[0]: row.removesuffix(" |").rpartition("| ")[2] for row in rows}
    assert cells["| *identity*"] == "0 [-2.00, +2.00] (2)"
    assert cells["| *nearest-opposite*"] == cells["| *the factual rows*"] == "–"
    assert "`lift A 50 %`" in top


def test_without_the_headline_setting_there_is_a_section_and_no_column(records):
    records["augmentation"] = augmentation(arm("mine", at=("B", 0.5)))
    page = render_dataset(records)
    assert "### Scenario B: negative rows (*" in page
    assert COLUMN not in page
    assert "`lift A 50 %`" not in page


# -- who is bold -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("made", "bold"),
    [
        (arm("x", over_best_control=estimate(5.0, 0.001, 9.0)), True),
        (arm("x", over_best_control=estimate(5.0, 0.0, 9.0)), False),
        (arm("x", over_best_control=estimate(5.0)), False),
        (arm("x", over_best_control=estimate(None)), False),
        (arm("x", status="leak"), False),
        (arm("x", status="failed"), False),
        (arm("x", status="impossible"), False),
        (arm("x", reason="every query of one class failed"), True),
        (arm("x", "control"), False),
        (arm("x", "sentinel"), False),
    ],
)
def test_bold_is_a_generator_beyond_doubt_better_than_the_best_control(made, bold):
    page = augmentation_lift(document(made))
    assert ("**" in page.split("### Scenario A")[1]) == bold


@pytest.mark.parametrize(("status", "bold"), [("failed", False), ("impossible", True), ("ok", True)])
@pytest.mark.parametrize("kind", ["control", "sentinel"])
def test_a_control_that_crashed_is_not_beaten(kind, status, bold):
    """Where a control is impossible nobody has it; one that failed would have stood there, and its place is empty."""
    page = augmentation_lift(
        document(arm("x", over_best_control=estimate(5.0, 1.0, 9.0)), arm("rival", kind, status=status, gain=0.0))
    )
    (row,) = [line for line in page.splitlines() if line.startswith("| x | generator") and "/" in line]
    assert ("**" in row) == bold
    assert ("rival failed)" in row) == (status == "failed")


def test_a_share_of_next_to_nothing_says_so():
    nearly = arm("x", reduced=0.7995, gain=0.01, recovered=estimate(None))
    assert "– (next to nothing was lost)" in augmentation_lift(document(nearly))


def test_one_failed_trial_is_enough_not_to_be_ranked():
    made = arm("x")
    made[1][1] |= {"status": "failed", "reason": "it crashed"}
    page = augmentation_lift(document(made, arm("y", gain=0.01)))
    assert page.index("| y | generator") < page.index("| x † | generator")
    assert "- † x, A 50 %: failed in 1 of 2 trials, the first svm · seed 1\\: it crashed" in page


# -- values that are not there -----------------------------------------------------------------------------------------
def test_nothing_recovered_where_nothing_was_lost():
    page = augmentation_lift(document(arm("x", reduced=0.85, recovered=estimate(None))))
    assert "| – (next to nothing was lost) |" in page


def test_nothing_relative_to_nothing():
    made = arm("x", relative=estimate(None))
    made[0]["reduced"] = every(0.0)
    assert "| – (reduced is 0) |" in augmentation_lift(document(made))


def test_an_arm_without_a_trial_is_a_row_of_dashes_with_its_reason():
    nothing = estimate(None, trials=0)
    made = arm("x", status="impossible", reason="no training row of class 1 is left", lift=nothing, relative=nothing,
               recovered=nothing, over_best_control=nothing)  # fmt: skip
    made[0].update(full=every(None), reduced=every(None), augmented=every(None), trials=0, seeds=0, best_control={})
    for row in made[1]:
        row.update(full=every(None), reduced=every(None), augmented=every(None))
    page = augmentation_lift(document(made))
    assert (
        "| x † | generator | – | – (not defined) | – (not defined) | – (not defined) | – | 17 / 20 / 20 | 0 of 2 |"
        in page
    )
    assert "F1 is – (not defined) with all rows" in page
    assert "impossible in 2 of 2 trials, the first svm · seed 0\\: no training row of class 1 is left" in page
    assert "nan" not in page.lower().replace("diabetes", "")
    assert "None" not in page


def test_trials_that_an_arm_lacks_are_counted():
    assert "| 17 / 20 / 20 | 1 of 2 |" in augmentation_lift(document(arm("x", lift=estimate(1.0, trials=1))))


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0, "0"), (1.234, "+1.23"), (-1.235, "-1.24"), (0.004, "0.00"), (-0.004, "0.00")]
)
def test_a_difference_has_a_sign_unless_it_rounds_to_nothing(value, text):
    assert signed(value, 2) == text


# -- text of strangers -------------------------------------------------------------------------------------------------
@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["<script>", "|", "\\", "`", "*", "[a](b)", "https://x.example", "\n", "# ", "$", "\x00", "é", "a"]),
                min_size=1, max_size=6).map("".join))  # fmt: skip
def test_no_name_reason_or_note_changes_what_a_page_is_made_of(text):
    """The tokens of the page are those of a page with a tame name, so that nothing broke out of its place."""

    def page(said):
        arms = (arm(said, status="failed", reason=said), arm("c" + said, "control"))
        arms[0][0]["best_control"] = every(said)
        return augmentation_lift(document(*arms, left_out=[{"generator": said, "reason": said}], notes=[said]))

    hostile, tame = READER.parse(page(f"x{text}x")), READER.parse(page("xtamex"))
    assert [t.type for t in hostile] == [t.type for t in tame]
    inside = [{t.type for t in token.children or []} - {"text", "text_special"} for token in (*hostile, *tame)]
    assert inside[: len(hostile)] == inside[len(hostile) :]


def test_hostile_class_names_stay_text(records):
    for context in records["contexts"]:
        context |= {"undesired": HOSTILE, "classes": ["slow", HOSTILE]}
    assert "### Scenario A: positive rows (*&lt;b&gt;\\|x\\|&lt;/b&gt; " in section(render_dataset(records))


# -- old documents and several datasets --------------------------------------------------------------------------------
def test_a_document_without_augmentation_has_neither_section_nor_column(records):
    for without in (None, "gone"):
        records["augmentation"] = without
        if without == "gone":
            del records["augmentation"]
        page = render_dataset(records)
        assert HEADING not in page
        assert "lift A" not in page
        assert curves_of(records) == []


def test_only_cuts_the_augmentation_part_to_the_dataset(small_run, records):
    other = copy.deepcopy(SMALL["augmentation"])
    for entry in (*other["rows"], *other["summary"]):
        entry["dataset"] = "elsewhere"
    other["notes"] = ["elsewhere · seed 0: cannot be split", "of everybody"]
    mine = records["augmentation"]
    both = {**mine, **{part: [*mine[part], *other[part]] for part in ("rows", "summary", "notes")}}
    cut = only(small_run.document | {"augmentation": both}, DATASET)
    assert cut["augmentation"] == mine | {"notes": [*mine["notes"], "of everybody"]}
    assert only(cut, DATASET) == cut
    assert only(small_run.document | {"augmentation": None}, DATASET)["augmentation"] is None


def test_the_hash_of_the_records_covers_augmentation(records):
    before = records_hash(records)
    records["augmentation"]["rows"][0]["augmented"]["f1"] = 0.99
    assert records_hash(records) != before


# -- the command that repeats it ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, ""),
        ({"augmentation": "quick"}, ""),
        ({"augmentation": "off"}, " --augmentation off"),
        ({"augmentation": "full"}, " --augmentation full"),
        ({"augmentation": {"grid": "full", "reference": "mlp", "seeds": [7]}},
         " --augmentation full --set 'augmentation.seeds=[7]' --set 'augmentation.reference=\"mlp\"'"),
        ({"augmentation": {"reductions": [0.2, 0.4]}}, " --set 'augmentation.reductions=[0.2, 0.4]'"),
    ],
)  # fmt: skip
def test_the_command_says_how_augmentation_was_asked_for(given, words):
    plain = command({n: v for n, v in RunConfig().model_dump(mode="json").items() if n != "augmentation"})
    assert command(RunConfig.model_validate(given).model_dump(mode="json")) == plain + words


# -- several reductions ------------------------------------------------------------------------------------------------
def test_a_grid_has_a_table_by_reduction_and_a_picture_for_each_scenario(grid_records):
    page = section(render_dataset(grid_records))
    assert page.count("### Scenario ") == 2
    assert (
        "| lift in F1, points ↑ | kind | 10 % | 30 % | 50 % |\n"
        "| --- | --- | ---: | ---: | ---: |\n"
        "| *lost: full − reduced* | – | +2.00 | +6.00 | +10.00 |\n"
        "| mine | generator | **+10.00** [+8.00, +12.00] | **+10.00** [+8.00, +12.00] | **+10.00** [+8.00, +12.00] |\n"
        "| thief | generator | **+10.00** [+8.00, +12.00] | +10.00 [+8.00, +12.00] † | **+10.00** [+8.00, +12.00] |\n"
        "| *duplication* | control | +5.00 [+3.00, +7.00] | +5.00 [+3.00, +7.00] | +5.00 [+3.00, +7.00] |\n"
        "\nA cell is over 2 trials under 2 seeds"
    ) in page
    for scenario in "AB":
        assert f"a panel for each of 2 generators beside full, reduced and the best control; the tables hold the figures](diabetes-progression-lift-{scenario}.svg)" in page  # fmt: skip
        for reduction in ("10 %", "30 %", "50 %"):
            assert f"<summary>{scenario} {reduction}: every figure</summary>" in page


def test_curves_are_the_means_of_the_records_with_a_gap_where_somebody_leaked(grid_records):
    first, second = curves_of(grid_records)
    assert (first.scenario, second.scenario) == ("A", "B")
    assert first.reductions == (0.1, 0.3, 0.5)
    assert first.full == (0.8, 0.8, 0.8)
    assert first.reduced == pytest.approx((0.78, 0.74, 0.7))
    assert first.best_control == pytest.approx((0.83, 0.79, 0.75))
    mine, thief = first.lines
    assert mine.values == pytest.approx((0.88, 0.84, 0.8))
    assert mine.low == pytest.approx((0.86, 0.82, 0.78))
    assert mine.high == pytest.approx((0.9, 0.86, 0.82))
    assert thief.values == (mine.values[0], None, mine.values[2])
    assert thief.low[1] is thief.high[1] is None


def test_a_generator_with_some_levels_has_a_line_from_one_to_the_next(grid_records):
    part = grid_records["augmentation"]
    for name in ("rows", "summary"):  # thief has the ends of the grid, and mine all of it
        part[name] = [e for e in part[name] if (e["generator"], e["reduction"]) != ("thief", 0.3)]
    (curves, _) = curves_of(grid_records)
    mine, thief = curves.lines
    assert (mine.asked, thief.asked) == ((True, True, True), (True, False, True))
    figure = _figure(curves)
    lines = [axes.get_lines()[-1].get_xydata() for axes in figure.axes]
    assert [len(points) for points in lines] == [3, 2]
    np.testing.assert_allclose(lines[1], [(10.0, thief.values[0]), (50.0, thief.values[2])])
    (band,) = figure.axes[1].collections[0].get_paths()
    assert band.get_extents().width == pytest.approx(40.0)


def test_one_that_is_left_out_in_part_keeps_its_place_in_the_column():
    partly = {"generator": "mine", "reason": "it has A 50 % alone", "partly": True}
    found = document(
        arm("mine"), arm("duplication", "control"), left_out=[partly, {**partly, "generator": "elsewhere"}]
    )
    assert lift_column(found)["mine"].startswith("**+10.00**")
    assert "elsewhere" not in lift_column(found)


def test_equal_records_are_drawn_in_equal_bytes_and_show_every_name(grid_records):
    (curves, _) = curves_of(grid_records)
    picture = drawn(curves)
    assert picture == drawn(curves)
    text = "".join(ET.fromstring(picture.decode()).itertext())
    assert all(name in text for name in ("mine", "thief", "full", "reduced", "best control", DATASET))
    assert "Date" not in text


def test_a_hostile_name_is_drawn_as_it_is_written(grid_records):
    for entry in (*grid_records["augmentation"]["rows"], *grid_records["augmentation"]["summary"]):
        if entry["generator"] == "mine":
            entry["generator"] = "<b>$x_1$&\x00\\frac 字"
    (curves, _) = curves_of(grid_records)
    assert "<b>$x_1$&\\frac 字" in "".join(ET.fromstring(drawn(curves).decode()).itertext())


def test_drawing_leaves_the_users_settings_alone(grid_records):
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 31.0, "axes.linewidth": 9.0}):
        loud = drawn(curves_of(grid_records)[0])
        assert mpl.rcParams["font.size"] == 31.0
    assert loud == drawn(curves_of(grid_records)[0])


# -- files -------------------------------------------------------------------------------------------------------------
@pytest.fixture
def boards(grid_records, tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(grid_records))
    build(tmp_path / "results.json", tmp_path / "boards")
    return tmp_path / "boards"


def test_curves_are_written_beside_the_page_and_checked(boards):
    assert sorted(p.name for p in boards.iterdir()) == [
        f"{DATASET}-lift-A.svg", f"{DATASET}-lift-B.svg", f"{DATASET}.json", f"{DATASET}.md"
    ]  # fmt: skip
    assert check(boards) == [DATASET]


def test_line_endings_of_another_system_are_no_edit(boards):
    file = boards / f"{DATASET}-lift-A.svg"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert check(boards) == [DATASET]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: file.unlink(), "is not there"),
        (lambda file: file.write_bytes(file.read_bytes().replace(b"mine", b"ours")), "was edited after it was drawn"),
        (lambda file: file.write_text("<svg/>"), "has no seal"),
        (lambda file: file.write_bytes(file.with_name(f"{DATASET}-lift-B.svg").read_bytes()), "does not show what its records say"),
        (lambda file: file.with_name(f"{DATASET}-lift-C.svg").write_bytes(file.read_bytes()), "-C.svg is of no record"),
    ],
)  # fmt: skip
def test_a_curve_that_is_not_of_its_records_is_noticed(boards, spoil, said):
    spoil(boards / f"{DATASET}-lift-A.svg")
    with pytest.raises(StaleError, match=said):
        check(boards)


def test_a_curve_of_older_records_is_noticed(boards):
    """Somebody builds again, and forgets to commit the curves."""
    records = json.loads((boards / f"{DATASET}.json").read_text())
    for entry in records["augmentation"]["summary"]:
        entry["augmented"]["f1"] += 0.01
    (boards / f"{DATASET}.json").write_text(json.dumps(records))
    (boards / f"{DATASET}.md").write_text(render_dataset(records))
    with pytest.raises(StaleError, match=r"lift-A\.svg does not show what its records say"):
        check(boards)


def test_building_again_takes_away_curves_that_the_page_does_not_show(boards, grid_records, tmp_path):
    (tmp_path / "results.json").write_text(json.dumps(grid_records | {"augmentation": SMALL["augmentation"]}))
    build(tmp_path / "results.json", boards)
    assert not list(boards.glob("*.svg"))
    assert check(boards) == [DATASET]


def test_a_runs_own_page_has_its_curves_beside_it(grid_records, tmp_path):
    write_page(grid_records, tmp_path)
    assert (tmp_path / "leaderboard.md").read_text() == render(grid_records)
    assert sorted(p.name for p in tmp_path.glob("*.svg")) == [f"{DATASET}-lift-A.svg", f"{DATASET}-lift-B.svg"]


def test_settings_come_in_the_order_of_scenario_and_reduction(grid_records):
    grid_records["augmentation"]["summary"].reverse()
    assert [s.label for s in settings_of(grid_records)] == ["A 10 %", "A 30 %", "A 50 %", "B 10 %", "B 30 %", "B 50 %"]
