"""The four classifier families: what every one of them must do."""

import functools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from sensecf_bench import classifiers
from sensecf_bench.classifiers import GradientBoosting, NeuralNetwork, RandomForest, SupportVectorMachine
from sensecf_bench.contracts import Feature, FeatureSchema, classes_of
from sensecf_bench.datasets.aireadi.synthetic import SyntheticAireadi
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
    assert explained.quality["auc"] == pytest.approx(roc_auc_score(d.labels[d.test], probabilities[:, 1]), abs=1e-6)
    assert explained.quality["accuracy"] == np.mean(classes_of(probabilities) == d.labels[d.test])
    assert explained.quality["test_rows"] == len(d.test)


class Indifferent(RandomForest):
    """Says the same of everybody, up to rounding that happens to rank people by their class."""

    name = "indifferent"

    def predict_proba(self, rows):
        noise = (super().predict_proba(rows)[:, 1] - 0.5) * 1e-14
        return np.column_stack([0.6 - noise, 0.4 + noise])


def test_rounding_is_no_ranking():
    assert fit_classifier(data(BreastCancer), Indifferent()).quality["auc"] == 0.5


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


@pytest.mark.parametrize("family", [RandomForest, GradientBoosting, NeuralNetwork], ids=lambda cls: cls.name)
@pytest.mark.parametrize("dataset", [BreastCancer, DiabetesProgression, SyntheticAireadi])
def test_a_family_predicts_what_its_library_does_to_the_bit(family, dataset):
    every_row, model = data(dataset).matrix, fitted(family, dataset).model
    for rows in (every_row, every_row[:1], every_row[:7]):
        expected = model._model.predict_proba(model._coding.encode(rows))
        np.testing.assert_array_equal(model.predict_proba(rows), expected)


