"""Every built-in metric on a table small enough to work out by hand, and in the corners of its definition."""

import math
import subprocess
import sys

import numpy as np
import pytest

from sensecf_bench.contracts import Feature, FeatureSchema, Metric
from sensecf_bench.judged import Judged, Reference, Spent
from sensecf_bench.metrics import sensecf_metrics
from sensecf_bench.queries import Outcome

BUILT_IN = {cls.name: cls for cls in sensecf_metrics()}
FOUND, ABSTAINED, REJECTED = Outcome.FOUND, Outcome.ABSTAINED, Outcome.REJECTED

FEATURES = (
    Feature(name="age", kind="integer", direction="increase", bounds=(18, 90)),
    Feature(name="glucose", kind="continuous", precision=1.0, bounds=(40, 400)),
    Feature(name="sex", kind="binary", levels=("f", "m"), mutable=False),
    Feature(name="stage", kind="ordinal", levels=("low", "mid", "high")),
    Feature(name="drug", kind="categorical", levels=("a", "b", "c")),
)
# Ranges: age 20 to 60, glucose 80 to 180; drug "c" is never seen.
TRAINING = np.array([[20, 80, 0, 0, 0], [60, 180, 1, 2, 1], [40, 130, 0, 1, 0], [50, 100, 1, 1, 0]], dtype=float)
LABELS = np.array([1, 0, 1, 0])
SCHEMA = FeatureSchema(FEATURES).with_scales(TRAINING)

FACTUALS = np.array(
    [[50, 160, 1, 2, 1], [30, 150, 0, 1, 1], [30, 150, 0, 1, 1], [30, 150, 0, 1, 1], [60, 180, 1, 2, 1]], dtype=float
)
ROWS = np.array(
    [
        [50, 110, 1, 1, 1],  # query 0: gaps 0, .5, 0, .5, 0
        [30, 150.4, 0, 1, 0],  # query 1: gaps 0, .004 (less than half a step: unchanged), 0, 0, 1
        [40, 130, 0, 1, 0],  # query 1: gaps .25, .2, 0, 0, 1; a copy of a training row
        [62, 180, 1, 2, 2],  # query 4: gaps .05, 0, 0, 0, 1; beyond the training range, and an unseen drug
    ],
    dtype=float,
)


def judge(**changes):
    cost = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    given = {
        "schema": SCHEMA,
        "factuals": FACTUALS,
        "target": np.ones(5, dtype=np.int64),
        "outcomes": (FOUND, FOUND, ABSTAINED, REJECTED, FOUND),
        "owner": np.array([0, 1, 1, 4]),
        "rows": ROWS,
        "predicted": np.array([1, 0, 1, 1]),
        "panel": {"svm": np.array([1, 0, 1, 0]), "net": np.array([0, 0, 1, 1])},
        "reference": Reference(TRAINING, LABELS),
        "spent": Spent(cost, 10 * cost, 100 * cost, 1000 * cost, np.zeros(5)),
    }
    return Judged(**{**given, **changes})


def value(name, judged):
    metric = BUILT_IN[name]()
    return float(metric.value(metric.sums(judged).parts.sum(axis=0)))


def counts(name, judged):
    sums = BUILT_IN[name]().sums(judged)
    return int(sums.scored.sum()), int(sums.eligible.sum()), len(sums.scored)


