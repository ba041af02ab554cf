"""Retraining, and what is known beforehand of the lift that comes of it."""

import functools

import numpy as np
import pytest
from augmentation_cases import NUMBERS, TABLES, Logistic, Nearest, scarce, small, table

from sensecf_bench.augmentation.controls import CONTROLS
from sensecf_bench.augmentation.lift import Trial, lifts
from sensecf_bench.augmentation.material import Impossible, Material, Reduced
from sensecf_bench.augmentation.retraining import retrained
from sensecf_bench.augmentation.scarcity import Scarcity
from sensecf_bench.classifiers import GradientBoosting, NeuralNetwork, RandomForest, SupportVectorMachine
from sensecf_bench.contracts import Classifier
from sensecf_bench.errors import DataError

ADDING = ("duplication", "smote", "flipped-neighbours")  # controls that need no weights
FAMILIES = (SupportVectorMachine, RandomForest, GradientBoosting, NeuralNetwork)
each_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda cls: cls.name)
pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")


@functools.cache
def test_rows_of(kind):
    return table(TABLES[kind], n=40, seed=77)[1:]


test_rows_of.__test__ = False


# -- weights -----------------------------------------------------------------------------------------------------------
@each_family
@pytest.mark.parametrize("kind", TABLES)
def test_weights_of_one_are_no_weights(family, kind):
    schema, rows, labels = table(TABLES[kind])
    with_ones, without = family(), family()
    with_ones.fit_weighted(schema, rows, labels, np.ones(len(rows)), 3)
    without.fit(schema, rows, labels, 3)
    np.testing.assert_array_equal(with_ones.predict_proba(rows), without.predict_proba(rows))


@each_family
def test_a_class_that_counts_for_more_is_predicted_more(family):
    schema, rows, labels = table()
    means = []
    for weight in (0.2, 1.0, 5.0):
        model = family()
        model.fit_weighted(schema, rows, labels, np.where(labels == 1, weight, 1.0), 0)
        means.append(model.predict_proba(test_rows_of("numbers")[0])[:, 1].mean())
    assert means[0] < means[1] < means[2]


@each_family
def test_weights_and_seed_give_the_same_model_twice(family):
    schema, rows, labels = table(TABLES["mixed"])
    weights = np.random.default_rng(0).random(len(rows)) + 0.5
    models = [family(), family()]
    for model in models:
        model.fit_weighted(schema, rows, labels, weights, 5)
    np.testing.assert_array_equal(*(model.predict_proba(rows) for model in models))


@pytest.mark.parametrize("family", [GradientBoosting], ids=lambda cls: cls.name)
def test_boosting_takes_a_row_of_weight_three_for_three_rows(family):
    schema, rows, labels = table(TABLES["mixed"])
    weights = np.where(labels == 1, 3.0, 1.0)
    weighted, repeated = family(), family()
    weighted.fit_weighted(schema, rows, labels, weights, 0)
    times = weights.astype(int)
    repeated.fit(schema, np.repeat(rows, times, axis=0), np.repeat(labels, times), 0)
    np.testing.assert_allclose(weighted.predict_proba(rows), repeated.predict_proba(rows), atol=1e-4)


def test_the_calibration_of_the_support_vector_machine_is_weighted_too():
    """Rows far from everything else say nothing about the boundary; what share of them is positive is calibration's."""
    schema, rows, labels = table(n=120)
    fitted = []
    for weight in (1.0, 8.0):
        model = SupportVectorMachine()
        model.fit_weighted(schema, rows, labels, np.where(labels == 1, weight, 1.0), 0)
        fitted.append(model._model.calibrated_classifiers_[0])
    decision = np.zeros(1)
    even, weighted = (c.calibrators[0].predict(decision)[0] for c in fitted)
    assert weighted != pytest.approx(even, abs=1e-3)


def test_a_classifier_without_weights_says_so():
    assert not Nearest.weighted
    with pytest.raises(NotImplementedError, match="'nearest' takes no weights"):
        Nearest().fit_weighted(*table(), np.ones(60), 0)
    assert all(family.weighted for family in FAMILIES)


# -- retraining --------------------------------------------------------------------------------------------------------
def test_it_is_the_probability_of_the_positive_class():
    reduced, (rows, _) = scarce(), test_rows_of("numbers")
    model = SupportVectorMachine()
    model.fit(reduced.schema, reduced.rows, reduced.labels, 4)
    for positive in (0, 1):
        told = retrained(SupportVectorMachine(), reduced.as_is, rows, 4, positive)
        np.testing.assert_array_equal(told, model.predict_proba(rows)[:, positive])


@each_family
@pytest.mark.parametrize("control", CONTROLS)
@pytest.mark.parametrize("kind", TABLES)
def test_every_family_learns_from_every_control(family, control, kind):
    told = retrained(family(), CONTROLS[control](scarce(TABLES[kind])), test_rows_of(kind)[0], 0, 1)
    assert told.shape == (40,)
    assert ((told >= 0) & (told <= 1)).all()


def of_one_class():
    return small([[1.0, 2.0], [2.0, 1.0]], [0, 0], {1: 3}).as_is


def with_a_single_positive():
    _, rows, labels = table()
    kept = np.r_[np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[:1]]
    return small(rows[kept], labels[kept], {1: 29})


@each_family
def test_one_class_cannot_be_learnt_from(family):
    with pytest.raises(Impossible, match="one class only"):
        retrained(family(), of_one_class(), np.ones((3, 2)), 0, 1)


