"""Which rows scarcity takes: how many, of which class, and always the same ones."""

import numpy as np
import pytest
from augmentation_cases import table
from hypothesis import given, settings
from hypothesis import strategies as st

from sensecf_bench.augmentation.material import Impossible, Reduced
from sensecf_bench.augmentation.scarcity import SCENARIOS, Scarcity, retained
from sensecf_bench.errors import ConfigError

reductions = st.floats(0, 1, exclude_max=True)
scenarios = st.sampled_from(SCENARIOS)


@st.composite
def tables(draw):
    labels = np.array(draw(st.lists(st.integers(0, 1), min_size=1, max_size=40)), dtype=np.int64)
    train = np.array(draw(st.permutations(range(len(labels)))), dtype=np.intp)
    return labels, train[: draw(st.integers(0, len(train)))]


def taken(train, left):
    return set(train.tolist()) - set(left.tolist())


@settings(deadline=None)
@given(tables(), scenarios, reductions, st.integers(0, 1), st.integers(0, 2**32 - 1))
def test_so_many_go_of_the_depleted_classes_and_none_of_the_others(drawn, scenario, reduction, undesired, seed):
    labels, train = drawn
    scarcity = Scarcity(scenario, reduction)
    left = retained(labels, train, scarcity, undesired, seed)
    for c in (0, 1):
        before, after = int((labels[train] == c).sum()), int((labels[left] == c).sum())
        gone = round(reduction * before) if c in scarcity.depleted(undesired) else 0
        assert before - after == gone
    stays = np.isin(train, left)
    assert np.array_equal(train[stays], left), "the order is kept"


@settings(deadline=None)
@given(tables(), scenarios, reductions, reductions, st.integers(0, 1), st.integers(0, 99))
def test_what_is_gone_at_a_level_is_gone_at_every_higher_one(drawn, scenario, one, other, undesired, seed):
    labels, train = drawn
    low, high = sorted((one, other))
    gone = [taken(train, retained(labels, train, Scarcity(scenario, r), undesired, seed)) for r in (low, high)]
    assert gone[0] <= gone[1]


@settings(deadline=None)
@given(tables(), reductions, st.integers(0, 1), st.integers(0, 99))
def test_c_takes_what_a_and_b_take(drawn, reduction, undesired, seed):
    labels, train = drawn
    gone = {s: taken(train, retained(labels, train, Scarcity(s, reduction), undesired, seed)) for s in SCENARIOS}
    assert gone["C"] == gone["A"] | gone["B"]
    assert not gone["A"] & gone["B"]


def test_the_seed_says_which_rows_go():
    labels, train = np.ones(50, dtype=np.int64), np.arange(50)
    left = [retained(labels, train, Scarcity("A", 0.5), 1, seed).tolist() for seed in (0, 0, 1)]
    assert left[0] == left[1] != left[2]


def test_the_positive_class_is_the_undesired_one_whichever_that_is():
    assert Scarcity("A", 0.1).depleted(0) == (0,)
    assert Scarcity("B", 0.1).depleted(0) == (1,)
    assert Scarcity("C", 0.1).depleted(0) == (0, 1)


def test_a_level_has_a_label():
    assert Scarcity("A", 0.5).label == "A 50 %"
    assert Scarcity("C", 0.07).label == "C 7 %"


@pytest.mark.parametrize("reduction", [-0.1, 1.0, 1.5, float("nan"), float("inf")])
def test_what_is_no_share_is_refused(reduction):
    with pytest.raises(ConfigError, match="no share of a class"):
        Scarcity("A", reduction)


def test_a_scenario_that_there_is_not_is_refused():
    with pytest.raises(ConfigError, match="choose among A, B, C"):
        Scarcity("D", 0.1)


def test_reduced_rows_know_what_is_missing_and_nothing_of_what_was_removed():
    schema, rows, labels = table()
    rows[labels == 1, 0] += np.arange(30) * 1000.0  # so that whoever goes leaves a hole in the range
    reduced = Reduced.of(schema, rows, labels, np.arange(60), Scarcity("A", 0.5), 1, 0)
    assert reduced.missing == {1: 15}
    assert len(reduced.rows) == 45
    np.testing.assert_array_equal(reduced.schema.frozen_scales().high, reduced.rows.max(axis=0))
    assert reduced.schema.frozen_scales().high[0] < rows[:, 0].max()


@pytest.mark.parametrize(("scenario", "empty"), [("A", 1), ("B", 0), ("C", 0)])
def test_a_level_that_empties_a_class_says_so(scenario, empty):
    schema, rows, _ = table()
    labels = np.full(60, 1 - empty)
    labels[7] = empty
    with pytest.raises(Impossible, match=rf"{scenario} 70 % leaves no training row of class {empty} \(of 1\)"):
        Reduced.of(schema, rows, labels, np.arange(60), Scarcity(scenario, 0.7), 1, 0)