ENTROPY = -(2 * 0.25 * math.log(0.25) + math.log(1 / 6) / 6 + math.log(1 / 3) / 3) / math.log(5)
GOLDEN = {
    "coverage": (3 / 5, 5, 5),
    "validity": ((1 + 0.5 + 0 + 0 + 1) / 5, 5, 5),
    "flip-rate": ((1 + 0.5 + 1) / 3, 3, 3),
    "cross-validity": ((0.5 + (0 + 1) / 2 + 0 + 0 + 0.5) / 5, 5, 5),
    "sparsity": ((2 + (1 + 3) / 2 + 2) / 3, 3, 3),
    "sparsity-share": (2 / 5, 3, 3),
    "distance": ((0.2 + (0.2008 + 0.29) / 2 + 0.21) / 3, 3, 3),
    "distance-l2": (
        (math.sqrt(0.5) + (math.sqrt(1 + 0.004**2) + math.sqrt(0.0625 + 0.04 + 1)) / 2 + math.sqrt(1.0025)) / 3,
        3,
        3,
    ),
    "plausibility": (2 / 3, 3, 3),
    # Both rows of the target class are neighbours; their distances to each answer, times 5:
    "plausibility-knn": (((3.55 + 2.45) / 10 + ((1.454 + 0.454) / 10 + 1.5 / 10) / 2 + (5.05 + 3.55) / 10) / 3, 3, 3),
    "actionability": (3 / 4, 4, 4),
    "diversity": ((0.25 + 0.204) / 5, 1, 1),
    "feature-entropy": (ENTROPY, 3, 3),  # changes: age 1.5, glucose 1.5, sex 0, stage 1, drug 2
    "copying": ((0 + 0.5 + 0) / 3, 3, 3),
    "cost-seconds": (15 / 3, 5, 5),
    "cost-calls": (150 / 3, 5, 5),
    "cost-rows": (1500 / 3, 5, 5),
    "cost-tokens": (15000 / 3, 5, 5),
    "cost-usd": (0.0, 5, 5),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_by_hand(name):
    expected, scored, eligible = GOLDEN[name]
    assert value(name, judge()) == pytest.approx(expected, rel=1e-12)
    assert counts(name, judge()) == (scored, eligible, 5)


def test_every_metric_is_worked_out_and_described():
    assert BUILT_IN.keys() == GOLDEN.keys() | {"plausibility-lof"}
    assert len(BUILT_IN) == len(sensecf_metrics())
    for cls in sensecf_metrics():
        assert cls.__doc__ and cls.__doc__ != Metric.__doc__
        assert cls.__doc__.splitlines()[0].endswith("."), cls.name
        assert cls.direction in ("higher", "lower", "none") and cls.unit and cls.version


def test_a_metric_is_listed_without_heavy_imports():
    code = "import sys, sensecf_bench.metrics; print(sorted({'pandas', 'scipy', 'sklearn'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


# -- the corners of the definitions ------------------------------------------------------------------------------
def test_lof_is_not_upset_by_repeated_training_rows():
    """Many equal rows have infinite density: without care, a row just beside them would be an outlier."""
    rng = np.random.default_rng(3)
    spread = np.column_stack([rng.integers(30, 50, 60), rng.uniform(90, 150, 60), np.zeros((60, 3))])
    training = np.vstack([spread, np.repeat(spread[:1], 40, axis=0)]).astype(float)
    beside = spread[:1].copy()
    beside[0, 1] += 0.01
    case = judge(
        schema=FeatureSchema(FEATURES).with_scales(training),
        reference=Reference(training, np.ones(100, dtype=np.int64)),
        rows=np.repeat(beside, 4, axis=0),
    )
    assert value("plausibility-lof", case) == 1.0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("rows", "scored"), [(4, 3), (2, 3), (1, 0)])
def test_lof_with_few_training_rows(rows, scored):
    case = judge(reference=Reference(TRAINING[:rows], LABELS[:rows]))
    assert counts("plausibility-lof", case) == (scored, 3, 5)


def test_nothing_came_back():
    empty = judge(
        owner=np.zeros(0, dtype=np.intp),
        rows=np.zeros((0, 5)),
        predicted=np.zeros(0, dtype=np.int64),
        panel={"svm": np.zeros(0, dtype=np.int64)},
        outcomes=(ABSTAINED,) * 5,
    )
    for name in ("coverage", "validity", "cross-validity"):
        assert value(name, empty) == 0 and counts(name, empty) == (5, 5, 5)
    for name in BUILT_IN.keys() - {"coverage", "validity", "cross-validity"}:
        assert math.isnan(value(name, empty)), name


def test_nobody_asked():
    nobody = judge(
        factuals=np.zeros((0, 5)),
        target=np.zeros(0, dtype=np.int64),
        owner=np.zeros(0, dtype=np.intp),
        rows=np.zeros((0, 5)),
        predicted=np.zeros(0, dtype=np.int64),
        panel={},
        outcomes=(),
        spent=Spent(*[np.zeros(0)] * 5),
    )
    for name in BUILT_IN:
        assert math.isnan(value(name, nobody)), name


def test_cross_validity_speaks_of_nobody_without_a_panel():
    assert counts("cross-validity", judge(panel={})) == (0, 0, 5)