def test_what_a_classifier_refuses_is_a_reason():
    reduced, (rows, _) = with_a_single_positive(), test_rows_of("numbers")
    with pytest.raises(Impossible, match="two training rows of each class") as refused:
        retrained(SupportVectorMachine(), reduced.as_is, rows, 0, 1)
    assert isinstance(refused.value.__cause__, DataError)
    for family in (RandomForest, GradientBoosting, NeuralNetwork):
        retrained(family(), reduced.as_is, rows, 0, 1)
    retrained(SupportVectorMachine(), CONTROLS["duplication"](reduced), rows, 0, 1)


def test_weights_that_a_classifier_cannot_take_are_a_reason():
    material = CONTROLS["class-weights"](scarce())
    with pytest.raises(Impossible, match="'nearest' takes no weights"):
        retrained(Nearest(), material, test_rows_of("numbers")[0], 0, 1)


class Breaks(Classifier):
    name = "breaks"

    def fit(self, schema, rows, labels, seed):
        if seed == 0:
            raise ZeroDivisionError("by zero")

    def predict_proba(self, rows):
        return np.full((len(rows), 2), np.nan) if self.options is not None else None


@pytest.mark.parametrize(
    ("seed", "reason"),
    [(0, "'breaks' cannot be fitted: ZeroDivisionError: by zero"), (1, "two finite probabilities for each test row")],
)
def test_a_classifier_that_breaks_is_a_reason_and_no_crash(seed, reason):
    with pytest.raises(Impossible, match=reason):
        retrained(Breaks(), scarce().as_is, test_rows_of("numbers")[0], seed, 1)


# -- known answers -----------------------------------------------------------------------------------------------------
def trial(arm, classifier, whole, reduced, material, test, seed=0, positive=1):
    rows, labels = test
    full, less, more = (retrained(classifier(), m, rows, seed, positive) for m in (whole, reduced.as_is, material))
    truth = labels == positive
    return Trial("table", arm, "A", 0.5, classifier.name, seed, truth, full, less, more)


@each_family
@pytest.mark.parametrize("control", CONTROLS)
def test_without_a_reduction_there_is_no_lift(family, control):
    schema, rows, labels = table(TABLES["mixed"])
    reduced = Reduced.of(schema, rows, labels, np.arange(60), Scarcity("C", 0.0), 1, 0)
    whole = Material(schema, rows, labels)
    (lift,) = lifts(
        [trial(control, family, whole, reduced, CONTROLS[control](reduced), test_rows_of("mixed"))],
        {control},
        resamples=100,
    )
    assert lift.full == lift.reduced == lift.augmented
    for score, estimate in lift.lift.items():
        assert (estimate.value, estimate.low, estimate.high) == (0.0, 0.0, 0.0)
        assert lift.recovered[score].value is None


@pytest.mark.parametrize("scenario", "AB")
@pytest.mark.parametrize("reduction", [0.5, 0.75])  # as many are missing as are left, or three times as many
def test_duplication_is_class_weights_where_the_loss_is_a_sum_over_rows(scenario, reduction):
    reduced = scarce(NUMBERS, scenario, reduction, n=64)
    c = 1 if scenario == "A" else 0
    assert reduced.missing[c] % (reduced.labels == c).sum() == 0
    rows = test_rows_of("numbers")[0]
    repeated, weighted, as_is = (
        retrained(Logistic(), material, rows, 0, 1)
        for material in (CONTROLS["duplication"](reduced), CONTROLS["class-weights"](reduced), reduced.as_is)
    )
    np.testing.assert_allclose(repeated, weighted, atol=1e-6)
    assert np.abs(repeated - as_is).max() > 0.05, "and both do something"


def mirrored(n, seed):
    """A toy problem: a positive row is a negative one turned about the middle, and each stands in a place of its own, so
    that who was taken away cannot be told from the neighbours. Training rows, test rows close by, and their classes."""
    rng = np.random.default_rng(seed)
    negative = rng.normal(0.0, 1.0, (n, 2))
    rows = np.vstack([negative, -negative])
    return rows, rows + rng.normal(0.0, 0.01, rows.shape), np.repeat([0, 1], n)


@pytest.mark.parametrize("reduction", [0.3, 0.7])
def test_a_perfect_generator_recovers_all_that_was_lost(reduction):
    """Whoever knows that positives are negatives turned about rebuilds exactly the rows that were removed, from retained
    rows of the other class alone."""
    trials = []
    for seed in range(3):
        rows, test_rows, labels = mirrored(60, seed)
        test = test_rows, labels
        schema = scarce().schema.with_scales(rows)
        whole = Material(schema, rows, labels)
        reduced = Reduced.of(schema, rows, labels, np.arange(120), Scarcity("A", reduction), 1, seed)
        counterfactuals = -reduced.of_class(0)
        there = {tuple(row) for row in reduced.of_class(1).tolist()}
        new = np.array([row for row in counterfactuals.tolist() if tuple(row) not in there])
        assert len(new) == reduced.missing[1]
        perfect = reduced.with_rows(new, np.ones(len(new), dtype=np.int64))
        trials.append(trial("perfect", Nearest, whole, reduced, perfect, test, seed))
        trials += [trial(name, Nearest, whole, reduced, CONTROLS[name](reduced), test, seed) for name in ADDING]
    found = {lift.arm: lift for lift in lifts(trials, ADDING)}
    perfect = found["perfect"]
    assert perfect.full["f1"] > perfect.reduced["f1"]
    assert perfect.full == perfect.augmented
    for score in ("recall", "f1"):
        estimate = perfect.recovered[score]
        assert (estimate.value, estimate.low, estimate.high) == (1.0, 1.0, 1.0)
    assert {e.value for e in perfect.recovered.values()} <= {None, 1.0}, "other scores may not have been lost"
    assert found["duplication"].lift["f1"].value == 0.0, (
        "the nearest neighbour does not care how often a row stands there"
    )
    assert perfect.over_best_control["f1"].value > 0
