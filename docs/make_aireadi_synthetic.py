"""Write docs/aireadi-synthetic.md: the model with the constants of its code, and its calibration measured anew.

`tests/test_aireadi_cohort.py` checks that the page is up to date. With --fit the classifiers' figures are measured again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from sensecf_bench.datasets.aireadi.cohort import days as d
from sensecf_bench.datasets.aireadi.cohort import glucose as g
from sensecf_bench.datasets.aireadi.cohort import make_cohort
from sensecf_bench.datasets.aireadi.cohort import people as p
from sensecf_bench.datasets.aireadi.cohort import wear as w
from sensecf_bench.datasets.aireadi.cohort.calibration import SIZE, TARGETS, measured
from sensecf_bench.datasets.aireadi.cohort.minutes import CYCLE
from sensecf_bench.datasets.aireadi.synthetic import STUDY_SIZE
from sensecf_bench.datasets.aireadi.writing.injection import QUIRKS

HERE = Path(__file__).parent
FIGURES = HERE.parent / "benchmarks" / "results" / "aireadi-synthetic-classifiers.json"
SEEDS = (0, 1, 2)
ADVICE = {
    "mean_glucose_mg_dl": -30.0,
    "deep_sleep_pct": 5.0,
    "rem_sleep_pct": 5.0,
    "walking_min_per_day": 20.0,
    "active_calories_kcal": 85.0,  # what so much walking burns in the model
}


def page() -> str:
    return "\n".join([_model(), _calibration(), _classifiers(json.loads(FIGURES.read_text())), _quirks()])


def _listed(values: Any) -> str:
    return ", ".join(f"{v:g}" for v in values)


def _model() -> str:
    factors = "\n".join(
        f"| {name} | {' | '.join(f'{v:g}' for v in row)} |"
        for name, row in zip(("metabolic M", "activity A", "sleep Q", "strain T"), p.FACTORS, strict=True)
    )
    return f"""# The synthetic cohort
Made by `python docs/make_aireadi_synthetic.py` from the code; do not edit.

**Nobody in it exists.** The model below was written by hand and calibrated to aggregates that are published of AI-READI's
release 3. No participant's data went into it, and nothing about health can be learned from it: it is for trying software.

- `sensecf-bench run --datasets aireadi-synthetic`: the table of the task, one row a person, {STUDY_SIZE:,} people unless
  `--set aireadi-synthetic.participants=N` says otherwise (`seed` and `threshold` are the other options). Its rows are
  the first people of a cohort who have everything the task asks for; the others are skipped, as in the real data.
- `sensecf-bench data aireadi synthesize --participants N --release 1|2|3 --out DIR`: the same people as raw files in the
  release's layout. Features read back from them equal the ones below to the last bits of a float (release 1 writes hours of
  sleep to two decimals, and no stages).

One seed is one cohort. Every quantity has a random stream of its own, so person *i* is the same in a cohort of any size.
All distributions are normal, and all variables written *ε* independent, unless something else is said; values are cut to
what is physically possible. Coefficients are ours, except where the table below names a published figure.

## People
Group, site and split are drawn in the proportions of release 3. Ages are normal ({p.AGE_MEAN:g}, {p.AGE_SD:g}) cut to
{p.AGE_RANGE[0]}-{p.AGE_RANGE[1]}. Four latent factors have unit variance and these correlations:

| | M | A | Q | T |
| --- | --- | --- | --- | --- |
{factors}

- BMI = μ(group) · exp({p.BMI_SPREAD:g} b - {p.BMI_SPREAD:g}²/2), with b = 0.35 M - 0.20 A + ε of unit variance and μ = {_listed(p.BMI_MEAN)}.
- Usual glucose U = c + (m - c) · exp(σ (0.8 M + 0.6 ε)) mg/dL, a shifted lognormal with floors c = {_listed(p.GLUCOSE_FLOOR)}, medians m =
  {_listed(p.GLUCOSE_MEDIAN)}, and σ such that the mean is the published one.
