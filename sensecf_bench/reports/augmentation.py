"""The section of one dataset's leaderboard on augmentation: do counterfactuals bring a classifier back?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Literal
from urllib.parse import quote

from sensecf_bench.reports.arms import AUGMENTATION, SCORES, Arm, Setting, percent, settings_of
from sensecf_bench.reports.curves import curves_of
from sensecf_bench.reports.escaping import inert
from sensecf_bench.reports.markdown import NOTHING, bullets, folded, number, signed, table

HEADLINE = ("A", 0.5)  # the setting whose lift stands in the main table
COLUMN = "lift A 50 %, F1 points ↑"
LONGEST_REASON = 300  # characters of a reason that a page shows
TITLES = {"accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "F1", "auc": "AUC"}
HEAD = (
    "arm",
    "kind",
    "lift in F1, points ↑",
    "relative to reduced, % ↑",
    "F1 loss recovered, % ↑",
    "lift in AUC, points ↑",
    "F1 over the best control, points ↑",
    "added / asked / removed",
    "trials",
)
ORDER = {"generator": 0, "control": 1, "sentinel": 2}
HOW_TO_READ = (
    "Value [95 % interval]. Full is training on all rows, reduced on the retained ones, augmented on those and what an arm "
    "adds; a trial is one classifier under one seed, and values are of means over the trials. Lift is augmented − reduced; "
    "relative is lift / reduced, the study's way; recovered is lift / (full − reduced), which can be below 0 or above 100, and "
    "is none where less than a tenth of a point was lost. The best control, whose name stands in brackets, is the one with the highest F1 among "
    "controls, sentinels and adding nothing; it is chosen anew in every resample, so that having chosen is part of the "
    "interval. Rows added, asked for and removed are summed over the seeds."
)
WHAT_INTERVALS_COVER = (
    "Intervals resample seeds, and test rows within a seed, the same for all classifiers and arms, so that differences are "
    "paired; with few seeds they are too narrow. A value has none where it is not defined in more than a tenth of the "
    "resamples, as a share recovered is not where hardly anything was lost."
)
WHAT_IS_BOLD = (
    "**Bold** is a generator whose interval over the best control lies above 0, each by itself: of many generators that "
    "bring nothing, one in forty at most is bold by chance. Arms that leaked or failed stand below the others and are never bold. Rows "
    "in italics are what anybody can do without a counterfactual, and sentinels; they are not ranked."
)


def lift_column(results: Mapping[str, Any]) -> dict[str, str] | None:
    """The cell of each generator in the main table's lift column, by name; None where that setting was not asked for."""
    setting = next((s for s in settings_of(results) if (s.scenario, s.reduction) == HEADLINE), None)
    if setting is None:
        return None
    cells = {arm.name: f"{_flagged(arm)} ({arm.estimate('lift')['scored']})" for arm in setting.arms}
    wholly = [entry for entry in results[AUGMENTATION]["left_out"] if not entry.get("partly")]
    return {entry["generator"]: "left out" for entry in wholly} | cells


def about_column() -> str:
    return (
        f"`{COLUMN.partition(',')[0]}` is the F1 that comes back when half of the undesired class' training rows are missing and "
        "counterfactuals are added, in points (trials). There bold means more than the best control, and † that the generator "
        "leaked or failed; see *Augmentation lift*."
    )


def augmentation_lift(results: Mapping[str, Any]) -> str:
    """The section, in Markdown; "" where nothing was augmented."""
    settings = settings_of(results)
    if not settings:
        return _left_out(results)
    parts = [_about(results, settings), HOW_TO_READ, WHAT_INTERVALS_COVER + " " + WHAT_IS_BOLD]
    for scenario, group in groupby(settings, key=lambda s: s.scenario):
        mine = list(group)
        parts += [f"### Scenario {inert(scenario)}: {_removed(results, scenario)}", *_scenario(results, mine)]
    return "\n\n".join(part for part in [*parts, _left_out(results), _notes(results)] if part)


def _about(results: Mapping[str, Any], settings: Sequence[Setting]) -> str:
    grid, rows = results[AUGMENTATION]["grid"], results[AUGMENTATION]["rows"]
    classifiers = list(dict.fromkeys(inert(r["classifier"]) for r in rows))
    seeds = sorted({r["seed"] for r in rows})
    which = "All" if grid["keep_invalid"] else "Valid"
    label = (
        "the class they were asked for"
        if grid["label"] == "target"
        else "the class that the same classifier gives them"
    )
    return (
        f"Training rows of a class are taken away. {inert(grid['reference'])} and each generator are fitted on the retained "
        f"rows alone, and retained rows of the other class are turned into counterfactuals. {which} ones are added with {label}, "
        f"at most {percent(grid['amount'])} of the number removed. {len(classifiers)} classifier(s) ({', '.join(classifiers)}) "
        f"are trained again under seed(s) {', '.join(map(str, seeds))} and scored on the test rows, which nobody has seen. The "
        f"positive class is {_classes(results)[0]}. `docs/augmentation.md` has the definitions."
    )


