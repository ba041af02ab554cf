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
    from sensecf_bench.augmentation.scarcity import Scenario
    from sensecf_bench.engine.carried import Carried
    from sensecf_bench.engine.scarce_plan import AugmentationPlan, Level
    from sensecf_bench.schema import Matrix

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
        self._full, self._reduced = self._of(FULL, whole=True), self._of(REDUCED)

    def found(self) -> Iterator[_Found]:
        arms = [NONE, *controls(), *map(generator_arm, self._plan.generators)]
        for arm in arms:
            assessment = self._reduced if arm is NONE else self._of(arm)
            if assessment is not None:
                for classifier in self._plan.classifiers:
                    yield self._row(arm, assessment, classifier.name)

    def _of(self, arm: Arm, *, whole: bool = False) -> Assessment | None:
        """None for a generator that may not see the dataset; where nothing can, an Assessment that says so."""
        if self._table.failure:
            return Assessment(Added("failed", f"dataset failed: {self._table.failure}"), np.empty(0, dtype=bool))
        place = (self._level.whole.data_key, None if whole else self._level.scarcity, arm)
        return self._assessed.found.get(place)

    def _row(self, arm: Arm, assessment: Assessment, classifier: str) -> _Found:
        assert self._full is not None and self._reduced is not None
        full, reduced = (_said(a, classifier) for a in (self._full, self._reduced))
        augmented = _said(assessment, classifier)
        status, reason = _status(arm, assessment, self._full, self._reduced, classifier)
        if augmented is None:
            augmented = reduced
        trial = None
        if full is not None and reduced is not None and augmented is not None:
            trial = Trial(
                self._table.dataset,
                arm.name,
                self._level.scarcity.scenario,
                self._level.scarcity.reduction,
                classifier,
                self._level.whole.seed,
                self._full.truth,
                full,
                reduced,
                augmented,
            )
        row = {
            "dataset": self._table.dataset,
            "generator": arm.name,
            "control": arm.kind == "control",
            "sentinel": arm.name in self._sentinels,
            "scenario": self._level.scarcity.scenario,
            "reduction": self._level.scarcity.reduction,
            "classifier": classifier,
            "seed": self._level.whole.seed,
            **asdict(assessment.added),
            "status": status,
            "reason": reason,
            "full": _scored(self._full, full),
            "reduced": _scored(self._full, reduced),
            "augmented": _scored(self._full, augmented),
        }
        return _Found(row, trial)


def _said(assessment: Assessment, classifier: str) -> Matrix | None:
    return assessment.probabilities.get(classifier)


def _status(
    arm: Arm, assessment: Assessment, full: Assessment, reduced: Assessment, classifier: str
) -> tuple[str, str]:
    """What became of one trial: of the arm, or of this classifier where that could not be trained."""
    added = assessment.added
    if added.status not in ("ok", "empty"):
        return added.status, added.reason
    for rows, where in ((full, "on all rows"), (reduced, "on the reduced rows"), (assessment, "on what it adds")):
        if rows.added.status in ("failed", "impossible"):
            return rows.added.status, rows.added.reason
        if classifier in rows.failures:
            return "impossible", f"cannot be trained {where}: {rows.failures[classifier]}"
    return added.status, added.reason


def _scored(full: Assessment, said: Matrix | None) -> dict[str, float | None]:
    if said is None:
        return dict.fromkeys(SCORES)
    return {name: _short(value) for name, value in scores(full.truth, said).items()}


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
    found: Mapping[str, Estimate] = getattr(lift, which) if lift else {}
    nothing = Estimate(None, None, None, 0, 0, asked)
    return {name: asdict(found.get(name, nothing)) for name in SCORES}


def _notes(plan: AugmentationPlan, assessed: Assessed, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    seeds = {level.whole.data_key: level.whole.seed for level in plan.levels}
    notes = [
        f"{table.dataset} · seed {seeds[key]}: cannot be reduced, because it cannot be split: {table.failure}"
        for key, table in assessed.tables.items()
        if table.failure
    ]
    bad = {(r["dataset"], r["generator"], r["status"], r["reason"]): 0 for r in rows if r["status"] in FAILURES}
    for row in rows:
        if row["status"] in FAILURES:
            bad[row["dataset"], row["generator"], row["status"], row["reason"]] += 1
    return notes + [
        f"{dataset} · {generator}: {status} in {count} of its trials: {reason}"
        for (dataset, generator, status, reason), count in bad.items()
    ]
