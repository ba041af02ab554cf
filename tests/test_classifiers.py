"""The four classifier families: what every one of them must do."""

import functools
import warnings

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from sensecf_bench.classifiers import GradientBoosting, NeuralNetwork, RandomForest, SupportVectorMachine
from sensecf_bench.contracts import Feature, FeatureSchema, classes_of
from sensecf_bench.datasets.clinical import BreastCancer, DiabetesProgression
from sensecf_bench.engine.context import fit_classifier, prepare_data

FAMILIES = (SupportVectorMachine, RandomForest, GradientBoosting, NeuralNetwork)
each = pytest.mark.parametrize("family", FAMILIES, ids=lambda cls: cls.name)


@functools.cache
def data(dataset):
    return prepare_data(dataset(), seed=0)


@functools.cache
def fitted(family, dataset):
    return fit_classifier(data(dataset), family())


@each
@pytest.mark.parametrize(("dataset", "least"), [(BreastCancer, 0.95), (DiabetesProgression, 0.7)])
def test_it_learns_what_can_be_learnt(family, dataset, least):
    explained = fitted(family, dataset)
    d = data(dataset)
    assert explained.quality["auc"] > least
    probabilities = explained.model.predict_proba(d.matrix[d.test])
    assert explained.quality["auc"] == roc_auc_score(d.labels[d.test], probabilities[:, 1])
    assert explained.quality["accuracy"] == np.mean(classes_of(probabilities) == d.labels[d.test])
    assert explained.quality["test_rows"] == len(d.test)


@each
@pytest.mark.parametrize("dataset", [BreastCancer, DiabetesProgression])
def test_probabilities_are_probabilities(family, dataset):
    rows = data(dataset).matrix
    probabilities = fitted(family, dataset).model.predict_proba(rows)
    assert probabilities.shape == (len(rows), 2)
    assert probabilities.dtype == np.float64
    assert np.all((probabilities >= 0) & (probabilities <= 1))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert len(set(classes_of(probabilities))) == 2