- HbA1c = (U + 46.7) / 28.7 - 0.2 + 0.35 ε % (Nathan et al. 2008 turn one into the other).
- Systolic pressure = 126 + 0.30 (age - 60) + 0.5 (BMI - 30) + 14 ε, diastolic 77 - 0.15 (age - 60) + 0.3 (BMI - 30) + 8.5 ε mmHg, two
  readings each.
- CES-D-10 = {p.CESD_MEDIAN:g} · exp({p.CESD_SPREAD:g} z), PAID-5 = {p.PAID_MEDIAN:g} · exp({p.PAID_SPREAD:g} z), rounded, with z = 0.55 T + 0.84 ε; points are dealt to
  items at random.

## Nights, minutes in whole numbers
- Usual deep sleep 22 + 4.2 Q - 0.08 (age - 61) + 3.2 ε, REM 19 + 2.8 Q + 2.8 ε, in % of sleep; nights differ by 5.0 and 4.5.
- Hours asleep 6.9 + 0.45 Q - 0.2 T + 0.45 ε, nights differ by 0.85; time awake 7.5 - 1.5 Q + 0.05 (age - 61) + 1.8 ε % of the
  time in bed. Cycles of {CYCLE} minutes, deep sleep early and REM late; 4 % of nights are not recorded.

## Days
- Activity is a sum of codes a day: ln C = ln {d.MEDIAN_CODE_SUM:g} {d.CODE_SUM_PER_YEAR:+g} (age - 61) + 0.42 A, days differ by 0.28. It is split into walking
  (codes {_listed(d.WALKING_CODES)}), generic ({_listed(d.GENERIC_CODES)}) and, for 18 % of people, running ({d.RUNNING_CODE}); active calories follow minutes, BMI and ε.
- Glucose, every five minutes: U + daily shift + drift + meals, moved so that a trace's mean is U. Meals at {_listed(g.MEAL_MINUTES / 60)} h
  (± 25 min, sizes {_listed(g.MEAL_SIZE)} · e^(0.35 ε), skipped with probability {_listed(g.MEAL_SKIPPED)}; the last is a dip at
  night) raise it by s · (t/τ) e^(1 - t/τ), τ = 45 e^(0.15 M) minutes; drift is autoregressive
  ({g.DRIFT_MEMORY:g} a reading). Both grow with U and the group ({_listed(g.GROUP_SWING)}). The daily shift is (U/118) · (4 ε - 4 Δ ln C + 0.25 · lack of deep
  sleep the night before, in points).
- Stress of day *d*, the mean of the day's scores:

  S(d) = {d.STRESS_CENTRE:g} + δ(group) {d.STRESS_PER_MG_DL:+g} (G(d) - 135) {d.STRESS_PER_DEEP_PCT:+g} (deep(d) - 22) {d.STRESS_PER_REM_PCT:+g} (REM(d) - 19) {d.STRESS_PER_LOG_ACTIVITY:+g} ln(C(d)/{d.MEDIAN_CODE_SUM:g}) {d.STRESS_PER_STRAIN:+g} T
  {d.STRESS_OF_AROUSAL:+g} a {d.STRESS_OF_PERSON:+g} ε(person) {d.STRESS_OF_DAY:+g} ε(day)

  with G the day's mean glucose, deep and REM sleep of the night before in %, a the person's arousal and
  δ = {_listed(d.STRESS_OF_GROUP)}. So less glucose, more deep and REM sleep and more activity mean less stress, amid noise.
- Heart rate = h(group) + 3.5 a - 2.5 A + 5.5 ε + 0.25 (S(d) - mean S) + 1.8 ε(day), h = {_listed(d.HEART_RATE_OF_GROUP)}; the resting rate lies about 13.5
  below. Breathing 14.6 + 0.08 (BMI - 30) + 1.3 ε per minute. Oxygen 91.6 - 0.06 (BMI - 30) - 0.04 (age - 61) + 1.6 ε %.

## Wear, and what is missing
The watch is worn from the visit (9 to 15 h) for ten times 24 hours, and not over a change of clocks. {100 * w.SHORT_DAY_SHARE:g} % of days end at eight in the
morning, {100 * w.EARLY_END_SHARE:g} % of people stop early. The glucose sensor starts 1.6 to 3.3 hours later, warms up for two, and one in six loses part
of its readings. Shares of people without a watch, a sensor, measurements or answers are those of release 3, below.

