"""Write the tables of docs/aireadi.md from the catalogue and the task; `tests/test_aireadi_docs.py` checks them."""

from __future__ import annotations

import re
from pathlib import Path

from sensecf_bench.datasets.aireadi.catalogue import COLUMNS
from sensecf_bench.datasets.aireadi.clinical import ITEMS
from sensecf_bench.datasets.aireadi.quirks import MEANING
from sensecf_bench.datasets.aireadi.task import FEATURES, SCHEMA

PAGE = Path(__file__).with_name("aireadi.md")
STREAMS = {
    "participants": "participants.tsv",
    "glucose": "continuous_glucose_monitoring",
    "sleep": "sleep",
    "activity": "physical_activity",
    "heart": "heart_rate",
    "stress": "stress",
}
OF_ONE = {
    "active_calories_kcal": "physical_activity_calorie",
    "respiration_rate_bpm": "respiratory_rate",
    "oxygen_saturation_pct": "oxygen_saturation",
    **{name: f"{item.table}.csv" for name, item in ITEMS.items()},
}


def columns() -> str:
    task = {f.name for f in FEATURES}
    rows = [
        f"| `{c.name}` | {c.unit} | {OF_ONE.get(c.name) or STREAMS[c.source]} | {c.definition} | {'yes' if c.name in task else 'no'} |"
        for c in COLUMNS
    ]
    return "\n".join(["| column | unit | from | definition | feature |", "| --- | --- | --- | --- | --- |", *rows])


def task() -> str:
    rows = []
    for f in FEATURES:
        limits = f"{f.bounds[0]:g} to {f.bounds[1]:g}" if f.is_numeric else "in the order of treatment"
        changes = "may change" if f.mutable else "stays"
        rows.append(f"| `{f.name}` | {limits} | {f.step:g} | {changes} |")
    table = ["| feature | hard bounds | smallest change | |", "| --- | --- | --- | --- |", *rows]
    return "\n".join([*table, "", *(f"- {c.in_words()}." for c in SCHEMA.constraints)])


def quirks() -> str:
    rows = [f"| {quirk.value.replace('_', ' ')} | {meaning} |" for quirk, meaning in MEANING.items()]
    return "\n".join(["| counted as | meaning |", "| --- | --- |", *rows])


def page(text: str) -> str:
    """The page with its generated parts written anew; each stands between two comments that name it."""
    for name, part in (("columns", columns), ("task", task), ("quirks", quirks)):
        between = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        text, found = between.subn(lambda m, p=part: f"{m[1]}{p()}\n{m[2]}", text)  # type: ignore[misc]
        if found != 1:
            raise ValueError(f"{PAGE}: {found} places for {name}, not 1")
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