def _removed(results: Mapping[str, Any], scenario: str) -> str:
    positive, negative = _classes(results)
    rows = {"A": f"positive rows ({positive})", "B": f"negative rows ({negative})", "C": "rows of both classes"}
    return f"{rows.get(scenario, 'rows')} removed"


def _classes(results: Mapping[str, Any]) -> tuple[str, str]:
    """The undesired class and the other one, as the page calls them."""
    facts = next((c for c in results["contexts"] if "undesired" in c), None)
    if facts is None:
        return "the undesired class", "the desired class"
    other = next((c for c in facts["classes"] if c != facts["undesired"]), "the other")
    return f"*{inert(facts['undesired'])}*", f"*{inert(other)}*"


def _scenario(results: Mapping[str, Any], settings: Sequence[Setting]) -> list[str]:
    if len(settings) == 1:
        return [_reference(settings[0]), _lift_table(settings[0]), _problems(settings), _five_scores(settings[0])]
    details = [folded(f"{s.label}: every figure", "\n\n".join([_lift_table(s), _score_table(s)])) for s in settings]
    return [_picture(results, settings[0].scenario), _by_reduction(settings), _problems(settings), *details]


def _picture(results: Mapping[str, Any], scenario: str) -> str:
    curves = next((c for c in curves_of(results) if c.scenario == scenario), None)
    if curves is None:
        return ""
    alt = (
        f"F1 of the positive class on {inert(curves.dataset)} against the share of training rows removed in scenario {inert(scenario)}, "
        f"a panel for each of {len(curves.lines)} generators beside full, reduced and the best control; the tables hold the figures"
    )
    return (
        f"![{alt}]({quote(curves.file)})\n\n"
        "A band is the interval of the lift, drawn above the reduced rows' F1: where it clears that line, the lift's interval "
        "excludes 0. Where a generator failed or leaked there is no point, and none where it was left out."
    )


def _reference(setting: Setting) -> str:
    """What was lost. Single trials differ by more than any lift, so their range stands beside the mean."""
    said = [
        f"{TITLES[score]} is {_spread(setting, 'full', score)} with all rows and {_spread(setting, 'reduced', score)} with the "
        "retained ones"
        for score in ("f1", "auc")
    ]
    share = percent(setting.reduction)
    return f"{share} removed, nothing added, mean (lowest to highest of single trials): {'; '.join(said)}."


def _spread(setting: Setting, stage: Literal["full", "reduced"], score: str) -> str:
    value, trials = setting.mean(stage, score), setting.trials(stage, score)
    if value is None or not trials:
        return f"{NOTHING} (not defined)"
    return f"{number(value)} ({number(min(trials))} to {number(max(trials))} of {len(trials)})"


# -- tables --------------------------------------------------------------------------------------------------------
def _lift_table(setting: Setting) -> str:
    return table(HEAD, [_lift_row(setting, arm) for arm in _in_order(setting.arms)], texts=2)


def _lift_row(setting: Setting, arm: Arm) -> list[str]:
    return [
        *_named(arm),
        _points(arm, bold=arm.beats_controls),
        _share(setting, arm, "relative", 1),
        _share(setting, arm, "recovered", 100),
        _points(arm, score="auc") if arm.estimate("lift", "auc")["value"] is not None else f"{NOTHING} (not defined)",
        _over(arm),
        " / ".join(NOTHING if (n := arm.total(count)) is None else str(n) for count in ("added", "asked", "removed")),
        _trials(arm),
    ]


def _by_reduction(settings: Sequence[Setting]) -> str:
    """Lift in F1: a row an arm, a column a reduction; above them what there was to bring back."""
    arms = {arm.name: arm for s in settings for arm in s.arms}
    order = sorted(arms.values(), key=lambda arm: (ORDER[arm.kind], arm.name))
    head = ["lift in F1, points ↑", "kind", *(percent(s.reduction) for s in settings)]
    lost = ["*lost: full − reduced*", NOTHING, *(signed(s.loss("f1"), 2) for s in settings)]
    rows = [[*_named(arm, flagged=False), *(_at(s.arm(arm.name)) for s in settings)] for arm in order]
    trials = sorted({arm.summary["trials"] for s in settings for arm in s.arms})
    seeds = sorted({arm.summary["seeds"] for s in settings for arm in s.arms})
    return (
        table(head, [lost, *rows], texts=2)
        + f"\n\nA cell is over {_range(trials)} trials under {_range(seeds)} seeds; rows are in the order of names. † marks a "
        "setting in which the arm leaked or failed."
    )


def _at(arm: Arm | None) -> str:
    return NOTHING if arm is None else _flagged(arm)


def _five_scores(setting: Setting) -> str:
    return folded(f"{setting.label}: all five scores", _score_table(setting))


