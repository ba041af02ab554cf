"""The leaderboard in markdown: a pure function of the results document, one file a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from sensecf_bench.queries import Outcome
from sensecf_bench.reports.arms import AUGMENTATION, only_about
from sensecf_bench.reports.augmentation import COLUMN, about_column, augmentation_lift, lift_column
from sensecf_bench.reports.markdown import NOTHING, bullets, folded, number, table
from sensecf_bench.reports.origin import origin, publishable, told_without_folders, without_folders
from sensecf_bench.reports.pooling import LEAST_PEOPLE, LEAST_SHARE
from sensecf_bench.reports.rationales import RATIONALES, what_models_say

HEADLINE = (
    "validity",
    "cross-validity",
    "sparsity",
    "distance",
    "plausibility",
    "plausibility-lof",
    "plausibility-knn",
    "actionability",
    "copying",
    "cost-seconds",
)
ARROWS = {"higher": "↑", "lower": "↓", "none": ""}
MEANING = {
    Outcome.FOUND: "at least one row was admitted",
    Outcome.ABSTAINED: "the generator left the query out",
    Outcome.UNPARSABLE: "it answered, and nobody could read the answer",
    Outcome.REJECTED: "rows came back, and each broke a rule of the schema",
    Outcome.ERROR: "it raised, crashed or broke the protocol",
    Outcome.TIMEOUT: "the deadline passed first",
}
MOST_CHANGED = 5


def datasets_in(results: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(entry["dataset"] for entry in results["summary"]))


def only(results: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """The part of a results document that one dataset's leaderboard is made from."""
    parts: dict[str, Any] = {
        name: [entry for entry in results[name] if entry["dataset"] == dataset]
        for name in ("contexts", "rows", "factuals", "summary", RATIONALES)
        if name in results
    }
    if results.get(AUGMENTATION):
        parts[AUGMENTATION] = only_about(results[AUGMENTATION], dataset)
    about = [line for line in results["notes"] if line.startswith(f"{dataset} · ")]
    drift = [line for line in results["drift"] if f" on {dataset} · " in line]
    for name in ("rows", "summary"):
        parts[name] = [{**entry, "options": without_folders(entry["options"])} for entry in parts[name]]
    skipped = [{name: told_without_folders(text) for name, text in entry.items()} for entry in results["skipped"]]
    config = publishable(results["config"])
    return {**results, **parts, "notes": about, "drift": drift, "skipped": skipped, "config": config}


def render(results: Mapping[str, Any]) -> str:
    """The whole leaderboard of a results document."""
    return "\n".join(render_dataset(only(results, dataset)) for dataset in datasets_in(results))


def render_dataset(results: Mapping[str, Any]) -> str:
    """The leaderboard of a results document about one dataset (see `only`)."""
    dataset = results["summary"][0]["dataset"]
    headline = [m for m in HEADLINE if m in results["metrics"]]
    others = [m for m in results["metrics"] if m not in headline]
    sections = [f"# Leaderboard: {dataset}", _about(results)]
    if results["drift"]:
        sections.append("**The sentinels have drifted; do not trust this table:**\n\n" + bullets(results["drift"]))
    sections += [_ranking(results, headline), _how_to_read(results, headline)]
    sections += ["## Not ranked", _not_ranked(results)]
    sections += ["## Outcomes", _outcomes(results)]
    if others:
        sections += ["## Further metrics", _metric_table(results, others, _ranked(results))]
    if any(e["changes"] for e in results["summary"]):
        sections += ["## Which features change", _changes(results)]
    if lift := augmentation_lift(results):
        sections += ["## Augmentation lift", lift]
    if results.get(RATIONALES):
        sections += ["## What the models say", what_models_say(results)]
    sections += ["## By classifier and seed", _by_cell(results)]
    sections += ["## The classifiers explained", _classifiers(results)]
    if notes := [*results["notes"], *_metric_errors(results)]:
        sections += ["## Notes", bullets(notes)]
    sections += ["## What the columns mean", _glossary(results), "## Provenance", bullets(origin(results))]
    return "\n\n".join(sections) + "\n"


def _about(results: Mapping[str, Any]) -> str:
    facts = next((c for c in results["contexts"] if "rows" in c), None)
    if facts is None:
        return ""
    from sensecf_bench.engine.config import DEFAULT_QUERIES

    most = results["config"]["queries"] or DEFAULT_QUERIES
    asked = sorted({c["queries"] for c in results["contexts"] if "queries" in c})
    spread = f"{asked[0]}" if len(asked) == 1 else f"{asked[0]} to {asked[-1]}"
    return (
        f"{facts['source'] or 'A table of the user'}. {facts['rows']} rows, {facts['features']} features, split "
        f"{facts['train']} / {facts['validation']} / {facts['test']}; classes {' and '.join(facts['classes'])}. Queries are "
        f"test rows that the classifier puts in the undesired class, *{facts['undesired']}*: {spread} a cell (at most {most} are asked)."
    )


