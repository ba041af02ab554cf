"""The five scores, against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score, roc_auc_score

from sensecf_bench.augmentation.scores import SCORES, scores, weighted_scores
from sensecf_bench.contracts import settled

shares = st.one_of(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), st.floats(0, 1))  # the first, for ties


@st.composite
def predictions(draw):
    n = draw(st.integers(1, 20))
    truth = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    return truth, np.array(draw(st.lists(shares, min_size=n, max_size=n)))


def by_scikit_learn(truth, probability, weights=None):
    called = probability > 0.5
    told = {"sample_weight": weights}
    found = {
        "accuracy": accuracy_score(truth, called, **told),
        "precision": precision_score(truth, called, zero_division=0.0, **told),
        "recall": recall_score(truth, called, zero_division=0.0, **told),
        "f1": f1_score(truth, called, zero_division=0.0, **told),
    }
    there = truth if weights is None else truth[weights > 0]
    if len(np.unique(there)) == 2:
        found["auc"] = roc_auc_score(truth, settled(probability), **told)
    return found


@settings(deadline=None, max_examples=50)
@given(predictions())
def test_scores_are_those_of_scikit_learn(drawn):
    found = scores(*drawn)
    assert list(found) == list(SCORES)
    known = {name: value for name, value in found.items() if value is not None}
    assert known == pytest.approx(by_scikit_learn(*drawn), abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(predictions(), st.data())
def test_weighted_scores_are_those_of_scikit_learn(drawn, data):
    truth, probability = drawn
    weight = st.integers(0, 4).map(float)
    draws = data.draw(st.lists(st.lists(weight, min_size=len(truth), max_size=len(truth)), min_size=1, max_size=3))
    weights = np.array(draws).T
    values = weighted_scores(truth, np.array([probability, 1 - probability]), weights)
    assert values.shape == (2, 5, weights.shape[1])
    for j in range(weights.shape[1]):
        for i, told in enumerate((probability, 1 - probability)):
            known = by_scikit_learn(truth, told, weights[:, j]) if weights[:, j].any() else {}
            expected = [known.get(name, np.nan) for name in SCORES]
            np.testing.assert_allclose(values[i, :, j], expected, atol=1e-12)


def test_by_hand():
    truth = np.array([True, True, True, False, False])
    found = scores(truth, np.array([0.9, 0.6, 0.2, 0.6, 0.1]))
    assert found == pytest.approx(
        {"accuracy": 3 / 5, "precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "auc": (2 + 1.5 + 1) / 6}
    )


def test_a_classifier_that_says_the_same_of_everybody_up_to_rounding_has_an_auc_of_a_half():
    truth = np.array([True, False, True, False])
    assert scores(truth, 0.8722008838640939 + np.array([2e-14, 0.0, -1e-14, -2e-14]))["auc"] == 0.5


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_probabilities_that_differ_stay_in_their_order(drawn):
    probability = np.array(drawn)
    kept = settled(probability)
    assert np.all(np.diff(kept[np.argsort(probability, kind="stable")]) >= 0)
    np.testing.assert_allclose(kept, probability, rtol=2e-12)


def test_small_probabilities_are_told_apart():
    assert scores(np.array([True, False]), np.array([2e-15, 1e-15]))["auc"] == 1.0


def test_half_is_not_enough_to_be_called_positive():
    assert scores(np.array([True, False]), np.array([0.5, 0.5]))["recall"] == 0.0


def test_without_rows_of_both_classes_there_is_no_auc():
    assert scores(np.array([True, True]), np.array([0.9, 0.2])) == {
        "accuracy": 0.5, "precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "auc": None
    }  # fmt: skip


def test_without_a_row_there_is_no_score():
    assert set(scores(np.zeros(0, dtype=bool), np.zeros(0)).values()) == {None}