def _score_table(setting: Setting) -> str:
    """Means of the five scores, and the lift of each arm beside its own."""
    head = ["mean (lift, points)", "kind", *(TITLES[s] for s in SCORES)]
    references = [
        ["*full*", "reference", *(number(setting.mean("full", s)) for s in SCORES)],
        ["*reduced*", "reference", *(number(setting.mean("reduced", s)) for s in SCORES)],
    ]
    rows = [[*_named(arm), *(_score(arm, s) for s in SCORES)] for arm in _in_order(setting.arms)]
    return table(head, [*references, *rows], texts=2)


def _score(arm: Arm, score: str) -> str:
    value = arm.mean("augmented", score)
    return f"{NOTHING} (not defined)" if value is None else f"{number(value)} ({_points(arm, score=score)})"


def _in_order(arms: Sequence[Arm]) -> list[Arm]:
    """Generators that are ranked by lift, then those that are not, then controls and sentinels."""

    def place(arm: Arm) -> tuple[int, bool, float, str]:
        lift = arm.estimate("lift")["value"]
        return ORDER[arm.kind], bool(arm.problem), float("inf") if lift is None else -lift, arm.name

    return sorted(arms, key=place)


# -- cells ---------------------------------------------------------------------------------------------------------
def _named(arm: Arm, flagged: bool = True) -> list[str]:
    name = inert(arm.name) + (" †" if flagged and arm.problem else "")
    return [name if arm.kind == "generator" else f"*{name}*", arm.kind]


def _flagged(arm: Arm) -> str:
    return _points(arm, bold=arm.beats_controls) + (" †" if arm.problem else "")


def _points(arm: Arm, score: str = "f1", bold: bool = False) -> str:
    return _estimate(arm.estimate("lift", score), 2, bold=bold)


def _share(setting: Setting, arm: Arm, quantity: str, scale: float) -> str:
    """A quotient in percent, or why there is none."""
    from sensecf_bench.augmentation.lift import NEGLIGIBLE

    estimate = arm.estimate(quantity)
    if estimate["value"] is not None:
        return _estimate(estimate, 1, scale)
    loss, reduced = setting.loss("f1"), setting.mean("reduced", "f1")
    if quantity == "recovered" and loss is not None and loss <= 100 * NEGLIGIBLE:
        return f"{NOTHING} (next to nothing was lost)"
    if quantity == "relative" and reduced == 0:
        return f"{NOTHING} (reduced is 0)"
    return f"{NOTHING} (not defined)"


def _over(arm: Arm) -> str:
    if arm.kind != "generator":
        return NOTHING
    over = arm.estimate("over_best_control")
    named = [inert(arm.best_control)] if arm.best_control else []
    named += [f"{inert(name)} failed" for name in arm.crashed]
    return _estimate(over, 2, bold=arm.beats_controls) + (f" ({'; '.join(named)})" if named else "")


def _estimate(estimate: Mapping[str, Any], decimals: int, scale: float = 1, bold: bool = False) -> str:
    if estimate["value"] is None:
        return NOTHING
    value = signed(scale * estimate["value"], decimals)
    interval = ""
    if estimate["low"] is not None:
        interval = f" [{signed(scale * estimate['low'], decimals)}, {signed(scale * estimate['high'], decimals)}]"
    return (f"**{value}**" if bold else value) + interval


def _trials(arm: Arm) -> str:
    """How many there are of it, and of how many that there could be."""
    mine, all_of_them = arm.estimate("lift")["eligible"], arm.estimate("lift")["asked"]
    return str(mine) if mine == all_of_them else f"{mine} of {all_of_them}"


def _range(numbers: Sequence[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"


# -- what is not in the tables -------------------------------------------------------------------------------------
def _problems(settings: Sequence[Setting]) -> str:
    """One line for each arm and what is to be said of it, with the settings that it holds for."""
    found: dict[tuple[str, str], list[str]] = {}
    for setting in settings:
        for arm in _in_order(setting.arms):
            for mark, text in (("† ", arm.problem), ("", arm.remark)):
                if text:
                    found.setdefault((mark + inert(arm.name), text), []).append(inert(setting.label))
    lines = [f"{name}, {', '.join(where)}: {inert(text, LONGEST_REASON)}" for (name, text), where in found.items()]
    return f"What did not go as asked († is not ranked):\n\n{bullets(lines)}" if lines else ""


def _left_out(results: Mapping[str, Any]) -> str:
    part = results.get(AUGMENTATION)
    lines = [f"{inert(e['generator'])}: {inert(e['reason'], LONGEST_REASON)}" for e in (part or {}).get("left_out", [])]
    return f"Left out:\n\n{bullets(lines)}" if lines else ""


def _notes(results: Mapping[str, Any]) -> str:
    """All but those about an arm, of which the list under its scenario has more to say."""
    part = results[AUGMENTATION]
    arms = tuple(f"{e['dataset']} · {e['generator']}: " for e in part["summary"])
    notes = [note for note in part["notes"] if not note.startswith(arms)]
    return f"Notes:\n\n{bullets(inert(note) for note in notes)}" if notes else ""