def _ranking(results: Mapping[str, Any], metrics: Sequence[str]) -> str:
    entries = _ranked(results)
    first = _sorted_by(metrics)
    sign = -1 if first and results["metrics"][first]["direction"] == "higher" else 1

    def by_first_metric(entry: Mapping[str, Any]) -> tuple[float, str]:
        value = entry["metrics"].get(first, {}).get("value")
        return (sign * value if value is not None else float("inf"), entry["generator"])

    return _metric_table(results, metrics, sorted(entries, key=by_first_metric), beside=True)


def _sorted_by(metrics: Sequence[str]) -> str:
    return "validity" if "validity" in metrics else (metrics[0] if metrics else "")


def _metric_table(
    results: Mapping[str, Any], metrics: Sequence[str], entries: Sequence[Mapping[str, Any]], beside: bool = False
) -> str:
    head = [f"{m} {ARROWS[results['metrics'][m]['direction']]}".strip() for m in metrics]
    rows = [[_name(e), e["access"], *(_cell(e["metrics"].get(m), m in e["best"]) for m in metrics)] for e in entries]
    if beside:
        sentinels = [e for e in results["summary"] if e["sentinel"]]
        rows += [
            [f"*{e['generator']}*", e["access"], *(_cell(e["metrics"].get(m)) for m in metrics)] for e in sentinels
        ]
        rows.append(["*the factual rows*", NOTHING, *(_factual_cell(results, m) for m in metrics)])
        if (lifts := lift_column(results)) is not None:
            head.append(COLUMN)
            for entry, row in zip_longest([*entries, *sentinels], rows):
                row.append(lifts.get(entry["generator"], NOTHING) if entry else NOTHING)
    return _table(["generator", "access", *head], rows)


def _how_to_read(results: Mapping[str, Any], metrics: Sequence[str]) -> str:
    lift = [about_column()] if lift_column(results) is not None else []
    return "\n\n".join([_what_cells_say(results, metrics), _what_intervals_cover(results), _what_is_bold(), *lift])


def _what_cells_say(results: Mapping[str, Any], metrics: Sequence[str]) -> str:
    seeds, k = results["config"]["seeds"], results["config"]["k"]
    classifiers = list(dict.fromkeys(c["classifier"] for c in results["contexts"]))
    calls = (
        " Calls count calls of the classifier, of which one may carry a whole shard of rows, so compare `cost-rows`; what "
        "`fit` asked is left out of both."
    )
    return (
        "Value [95 % interval] (queries scored); 0 and 1 are exact, 1.000 is rounded. Pooled over "
        f"{len(classifiers)} classifier(s) ({', '.join(classifiers)}) and seed(s) {', '.join(map(str, seeds))}; k = {k}. "
        f"Rows are sorted by {_sorted_by(metrics)}, ties by name; the order among ties means nothing. Validity, "
        "cross-validity and actionability keep every query they speak of in the denominator; sparsity, distance and "
        "plausibility are means over the queries that were answered, so read them beside validity."
        f"{calls if 'cost-calls' in results['metrics'] else ''} Rows in italics are calibration and not ranked."
    )


def _what_intervals_cover(results: Mapping[str, Any]) -> str:
    seeds = len(results["config"]["seeds"])
    if seeds == 1:
        return (
            "Intervals cover which people were asked, and nothing else: one seed is one split and one fit of each "
            "classifier, and another may put the rows in another order. `--preset paper` or `--seeds 0,1,2` repeats both."
        )
    return (
        f"Intervals resample people, each with all their answers under {seeds} seeds, so they cover who was asked and the "
        "splits and refits that those people met; each split by itself stands under *By classifier and seed*."
    )


def _what_is_bold() -> str:
    return (
        "**Bold** marks the best value and those whose paired difference from it, on the queries both answered, cannot be "
        "told from 0 by an interval of level 1 − 0.05 / comparisons (Bonferroni: the best is compared with every other). "
        f"Two generators with fewer than {LEAST_PEOPLE} people in common are never told apart, and who scored fewer than "
        f"{LEAST_SHARE:.0%} of the people of whoever scored most is never bold; nor is who needs gradients and met a classifier "
        "without them. Nothing is bold where no ranked generator "
        "is clearly worse, and seconds never are, because they depend on the machine."
    )


def _not_ranked(results: Mapping[str, Any]) -> str:
    lines = [f"`{e['generator']}`: {e['not_ranked_because']}" for e in results["summary"] if not e["ranked"]]
    lines += [f"`{s['generator']}`: skipped, {s['reason']}{_fix(s['fix'])}" for s in results["skipped"]]
    return bullets(lines) if lines else "Every generator was ranked."