@pytest.mark.parametrize("dataset", [BreastCancer, DiabetesProgression, SyntheticAireadi])
def test_the_support_vector_machine_predicts_what_scikit_learn_does(dataset, monkeypatch):
    rows, model = data(dataset).matrix, fitted(SupportVectorMachine, dataset).model
    expected = model._model.predict_proba(model._coding.encode(rows))
    np.testing.assert_allclose(model.predict_proba(rows), expected, rtol=1e-9, atol=1e-12)
    monkeypatch.setattr(classifiers, "CELLS_IN_CACHE", 1000)  # a few rows a block
    np.testing.assert_allclose(model.predict_proba(rows), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("family", [SupportVectorMachine, RandomForest, GradientBoosting], ids=lambda cls: cls.name)
@pytest.mark.parametrize("dataset", [BreastCancer, DiabetesProgression])
def test_what_is_said_of_a_row_does_not_depend_on_who_else_is_asked_about(family, dataset):
    rows, model = data(dataset).matrix, fitted(family, dataset).model
    together = model.predict_proba(rows)
    for size in (1, 2, 3, 7, 64):
        apart = np.vstack([model.predict_proba(rows[i : i + size]) for i in range(0, 128, size)])
        np.testing.assert_array_equal(apart[:128], together[: len(apart[:128])])


@pytest.mark.parametrize("family", [SupportVectorMachine, RandomForest], ids=lambda cls: cls.name)
def test_the_farthest_rows_have_a_probability_and_what_is_no_number_has_none(family):
    rows, model = data(DiabetesProgression).matrix[:3].copy(), fitted(family, DiabetesProgression).model
    assert model.predict_proba(rows[:0]).shape == (0, 2)
    for far in (1e30, 1e200, 1.7e308):
        rows[0, 2] = far
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert np.isfinite(model.predict_proba(rows)).all()
    for nothing in (np.nan, np.inf):
        rows[0, 2] = nothing
        with pytest.raises(ValueError, match="not a finite number"):
            model.predict_proba(rows)


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


# -- derivatives -----------------------------------------------------------------------------------------------------
SMOOTH = (SupportVectorMachine, NeuralNetwork)
each_smooth = pytest.mark.parametrize("family", SMOOTH, ids=lambda cls: cls.name)


@functools.cache
def fitted_to_tiny(family, **options):
    schema, rows, labels = tiny()
    model = family(family.Options(**options))
    model.fit(schema, rows, labels, seed=0)
    return model


def central_differences(model, rows, columns, steps):
    """(p(x + h) - p(x - h)) / 2h by each of the columns, `(n, len(columns))`."""
    found = []
    for j in columns:
        above, below = rows.copy(), rows.copy()
        above[:, j] += steps[j]
        below[:, j] -= steps[j]
        found.append((model.predict_proba(above) - model.predict_proba(below))[:, 1] / (2 * steps[j]))
    return np.column_stack(found)


def agrees_with_differences(model, rows, columns, scales):
    """Derivatives and differences over two step widths, in units of the features' scales; a rectified unit that
    switches between the two points makes them differ, and differ from each other."""
    slopes = (model.gradient(rows) * scales)[:, columns]
    wide, narrow = (central_differences(model, rows, columns, h * scales) * scales[columns] for h in (2e-5, 1e-5))
    smooth = np.isclose(wide, narrow, rtol=1e-4, atol=1e-8)
    assert smooth.mean() > 0.9
    np.testing.assert_allclose(slopes[smooth], narrow[smooth], rtol=1e-3, atol=1e-7)


@each_smooth
@pytest.mark.parametrize("dataset", [BreastCancer, DiabetesProgression])
def test_derivatives_are_what_differences_tend_to(family, dataset):
    d, model = data(dataset), fitted(family, dataset).model
    assert family.differentiable
    ordered = [j for j, f in enumerate(d.schema.features) if f.kind != "categorical"]
    agrees_with_differences(model, d.matrix[d.test], ordered, d.schema.scales.span)


@each_smooth
@settings(max_examples=60, deadline=None)
@given(rows=st.data())
def test_derivatives_on_a_table_of_all_kinds(family, rows):
    row = st.tuples(
        st.integers(-200, 1200), st.floats(50, 150), st.integers(0, 1), st.integers(0, 3), st.integers(0, 3)
    )
    asked = np.array(rows.draw(st.lists(row, min_size=1, max_size=8)), dtype=float)
    model = fitted_to_tiny(family)
    slopes = model.gradient(asked)
    assert slopes.shape == asked.shape
    assert not slopes[:, 4].any()
    scales = np.array([1000.0, 10.0, 1.0, 1.0, 1.0])
    expected = central_differences(model, asked, range(4), 1e-6 * scales) * scales[:4]
    kink = np.abs(expected - central_differences(model, asked, range(4), 2e-6 * scales) * scales[:4]) > 1e-6
    np.testing.assert_allclose((slopes * scales)[:, :4][~kink], expected[~kink], atol=1e-5)


@each_smooth
def test_two_levels_have_a_slope_if_they_are_binary_and_none_if_they_are_categorical(family):
    _, rows, _ = tiny()
    for kind in ("binary", "categorical"):
        schema = FeatureSchema(
            (
                Feature(name="drug", kind="categorical", levels=("a", "b", "c")),
                Feature(name="sex", kind=kind, levels=("f", "m")),
                Feature(name="glucose", kind="continuous"),
            )
        )
        table = np.column_stack([rows[:, 4], rows[:, 2], rows[:, 1] + 20 * rows[:, 2]])
        model = family()
        model.fit(schema, table, (table[:, 2] > 115).astype(np.int64), seed=0)
        slopes = model.gradient(table)
        assert not slopes[:, 0].any()
        assert slopes[:, 2].any()
        assert slopes[:, 1].any() == (kind == "binary")


@each_smooth
def test_derivatives_do_not_depend_on_blocks_and_leave_rows_alone(family, monkeypatch):
    _, rows, _ = tiny()
    model, before = fitted_to_tiny(family), rows.copy()
    at_once = model.gradient(rows)
    monkeypatch.setattr(classifiers, "CELLS_AT_ONCE", 1)
    np.testing.assert_allclose(model.gradient(rows), at_once, rtol=1e-9, atol=1e-15)
    np.testing.assert_array_equal(rows, before)
    assert model.gradient(rows[:0]).shape == (0, rows.shape[1])


@pytest.mark.parametrize("hidden", [(), (5,), (7, 6, 5)])
def test_networks_of_other_depths_have_derivatives_too(hidden):
    _, rows, _ = tiny()
    model = fitted_to_tiny(NeuralNetwork, hidden=hidden)
    agrees_with_differences(model, rows, np.arange(4), np.array([1000.0, 10.0, 1.0, 1.0, 1.0]))


@pytest.mark.parametrize("family", [RandomForest, GradientBoosting], ids=lambda cls: cls.name)
def test_trees_offer_no_derivatives_and_say_so(family):
    _, rows, _ = tiny()
    assert not family.differentiable
    with pytest.raises(NotImplementedError, match=f"{family.name}.*offers no gradients"):
        fitted_to_tiny(family).gradient(rows)


@each
def test_a_code_that_is_no_level_is_refused(family):
    _, rows, _ = tiny()
    strange = rows[:2].copy()
    strange[1, 4] = 0.5
    with pytest.raises(ValueError, match="drug"):
        fitted_to_tiny(family).predict_proba(strange)
