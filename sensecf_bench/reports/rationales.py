"""What the models say: the part of results and of a leaderboard that quotes generators, and scores nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sensecf_bench.engine.rationales import MOST_EXAMPLES, Change
from sensecf_bench.reports.escaping import inert

if TYPE_CHECKING:
    from sensecf_bench.reports.results import Scored

RATIONALES = "rationales"
LONGEST_QUOTE = 300  # characters of a rationale that a page shows
MOST_CHANGES = 8  # of an example that a page shows
ABOUT = (
    "The generators named here give a reason with their counterfactuals. It is quoted as the model's own words: not checked, "
    "not scored, and no column of this page depends on it. At most {most} examples each: the first queries by id that have a "
    "valid counterfactual (admitted, and in the target class) with a rationale, each in its first cell and by its best such row. "
    "Quotes are cut after {longest} characters."
)


def gathered(scored: Sequence[Scored]) -> dict[str, Any]:
    """The entry of a results document, one item a dataset and generator; none at all where no generator said anything."""
    items = [
        _item(dataset, generator, [s for s in scored if (s.dataset, s.cell.generator.name) == (dataset, generator)])
        for dataset, generator in dict.fromkeys((s.dataset, s.cell.generator.name) for s in scored)
    ]
    found = [item for item in items if item["with_rationale"]]
    return {RATIONALES: found} if found else {}


def _item(dataset: str, generator: str, mine: Sequence[Scored]) -> dict[str, Any]:
    heard = [(s.cell, s.score.said) for s in mine if s.score is not None and s.score.said is not None]
    examples: dict[str, dict[str, Any]] = {}
    for cell, said in heard:
        for example in said.examples:
            where = {"query": example.query, "classifier": cell.context.classifier.name, "seed": cell.context.seed}
            changes = [_written(change) for change in example.changes]
            examples.setdefault(example.query, {**where, "changes": changes, "rationale": example.rationale})
    withheld = next((said.withheld for _, said in heard if said.withheld), "")
    return {
        "dataset": dataset,
        "generator": generator,
        "rows": sum(said.rows for _, said in heard),
        "with_rationale": sum(said.with_rationale for _, said in heard),
        "withheld": withheld,
        "examples": [] if withheld else [examples[query] for query in sorted(examples)[:MOST_EXAMPLES]],
    }


def _written(change: Change) -> dict[str, str]:
    return {"feature": change.feature, "unit": change.unit, "from": change.before, "to": change.after}


def what_models_say(results: Mapping[str, Any]) -> str:
    """The section of one dataset's leaderboard, in Markdown."""
    about = ABOUT.format(most=MOST_EXAMPLES, longest=LONGEST_QUOTE)
    return "\n\n".join([about, *(_of_generator(item) for item in results[RATIONALES])])


def _of_generator(item: Mapping[str, Any]) -> str:
    count = f"**{inert(item['generator'])}**: {item['with_rationale']} of {item['rows']} rows came with a rationale."
    if item["withheld"]:
        return (
            f"{count} None is shown, because rows of this dataset may not be passed on: {inert(item['withheld'])}. "
            "Who may read them finds them in the run's `rows.parquet`, column `cf_rationale`."
        )
    if not item["examples"]:
        return f"{count} None of those rows is a valid counterfactual, so none is shown."
    return "\n".join([count, "", *(_example(example) for example in item["examples"])])


def _example(example: Mapping[str, Any]) -> str:
    where = f"query {inert(example['query'])} · {inert(example['classifier'])} · seed {example['seed']}"
    return f"- {where}: {_changes(example['changes'])}\n  > “{inert(example['rationale'], LONGEST_QUOTE)}”"


def _changes(changes: Sequence[Mapping[str, str]]) -> str:
    shown = [
        f"{inert(c['feature'])} {inert(c['from'])} → {inert(c['to'])} {inert(c['unit'])}".rstrip()
        for c in changes[:MOST_CHANGES]
    ]
    more = [f"and {len(changes) - MOST_CHANGES} more"] if len(changes) > MOST_CHANGES else []
    return ", ".join([*shown, *more]) or "no feature by more than its precision"