@each
def test_the_order_and_the_number_of_rows_do_not_matter(family):
    rows, model = data(DiabetesProgression).matrix, fitted(family, DiabetesProgression).model
    together = model.predict_proba(rows)
    order = np.random.default_rng(0).permutation(len(rows))
    np.testing.assert_allclose(model.predict_proba(rows[order]), together[order], rtol=1e-6, atol=1e-9)
    one_by_one = np.vstack([model.predict_proba(rows[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(one_by_one, together[:5], rtol=1e-6, atol=1e-9)


@each
def test_predicting_and_fitting_leave_the_rows_alone(family):
    schema, rows, labels = tiny()
    before = rows.copy()
    model = family()
    model.fit(schema, rows, labels, seed=0)
    model.predict_proba(rows)
    np.testing.assert_array_equal(rows, before)


def tiny(n=120):
    """A table of every kind of feature, in which the last level of two features is never seen."""
    rng = np.random.default_rng(3)
    schema = FeatureSchema(
        (
            Feature(name="steps", kind="integer"),
            Feature(name="glucose", kind="continuous"),
            Feature(name="sex", kind="binary", levels=("f", "m")),
            Feature(name="stage", kind="ordinal", levels=("I", "II", "III", "IV")),
            Feature(name="drug", kind="categorical", levels=("a", "b", "c", "never seen")),
        )
    )
    labels = np.tile([0, 1], n // 2)
    rows = np.column_stack(
        [
            rng.integers(0, 1000, n),
            rng.normal(100, 10, n) + 15 * labels,
            rng.integers(0, 2, n),
            rng.integers(0, 3, n),
            rng.integers(0, 3, n),
        ]
    ).astype(float)
    return schema, rows, labels


@each
def test_the_same_seed_gives_the_same_model(family):
    schema, rows, labels = tiny()
    answers = []
    for _ in range(2):
        np.random.seed(len(answers))
        model = family()
        model.fit(schema, rows, labels, seed=4)
        answers.append(model.predict_proba(rows))
    np.testing.assert_array_equal(answers[0], answers[1])


@pytest.mark.parametrize("family", [RandomForest, NeuralNetwork], ids=lambda cls: cls.name)
def test_another_seed_gives_another_model(family):
    schema, rows, labels = tiny()
    answers = []
    for seed in (0, 1):
        model = family()
        model.fit(schema, rows, labels, seed=seed)
        answers.append(model.predict_proba(rows))
    assert np.abs(answers[0] - answers[1]).max() > 1e-6


@each
def test_levels_that_training_never_showed_can_be_predicted(family):
    schema, rows, labels = tiny()
    model = family()
    model.fit(schema, rows, labels, seed=0)
    unseen = rows[:4].copy()
    unseen[:, 3] = 3
    unseen[:, 4] = 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        probabilities = model.predict_proba(unseen)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


@each
@pytest.mark.parametrize("kind", ["integer", "categorical"])
def test_a_table_of_one_kind_of_feature_will_do(family, kind):
    levels = {"levels": ("a", "b", "c")} if kind == "categorical" else {}
    schema = FeatureSchema(tuple(Feature(name=name, kind=kind, **levels) for name in "xy"))
    labels = np.tile([0, 1, 1], 20)
    rows = np.column_stack([np.tile([0, 1, 2], 20), np.repeat([0, 1, 2], 20)]).astype(float)
    model = family()
    model.fit(schema, rows, labels, seed=0)
    assert np.mean(classes_of(model.predict_proba(rows)) == labels) == 1


@pytest.mark.parametrize("family", [SupportVectorMachine, NeuralNetwork], ids=lambda cls: cls.name)
def test_the_unit_of_a_feature_does_not_matter_where_features_are_standardised(family):
    schema, rows, labels = tiny()
    in_other_units = rows * [1000, 0.001, 1, 1, 1]
    answers = []
    for table in (rows, in_other_units):
        model = family()
        model.fit(schema, table, labels, seed=0)
        answers.append(model.predict_proba(table))
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-3)


def test_levels_without_order_are_not_taken_for_numbers():
    schema, rows, labels = tiny()
    model = SupportVectorMachine()
    model.fit(schema, rows, labels, seed=0)
    renamed = FeatureSchema(
        (*schema.features[:4], Feature(name="drug", kind="categorical", levels=("c", "a", "b", "d")))
    )
    recoded = rows.copy()
    recoded[:, 4] = np.array([1, 2, 0])[rows[:, 4].astype(int)]
    other = SupportVectorMachine()
    other.fit(renamed, recoded, labels, seed=0)
    np.testing.assert_allclose(other.predict_proba(recoded), model.predict_proba(rows), atol=1e-6)


@pytest.mark.parametrize(
    ("family", "options"),
    [
        (SupportVectorMachine, {"C": 0.01}),
        (RandomForest, {"trees": 3}),
        (GradientBoosting, {"trees": 2}),
        (NeuralNetwork, {"penalty": 10.0}),
    ],
)
def test_options_reach_the_model(family, options):
    schema, rows, labels = tiny()
    models = [family(), family(family.Options(**options))]
    for model in models:
        model.fit(schema, rows, labels, seed=0)
    assert not np.allclose(models[0].predict_proba(rows), models[1].predict_proba(rows))


def test_a_rare_class_of_four_training_rows_can_still_be_fitted():
    schema, rows, _ = tiny(40)
    rare = np.zeros(40, dtype=np.int64)
    rare[:4] = 1
    for family in FAMILIES:
        family().fit(schema, rows, rare, seed=0)


def test_a_tie_is_class_0():
    assert classes_of(np.array([[0.5, 0.5], [0.4, 0.6], [0.6, 0.4]])).tolist() == [0, 1, 0]
