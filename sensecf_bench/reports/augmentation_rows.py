"""The part of a results document that says what counterfactuals were worth as training data.

`rows` holds one entry an arm, level of scarcity, seed and retrained classifier, `summary` one an arm and level, pooled
over classifiers and seeds. An arm that adds nothing, whatever the reason, counts as the rows that were left to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.augmentation.lift import NOTHING, Lift, Trial, lifts
from sensecf_bench.augmentation.scores import SCORES, scores
from sensecf_bench.engine.assessments import FULL, REDUCED, Added, Arm, Assessed, Assessment
from sensecf_bench.engine.augmenting import controls, generator_arm
from sensecf_bench.metrics.bootstrap import Estimate

if TYPE_CHECKING:
    from sensecf_bench.augmentation.scarcity import Scarcity, Scenario
    from sensecf_bench.engine.carried import Carried
    from sensecf_bench.engine.scarce_plan import AugmentationPlan, Level

NONE = Arm(NOTHING, "control")
FAILURES = ("failed", "impossible", "leak")
DIGITS = 6  # of a score


@dataclass(frozen=True, eq=False)
class _Found:
    """A row of the document, and the trial behind it where there is one."""

    row: dict[str, Any]
    trial: Trial | None


def build_augmentation(carried: Carried) -> dict[str, Any] | None:
    """None where augmentation is off."""
    plan, assessed = carried.plan.augmentation, carried.assessed
    if plan is None or assessed is None:
        return None
    sentinels = {g.name for g in plan.generators if g.cls.sentinel}
    found = [f for level in plan.levels for f in _AtLevel(plan, assessed, level, sentinels).found()]
    rows = [f.row for f in found]
    calibrating = {NOTHING, *(arm.name for arm in controls()), *sentinels}
    trials = [f.trial for f in found if f.trial is not None]
    pooled = {
        (lift.dataset, lift.scenario, lift.reduction, lift.arm): lift
        for lift in lifts(trials, calibrating, resamples=carried.plan.config.resamples)
    }
    return {
        "grid": plan.config.model_dump(mode="json"),
        "rows": rows,
        "summary": _summary(rows, pooled),
        "left_out": [asdict(left_out) for left_out in plan.left_out],
        "notes": _notes(plan, assessed, rows),
    }


class _AtLevel:
    """All rows of a dataset and seed at one level of scarcity."""

    def __init__(self, plan: AugmentationPlan, assessed: Assessed, level: Level, sentinels: Collection[str]) -> None:
        self._plan, self._assessed, self._level, self._sentinels = plan, assessed, level, sentinels
        self._table = assessed.tables[level.whole.data_key]
        self._full, self._reduced = self._reference(None, FULL), self._reference(level.scarcity, REDUCED)
        names = [c.name for c in plan.classifiers]
        self._references = {n: {"full": _scored(self._full, n), "reduced": _scored(self._reduced, n)} for n in names}

    def found(self) -> Iterator[_Found]:
        """A generator that may not see the dataset, or is left out at this level, has no rows."""
        for arm in (NONE, *controls(), *map(generator_arm, self._plan.generators_at(self._level))):
            assessment = self._assessment(arm)
            if assessment is not None:
                for classifier in self._references:
                    yield _Found(self._row(arm, assessment, classifier), self._trial(arm, assessment, classifier))

    def _reference(self, scarcity: Scarcity | None, arm: Arm) -> Assessment:
        """What everything is compared with; where the dataset cannot be used, an Assessment that says so."""
        if self._table.failure:
            return Assessment(Added("failed", f"dataset failed: {self._table.failure}"), np.empty(0, dtype=bool))
        return self._assessed.found[self._level.whole.data_key, scarcity, arm]

    def _assessment(self, arm: Arm) -> Assessment | None:
        if arm is NONE or self._table.failure:
            return self._reduced
        return self._assessed.found.get((self._level.whole.data_key, self._level.scarcity, arm))

    def _row(self, arm: Arm, assessment: Assessment, classifier: str) -> dict[str, Any]:
        scarcity, references = self._level.scarcity, self._references[classifier]
        status, reason = self._status(assessment, classifier)
        retrained = classifier in assessment.probabilities
        return {
            "dataset": self._table.dataset,
            "generator": arm.name,
            "control": arm.kind == "control",
            "sentinel": arm.name in self._sentinels,
            "scenario": scarcity.scenario,
            "reduction": scarcity.reduction,
            "classifier": classifier,
            "seed": self._level.whole.seed,
            **asdict(assessment.added),
            "status": status,
            "reason": reason,
            **references,
            "augmented": _scored(assessment, classifier) if retrained else references["reduced"],
        }

    def _trial(self, arm: Arm, assessment: Assessment, classifier: str) -> Trial | None:
        """None where there is nothing to compare with, which is so for all arms alike."""
        full, reduced = (a.probabilities.get(classifier) for a in (self._full, self._reduced))
        if full is None or reduced is None:
            return None
        return Trial(
            dataset=self._table.dataset,
            arm=arm.name,
            scenario=self._level.scarcity.scenario,
            reduction=self._level.scarcity.reduction,
            classifier=classifier,
            seed=self._level.whole.seed,
            truth=self._full.truth,
            full=full,
            reduced=reduced,
            augmented=assessment.probabilities.get(classifier, reduced),
            people=self._table.people,
        )

    def _status(self, assessment: Assessment, classifier: str) -> tuple[str, str]:
        """What became of one trial: of the arm, or of this classifier where that could not be trained."""
        if assessment.added.status in FAILURES:
            return assessment.added.status, assessment.added.reason
        stages = ((self._full, "on all rows"), (self._reduced, "on the reduced rows"), (assessment, "on what it adds"))
        for rows, where in stages:
            if rows.added.status in FAILURES:
                return rows.added.status, rows.added.reason
            if classifier in rows.failures:
                return "impossible", f"cannot be trained {where}: {rows.failures[classifier]}"
        return assessment.added.status, assessment.added.reason


def _scored(assessment: Assessment, classifier: str) -> dict[str, float | None]:
    said = assessment.probabilities.get(classifier)
    if said is None:
        return dict.fromkeys(SCORES)
    return {name: _short(value) for name, value in scores(assessment.truth, said).items()}


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


# -- pooled over classifiers and seeds ---------------------------------------------------------------------------------
def _summary(
    rows: Sequence[Mapping[str, Any]], pooled: Mapping[tuple[str, Scenario, float, str], Lift]
) -> list[dict[str, Any]]:
    groups: dict[tuple[str, Scenario, float, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        key = (row["dataset"], row["scenario"], row["reduction"], row["generator"])
        groups.setdefault(key, []).append(row)
    return [_entry(mine, pooled.get(key)) for key, mine in groups.items()]


def _entry(mine: Sequence[Mapping[str, Any]], lift: Lift | None) -> dict[str, Any]:
    bad = [row for row in mine if row["status"] in FAILURES]
    noteworthy = [row["reason"] for row in (*bad, *mine) if row["reason"]]
    arms = {row["seed"]: row for row in mine}.values()  # counts are of an arm, the same for all classifiers
    first = mine[0]
    return {
        **{name: first[name] for name in ("dataset", "generator", "control", "sentinel", "scenario", "reduction")},
        "trials": lift.trials if lift else 0,
        "seeds": lift.seeds if lift else 0,
        "failed": len(bad),
        "leaked": sum(row["leaked"] for row in arms),
        "reason": noteworthy[0] if noteworthy else "",
        **{name: sum(row[name] for row in arms) for name in ("removed", "asked", "answered", "valid", "added")},
        **{name: _means(lift, name) for name in ("full", "reduced", "augmented")},
        **{name: _estimates(lift, name, len(mine)) for name in ("lift", "relative", "recovered", "over_best_control")},
        "best_control": dict(lift.best_control) if lift else {},
    }


def _means(lift: Lift | None, which: str) -> dict[str, float | None]:
    found: Mapping[str, float | None] = getattr(lift, which) if lift else {}
    return {name: _short(found.get(name)) for name in SCORES}


def _estimates(lift: Lift | None, which: str, asked: int) -> dict[str, Any]:
    """`asked` counts all trials, also those that have nothing to be compared with."""
    found: Mapping[str, Estimate] = getattr(lift, which) if lift else {}
    nothing = Estimate(None, None, None, 0, 0, asked)
    return {name: {**asdict(found.get(name, nothing)), "asked": asked} for name in SCORES}


def _notes(plan: AugmentationPlan, assessed: Assessed, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line a seed that cannot be used, and a line a reason for which trials went wrong, with the arms it befell."""
    seeds = {level.whole.data_key: level.whole.seed for level in plan.levels}
    unusable = {(t.dataset, seeds[key]): t.failure for key, t in assessed.tables.items() if t.failure}
    befell: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        if row["status"] in FAILURES and (row["dataset"], row["seed"]) not in unusable:
            befell.setdefault((row["dataset"], row["status"], row["reason"]), []).append(row["generator"])
    return [
        *(
            f"{dataset} · seed {seed}: cannot be reduced, because it cannot be split: {why}"
            for (dataset, seed), why in unusable.items()
        ),
        *(
            f"{dataset} · {', '.join(dict.fromkeys(arms))}: {status} in {len(arms)} trials: {reason}"
            for (dataset, status, reason), arms in befell.items()
        ),
    ]
