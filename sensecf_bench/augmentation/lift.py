"""What an arm brought, in points and as shares, with intervals, and against the best of the controls.

Scores are means over trials, classifiers and seeds alike; intervals are percentiles of the hierarchical paired
bootstrap of `resampled`. Known limits: with few seeds, and all the more with one, the intervals tell less of how
splits differ than they seem to, and of seeds with different test rows, people who stand in both are taken for
different ones. The best control is chosen anew in every resample, which favours the controls a little: a difference to
it is a cautious one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.augmentation.resampled import Predictions, mean_scores
from sensecf_bench.augmentation.scores import SCORES
from sensecf_bench.errors import DataError
from sensecf_bench.metrics.bootstrap import CONFIDENCE, DEFINED, RESAMPLES, Estimate

if TYPE_CHECKING:
    from sensecf_bench.augmentation.scarcity import Scenario
    from sensecf_bench.schema import Mask, Matrix

NOTHING = "none"  # the control that adds nothing: its lift is 0
NEGLIGIBLE = 1e-3  # a loss below a tenth of a point is none: shares of it would be thousands of percent of noise

Level = tuple["Scenario", float]
Cell = tuple[int, str]  # seed and classifier


@dataclass(frozen=True, eq=False)
class Trial:
    """One classifier, retrained: `m` test rows, whether each is positive, and the probabilities that it is after
    training on all rows, on the reduced rows, and on what the arm made of those. `people` is the same for seeds that have
    the same test rows, as under a fixed split; left out, every seed is taken to have rows of its own."""

    dataset: str
    arm: str
    scenario: Scenario
    reduction: float
    classifier: str
    seed: int
    truth: Mask
    full: Matrix
    reduced: Matrix
    augmented: Matrix
    people: str = ""


@dataclass(frozen=True)
class Lift:
    """What an arm brought at one level of scarcity, over classifiers and seeds, by the names of `SCORES`.

    `full`, `reduced` and `augmented` are mean scores, None where one is not defined. `lift` is augmented − reduced in
    points, `relative` the same in percent of reduced (the study's way), `recovered` the share (augmented − reduced) /
    (full − reduced), None where nothing was lost (and without an interval where that happens in more than one resample in
    ten), and `over_best_control` the lift less that of the best control, in
    points; a control is compared with the others. Their counts are of trials: with the score defined, of the arm, and
    at that level.
    """

    dataset: str
    arm: str
    scenario: Scenario
    reduction: float
    trials: int
    seeds: int
    full: Mapping[str, float | None]
    reduced: Mapping[str, float | None]
    augmented: Mapping[str, float | None]
    lift: Mapping[str, Estimate]
    relative: Mapping[str, Estimate]
    recovered: Mapping[str, Estimate]
    over_best_control: Mapping[str, Estimate]
    best_control: Mapping[str, str]


def lifts(
    trials: Iterable[Trial], controls: Collection[str], *, seed: int = 0, resamples: int = RESAMPLES
) -> list[Lift]:
    """A Lift for each dataset, level of scarcity and arm among the trials, in that order.

    `controls` names the arms that count as controls, sentinels among them; adding nothing always counts as one. Where an
    arm lacks a trial that others at its level have, it counts as having added nothing. Raises DataError for a trial
    given twice, and for trials of one dataset and seed that do not speak of the same test rows.
    """
    by_dataset: dict[str, list[Trial]] = defaultdict(list)
    for trial in trials:
        by_dataset[trial.dataset].append(trial)
    found: list[Lift] = []
    for name in sorted(by_dataset):
        levels = _levels(by_dataset[name])
        means = mean_scores([level.predictions for level in levels], seed=seed, resamples=resamples)
        for level, values in zip(levels, means, strict=True):
            found.extend(_lifts_at(level, values, controls))
    return found


# -- trials that belong together -------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class _AtLevel:
    """All trials of a dataset at one level of scarcity; `predictions` have the arms in order, then reduced, then full."""

    dataset: str
    level: Level
    arms: Sequence[str]
    trials: Mapping[str, Sequence[Trial]]  # those that each arm has
    cells: Sequence[Cell]
    predictions: Mapping[int, Predictions]


def _levels(trials: Sequence[Trial]) -> list[_AtLevel]:
    _refuse_other_test_rows(trials)
    by_level: dict[Level, list[Trial]] = defaultdict(list)
    for trial in trials:
        by_level[trial.scenario, trial.reduction].append(trial)
    return [_at_level(level, by_level[level]) for level in sorted(by_level)]


def _at_level(level: Level, trials: Sequence[Trial]) -> _AtLevel:
    by_arm: dict[str, dict[Cell, Trial]] = defaultdict(dict)
    for trial in trials:
        cell = trial.seed, trial.classifier
        if cell in by_arm[trial.arm]:
            raise DataError(f"{_described(trial)} is given twice", "give each trial once")
        by_arm[trial.arm][cell] = trial
    arms, any_of = sorted(by_arm), {(t.seed, t.classifier): t for t in trials}
    predictions = {}
    for seed in sorted({s for s, _ in any_of}):
        references = [any_of[cell] for cell in sorted(any_of) if cell[0] == seed]
        of_arms = [[_augmented(by_arm[arm], reference) for reference in references] for arm in arms]
        rows = [*of_arms, [t.reduced for t in references], [t.full for t in references]]
        truth, people = references[0].truth, references[0].people
        predictions[seed] = Predictions(truth, np.array(rows, dtype=np.float64), people)
    own = {arm: tuple(by_arm[arm].values()) for arm in arms}
    return _AtLevel(trials[0].dataset, level, arms, own, sorted(any_of), predictions)


def _augmented(of_arm: Mapping[Cell, Trial], reference: Trial) -> Matrix:
    trial = of_arm.get((reference.seed, reference.classifier))
    return reference.reduced if trial is None else trial.augmented


def _refuse_other_test_rows(trials: Sequence[Trial]) -> None:
    truths: dict[int, Mask] = {}
    for trial in trials:
        truth = truths.setdefault(trial.seed, trial.truth)
        lengths = {len(trial.full), len(trial.reduced), len(trial.augmented)}
        if lengths != {len(truth)} or not np.array_equal(trial.truth, truth):
            raise DataError(
                f"{_described(trial)} speaks of other test rows than the others of its dataset and seed",
                "give all predictions for the same test rows, in the same order",
            )


def _described(trial: Trial) -> str:
    where = f"{trial.dataset}, {trial.scenario} {trial.reduction:g}, seed {trial.seed}"
    return f"the trial of {trial.arm!r} with {trial.classifier!r} ({where})"


# -- what the arms brought -------------------------------------------------------------------------------------------
def _lifts_at(level: _AtLevel, means: Matrix, controls: Collection[str]) -> list[Lift]:
    """`means` has shape `(arms + 2, 5, 1 + resamples)`."""
    of = dict(zip(level.arms, means, strict=False))
    reduced, full = means[-2], means[-1]
    scenario, reduction = level.level
    found = []
    for arm in level.arms:
        rivals = [NOTHING, *(name for name in level.arms if name in controls and name not in (arm, NOTHING))]
        against = np.stack([reduced, *(of[name] for name in rivals[1:])])
        gained, own = of[arm] - reduced, level.trials[arm]
        found.append(
            Lift(
                dataset=level.dataset,
                arm=arm,
                scenario=scenario,
                reduction=reduction,
                trials=len(own),
                seeds=len({t.seed for t in own}),
                full=_in_sample(full),
                reduced=_in_sample(reduced),
                augmented=_in_sample(of[arm]),
                lift=_estimates(100 * gained, level, own),
                relative=_estimates(100 * _share(gained, reduced), level, own),
                recovered=_estimates(_share(gained, full - reduced), level, own),
                over_best_control=_estimates(100 * (of[arm] - against.max(axis=0)), level, own),
                best_control=_best(against[:, :, 0], rivals),
            )
        )
    return found


def _share(part: Matrix, whole: Matrix) -> Matrix:
    """NaN where there is no whole to have a share of."""
    share: Matrix = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > NEGLIGIBLE)
    return share


def _best(values: Matrix, names: Sequence[str]) -> dict[str, str]:
    """The name of the row with the highest value, for each score that is defined; of equals the first."""
    return {
        score: names[int(np.argmax(values[:, j]))] for j, score in enumerate(SCORES) if np.isfinite(values[:, j]).all()
    }


def _in_sample(values: Matrix) -> dict[str, float | None]:
    return {name: _number(value) for name, value in zip(SCORES, values[:, 0], strict=True)}


def _estimates(values: Matrix, level: _AtLevel, own: Sequence[Trial]) -> dict[str, Estimate]:
    found = {}
    for name, row in zip(SCORES, values, strict=True):
        value, resampled = _number(row[0]), row[1:]
        low, high = _percentiles(resampled) if value is not None else (None, None)
        scored = sum(name != "auc" or len(np.unique(t.truth)) == 2 for t in own)
        found[name] = Estimate(value, low, high, scored, len(own), len(level.cells))
    return found


def _percentiles(values: Matrix) -> tuple[float | None, float | None]:
    known = values[np.isfinite(values)]
    if not len(known) or len(known) < DEFINED * len(values):
        return None, None
    low, high = np.quantile(known, [0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2])
    return float(low), float(high)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