def _outcomes(results: Mapping[str, Any]) -> str:
    names = list(dict.fromkeys(name for e in results["summary"] for name in e["outcomes"]))
    rows = [
        [_name(e), str(sum(e["outcomes"].values())), str(e["people"]), *(str(e["outcomes"].get(n, 0)) for n in names)]
        for e in results["summary"]
    ]
    legend = "; ".join(f"{name}: {MEANING[Outcome(name)]}" for name in names)
    return _table(["generator", "queries", "people", *names], rows) + (f"\n\n{legend}." if legend else "")


def _metric_errors(results: Mapping[str, Any]) -> list[str]:
    """One line for each generator and metric that raised, with the first of its cells."""
    raised: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in results["rows"]:
        for metric in row["metric_errors"]:
            raised.setdefault((row["generator"], metric), []).append(row)
    return [
        f"`{metric}` raised on {len(rows)} cell(s) of `{generator}`, the first {rows[0]['classifier']} · seed "
        f"{rows[0]['seed']}: {rows[0]['metric_errors'][metric]}"
        for (generator, metric), rows in raised.items()
    ]


def _changes(results: Mapping[str, Any]) -> str:
    head = [
        "generator",
        f"the {MOST_CHANGED} features changed most often, with the share of answered queries that change them",
    ]
    rows = []
    for entry in _ranked(results):
        most = sorted(entry["changes"].items(), key=lambda item: (-item[1], item[0]))[:MOST_CHANGED]
        rows.append([_name(entry), ", ".join(f"{name} {share:.2f}" for name, share in most if share > 0) or NOTHING])
    return _table(head, rows, texts=2)


def _by_cell(results: Mapping[str, Any]) -> str:
    shown = [m for m in ("validity", "sparsity", "distance", "plausibility") if m in results["metrics"]]
    rows = [
        [r["generator"], r["classifier"], str(r["seed"]), r["status"], *(_cell(r["metrics"].get(m)) for m in shown)]
        for r in sorted(results["rows"], key=lambda r: (r["generator"], r["classifier"], r["seed"]))
    ]
    cells = _table(["generator", "classifier", "seed", "status", *shown], rows)
    return folded(f"{len(rows)} cells", cells)


def _classifiers(results: Mapping[str, Any]) -> str:
    rows = []
    for c in results["contexts"]:
        quality = c.get("quality", {})
        measured = [number(quality.get(name)) for name in ("accuracy", "f1", "auc")]
        rows.append(
            [c["classifier"], str(c["seed"]), *measured, str(c.get("test", NOTHING)), str(c.get("queries", NOTHING))]
        )
    return _table(["classifier", "seed", "accuracy", "F1 of the undesired class", "AUC", "test rows", "queries"], rows)


def _glossary(results: Mapping[str, Any]) -> str:
    access = (
        "`access`: what the generator may look at: the classifier's classes (label), also its probabilities "
        "(probability), also the training rows (training-data), also the derivatives of its probabilities (gradient). "
        "Not every classifier has derivatives; a generator that needs them abstains from one that has none."
    )
    metrics = [f"`{name}` ({m['unit']}): {m['description']}" for name, m in results["metrics"].items()]
    return bullets([access, *metrics])


# -- cells ---------------------------------------------------------------------------------------------------------
def _ranked(results: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [e for e in results["summary"] if e["ranked"]]


def _name(entry: Mapping[str, Any]) -> str:
    chosen = ", ".join(f"{k}={v}" for k, v in entry["options"].items())
    return f"{entry['generator']} ({chosen})" if chosen else str(entry["generator"])


def _cell(estimate: Mapping[str, Any] | None, best: bool = False) -> str:
    if estimate is None or estimate["value"] is None:
        return NOTHING
    value = f"**{number(estimate['value'])}**" if best else number(estimate["value"])
    interval = ""
    if estimate["low"] is not None:
        interval = f" [{number(estimate['low'])}, {number(estimate['high'])}]"
    return f"{value}{interval} ({estimate['scored']})"


def _factual_cell(results: Mapping[str, Any], metric: str) -> str:
    """The mean over cells of what the factual rows themselves score, without an interval; their cells overlap."""
    known = [f["metrics"][metric] for f in results["factuals"] if metric in f["metrics"]]
    values = [e["value"] for e in known if e["value"] is not None]
    if not values or len(values) < len(known):
        return NOTHING
    asked = sum(e["scored"] for e in known)
    return f"{number(sum(e['value'] * e['scored'] for e in known) / asked)} ({asked})" if asked else NOTHING


def _fix(fix: str) -> str:
    return f"; to enable it: {fix}" if fix else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    first, *others = ([text.replace("|", "\\|") for text in row] for row in (head, *rows))
    return table(first, others, texts)
