"""The augmentation part of one dataset's results as a page needs it: settings of scarcity, and the arms that met them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

AUGMENTATION = "augmentation"
SCORES = ("accuracy", "precision", "recall", "f1", "auc")
LEAK = "leak"
FINE = ("ok", "empty")  # empty: asked, and nothing came of it that could be added

Kind = Literal["generator", "control", "sentinel"]
Stage = Literal["full", "reduced", "augmented"]


@dataclass(frozen=True, eq=False)
class Arm:
    """One way of filling up the retained rows, under one scenario and reduction: its entry of the summary, and its
    trials, one a classifier and seed. `crashed` names the controls that failed there: none of them could be beaten."""

    summary: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    crashed: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return str(self.summary["generator"])

    @property
    def kind(self) -> Kind:
        return "sentinel" if self.summary["sentinel"] else "control" if self.summary["control"] else "generator"

    @property
    def best_control(self) -> str:
        """The control with the highest mean F1, "" where there is none to compare with."""
        named = self.summary.get("best_control")
        return str((named.get("f1") if isinstance(named, Mapping) else named) or "")

    @property
    def problem(self) -> str:
        """Why it is not ranked: rows that it cannot know, or trials that failed; "" where neither is so."""
        leaks = [r for r in self.rows if r["status"] == LEAK]
        if leaks:
            return (
                f"leak in {self._share(leaks)}: {self.total('leaked') or 0} returned rows are removed training rows or test "
                f"rows, which it was never shown"
            )
        return self._said_of([r for r in self.rows if r["status"] not in (*FINE, LEAK)])

    @property
    def remark(self) -> str:
        """What there is to say of trials in which nothing went wrong: that nothing was added, say."""
        return self._said_of([r for r in self.rows if r["status"] in FINE and r["reason"]])

    @property
    def beats_controls(self) -> bool:
        """Whether nothing went wrong, with it or with a control, and the whole interval of its F1 over the best control
        lies above 0."""
        over = self.estimate("over_best_control")
        sound = self.kind == "generator" and not self.problem and not self.crashed
        return sound and over["low"] is not None and over["low"] > 0

    def estimate(self, quantity: str, score: str = "f1") -> Mapping[str, Any]:
        """`lift`, `relative`, `recovered` or `over_best_control` of a score; without a value where there is none."""
        found: Mapping[str, Any] | None = (self.summary.get(quantity) or {}).get(score)
        return found or {"value": None, "low": None, "high": None, "scored": 0, "eligible": 0, "asked": 0}

    def total(self, count: str) -> int | None:
        """`removed`, `asked`, `added` or `leaked` over the seeds. The classifiers of a seed share the same rows, so they
        count once. None where nobody knows."""
        seeds: dict[Any, int] = {}
        for row in self.rows:
            if row.get(count) is not None:
                seeds[row["seed"]] = max(seeds.get(row["seed"], 0), row[count])
        return sum(seeds.values()) if seeds else None

    def mean(self, stage: Stage, score: str) -> float | None:
        """Over the trials that could be carried out."""
        value: float | None = self.summary[stage][score]
        return value

    def _said_of(self, rows: Sequence[Mapping[str, Any]]) -> str:
        if not rows:
            return ""
        first = rows[0]
        said = f"{first['status']} in {self._share(rows)}, the first {first['classifier']} · seed {first['seed']}"
        return f"{said}: {first['reason']}" if first["reason"] else said

    def _share(self, rows: Sequence[Mapping[str, Any]]) -> str:
        return f"{len(rows)} of {len(self.rows)} trials"


@dataclass(frozen=True, eq=False)
class Setting:
    """One scenario at one reduction, with its arms in the order of the summary."""

    scenario: str
    reduction: float
    arms: Sequence[Arm]

    @property
    def label(self) -> str:
        return f"{self.scenario} {percent(self.reduction)}"

    def mean(self, stage: Literal["full", "reduced"], score: str) -> float | None:
        """The same for every arm that has any trial at all."""
        return next((value for arm in self.arms if (value := arm.mean(stage, score)) is not None), None)

    def trials(self, stage: Literal["full", "reduced"], score: str) -> list[float]:
        """What each classifier and seed scored with all training rows, or with the retained ones and nothing added, where
        it could be trained."""
        found = {(r["classifier"], r["seed"]): r[stage][score] for arm in self.arms for r in arm.rows}
        return [value for value in found.values() if value is not None]

    def arm(self, name: str) -> Arm | None:
        return next((arm for arm in self.arms if arm.name == name), None)

    def loss(self, score: str) -> float | None:
        """How much the score lost, in points; not positive where nothing was lost."""
        full, reduced = self.mean("full", score), self.mean("reduced", score)
        return None if full is None or reduced is None else 100 * (full - reduced)


def settings_of(results: Mapping[str, Any]) -> list[Setting]:
    """The settings of a results document about one dataset, by scenario and reduction. None without augmentation."""
    part = results.get(AUGMENTATION)
    if not part:
        return []
    found: dict[tuple[str, float], list[Arm]] = {}
    rows: dict[tuple[str, str, float], list[Mapping[str, Any]]] = {}
    for row in part["rows"]:
        rows.setdefault((row["generator"], row["scenario"], row["reduction"]), []).append(row)
    no_generators = [entry for entry in part["summary"] if entry["control"] or entry["sentinel"]]
    crashed: dict[tuple[str, float], tuple[str, ...]] = {}
    for entry in no_generators:
        name, where = entry["generator"], (entry["scenario"], entry["reduction"])
        if any(row["status"] == "failed" for row in rows.get((name, *where), [])):
            crashed[where] = (*crashed.get(where, ()), name)
    for entry in part["summary"]:
        where = entry["scenario"], entry["reduction"]
        mine = rows.get((entry["generator"], *where), [])
        found.setdefault(where, []).append(Arm(entry, mine, crashed.get(where, ())))
    return [Setting(scenario, reduction, arms) for (scenario, reduction), arms in sorted(found.items())]


def only_about(augmentation: Mapping[str, Any], dataset: str) -> dict[str, Any]:
    """The augmentation part of a results document that is about one dataset."""
    others = {entry["dataset"] for entry in augmentation["summary"]} - {dataset}
    return {
        **augmentation,
        "rows": [row for row in augmentation["rows"] if row["dataset"] == dataset],
        "summary": [entry for entry in augmentation["summary"] if entry["dataset"] == dataset],
        "left_out": [e for e in augmentation["left_out"] if e.get("dataset") in (None, dataset)],
        "notes": [n for n in augmentation["notes"] if not any(n.startswith(f"{other} · ") for other in others)],
    }


def percent(share: float) -> str:
    return f"{100 * share:g} %"