## Minutes
Each day is kept as whole-number counts and sums. Minutes of heart rate, stress, breathing and oxygen follow the time of day
and activity, and are then moved, cut and rounded so that they add up to exactly these sums; the lowest 8 % of a day's heart
rates are its resting rate, so the 5th percentile is it too.
"""


def _calibration() -> str:
    values = measured(make_cohort(SIZE))
    rows = [
        f"| {t.what} | {t.published:.{t.decimals}f} | {values[t.what]:.{t.decimals}f} |{f' {t.note}' if t.note else ''} |"
        for t in TARGETS
    ]
    return "\n".join(
        [
            "## Calibration",
            f"Published aggregates of release 3 beside a cohort of {SIZE:,} people, seed 0; nothing was left out.",
            "",
            "| | published | cohort | remark |",
            "| --- | --- | --- | --- |",
            *(row.replace("|  |", "| |") if row.endswith("| ") else row for row in rows),
            "",
        ]
    )


def _classifiers(figures: dict[str, Any]) -> str:
    rows = [
        f"| `{name}` | {' | '.join(f'{v:.3f}' for v in found['auc'])} | {' | '.join(f'{v:+.3f}' for v in found['moved'])} |"
        for name, found in figures["classifiers"].items()
    ]
    advice = "; ".join(f"{name} {by:+g}" for name, by in ADVICE.items())
    return "\n".join(
        [
            "## How hard the task is",
            f"Area under the curve on the test rows of seeds {_listed(SEEDS)}, and how the mean predicted probability of high stress "
            f"moves when everybody follows the advice of the study's worked example ({advice}). "
            f"{100 * figures['share']:.1f} % of people have high stress.",
            "",
            "| classifier | AUC 0 | AUC 1 | AUC 2 | moved 0 | moved 1 | moved 2 |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def _quirks() -> str:
    rows = [f"| `{name}` | {quirk.about} | {quirk.effect} |" for name, quirk in QUIRKS.items()]
    return "\n".join(
        [
            "## Quirks on demand",
            "`--quirk NAME` puts one into a quarter of the people who have everything (or into the whole release, where it concerns "
            "its folders and tables); `--quirk all` puts in all. What each does to the features of those who have it: "
            "nothing; a little, because something real is lost; or the person is excluded.",
            "",
            "| name | what | effect |",
            "| --- | --- | --- |",
            *rows,
            "",
        ]
    )


def fit() -> None:
    """Measure the classifiers and keep the figures."""
    import numpy as np
    from sklearn.metrics import roc_auc_score

    from sensecf_bench.classifiers import GradientBoosting, NeuralNetwork, RandomForest, SupportVectorMachine
    from sensecf_bench.datasets.aireadi.synthetic import SyntheticAireadi

    dataset = SyntheticAireadi()
    table = dataset.load()
    rows, names = table.schema.encode(table.frame), table.schema.names
    followed = rows.copy()
    for name, by in ADVICE.items():
        followed[:, names.index(name)] += by
    followed = np.clip(followed, *table.schema.hard_bounds)
    figures: dict[str, Any] = {}
    for family in (SupportVectorMachine, RandomForest, GradientBoosting, NeuralNetwork):
        found: dict[str, list[float]] = {"auc": [], "moved": []}
        for seed in SEEDS:
            split = dataset.split(table, seed)
            labels = dataset.labels(table, split.train)
            model = family()
            model.fit(table.schema, rows[split.train], labels[split.train], seed)
            before = model.predict_proba(rows)[:, 1]
            found["auc"].append(float(roc_auc_score(labels[split.test], before[split.test])))
            found["moved"].append(float((model.predict_proba(followed)[:, 1] - before).mean()))
        figures[family.name] = found
    share = float((table.outcome >= dataset.options.threshold).mean())
    FIGURES.write_text(json.dumps({"share": share, "classifiers": figures}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if "--fit" in sys.argv[1:]:
        fit()
    (HERE / "aireadi-synthetic.md").write_text(page(), encoding="utf-8")