def test_actionability_sees_a_broken_rule_in_an_admitted_row():
    for row in ([49, 110, 1, 1, 1], [50, 110, 0, 1, 1], [50, 39, 1, 1, 1], [50.5, 110, 1, 1, 1]):
        assert value("actionability", judge(rows=np.vstack([[row], ROWS[1:]]))) == pytest.approx(2 / 4)


def test_plausibility_tolerates_rounding_and_no_more():
    def at(glucose):
        rows = ROWS.copy()
        rows[0, 1] = glucose
        return value("plausibility", judge(rows=rows))

    assert at(180 * (1 + 1e-12)) == at(180) == 2 / 3
    assert at(180.001) == at(79.999) == 1 / 3


def test_a_level_between_two_seen_ones_may_still_be_unseen():
    training = TRAINING.copy()
    training[1, 4] = 2  # "a" and "c" are seen, "b" is not
    case = judge(schema=FeatureSchema(FEATURES).with_scales(training), reference=Reference(training, LABELS))
    assert value("plausibility", case) == (0 + 1 + 0) / 3  # query 0 takes "b"; query 4 takes "c" but is too old


def test_a_copy_without_a_precision_is_judged_by_the_row_it_would_copy():
    """Elsewhere in the table the feature is large, and its rounding errors with it; at 0 they are not."""
    schema = FeatureSchema((Feature(name="steps", kind="continuous"),))
    training = np.array([[0.0], [1e6]])
    given = {"schema": schema.with_scales(training), "reference": Reference(training, np.array([0, 1]))}
    rows = np.array([[1e-4], [1e-12], [1e6 + 1e-4], [1e6 + 1]])
    case = judge(**given, factuals=np.zeros((5, 1)), rows=rows, owner=np.arange(4))
    np.testing.assert_array_equal(BUILT_IN["copying"]().values(case), [0, 1, 1, 0, np.nan])


def test_a_copy_is_judged_at_precision_and_not_on_a_grid():
    def copied(glucose):
        rows = np.array([[40, glucose, 0, 1, 0]] * 4, dtype=float)
        return value("copying", judge(rows=rows))

    assert copied(130.49) == copied(129.51) == copied(130) == 1
    assert copied(130.5) == copied(129.5) == copied(131) == 0


def test_knn_uses_each_querys_own_target_and_is_undefined_without_one():
    assert value("plausibility-knn", judge(target=np.zeros(5, dtype=np.int64))) != value("plausibility-knn", judge())
    only = Reference(TRAINING, np.zeros(4, dtype=np.int64))
    assert counts("plausibility-knn", judge(reference=only)) == (0, 3, 5)
    mixed = judge(target=np.array([0, 1, 1, 1, 1]), reference=only)
    assert counts("plausibility-knn", mixed) == (1, 3, 5)


def test_the_plausibilities_also_speak_of_the_factual_rows():
    assert {n for n, c in BUILT_IN.items() if c.of_factuals} == {"plausibility", "plausibility-lof", "plausibility-knn"}
    own = judge(
        rows=FACTUALS,
        owner=np.arange(5),
        predicted=np.zeros(5, dtype=np.int64),
        panel={},
        outcomes=(FOUND,) * 5,
    )
    assert value("plausibility", own) == 1


def test_entropy_ends():
    def changing(*features):
        rows = FACTUALS[[0, 1, 1, 4]].copy()
        for i, j in enumerate(features):
            rows[i, j] += 1
        return value("feature-entropy", judge(rows=rows))

    assert changing(1, 1, 1, 1) == 0
    assert math.isnan(changing())
    every = judge(rows=FACTUALS[[0, 1, 1, 4]] + 1)
    assert value("feature-entropy", every) == pytest.approx(1)


def test_cost_without_a_valid_counterfactual_is_undefined_and_unknown_cost_is_not_scored():
    assert math.isnan(value("cost-calls", judge(predicted=np.zeros(4, dtype=np.int64))))
    unknown = Spent(*[np.array([1.0, np.nan, 1.0, 1.0, 1.0])] * 5)
    assert counts("cost-usd", judge(spent=unknown)) == (4, 5, 5)
    assert {n for n, c in BUILT_IN.items() if c.timing} == {"cost-seconds"}
