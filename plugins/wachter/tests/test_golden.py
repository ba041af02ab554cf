"""Cases whose best answer can be worked out.

Around a logistic model of a linear score the cheapest change in MADs is a fractional knapsack: the feature that gains most
per MAD goes as far as it may, then the next, until the score is 0.
"""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sensecf_wachter import Wachter
from sensecf_wachter.space import deviations
from wachter_tasks import Smooth, linear, queries_of, task_of

from sensecf_bench import Feature, FeatureSchema
from sensecf_bench.testing.hand_made import answers_of


def table(scales, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(0, scales, (201, len(scales)))


def schema_of(rows, **changes):
    features = [{"name": f"x{j}", "kind": "continuous"} | changes.get(f"x{j}", {}) for j in range(rows.shape[1])]
    return FeatureSchema(tuple(Feature(**f) for f in features)).with_scales(rows)


def answer(schema, train, model, factual, **options):
    generator = Wachter(Wachter.Options(**options))
    generator.fit(task_of(schema, model, train=train))
    answers = answers_of(generator, queries_of(schema, np.array([factual], dtype=float)))
    return answers.get("q0")


def knapsack(weights, shift, factual, unit, low, high):
    """The cheapest row with a score of 0."""
    row, missing = np.array(factual, dtype=float), -(np.dot(weights, factual) + shift)
    for j in np.argsort(-np.abs(weights * unit)):
        if missing <= 0:
            break
        room = abs((high if weights[j] > 0 else low)[j] - row[j]) * abs(weights[j])
        gain = min(missing, room)
        row[j] += np.sign(weights[j]) * gain / abs(weights[j]) if weights[j] else 0
        missing -= gain
    return row


def test_one_feature_moves_and_the_others_stay_exactly():
    train = table([1.0, 2.0, 0.5])
    unit = deviations(train)
    row = answer(schema_of(train), train, linear(np.array([1.0, 2.0, 1.0]) / unit, -3.0), [0, 0, 0])
    assert row[0] == row[2] == 0
    assert row[1] == pytest.approx(1.5 * unit[1], rel=2e-3)


def test_what_a_bound_leaves_over_falls_to_the_next_feature():
    train = table([1.0, 1.0, 1.0])
    unit = deviations(train)
    schema = schema_of(train, x1={"bounds": (None, 1.0 * unit[1])})
    row = answer(schema, train, linear(np.array([1.5, 2.0, 1.0]) / unit, -3.5), [0, 0, 0])
    np.testing.assert_allclose(row / unit, [1.0, 1.0, 0.0], atol=5e-3)


def test_a_feature_may_not_go_the_wrong_way():
    train = table([1.0, 1.0])
    unit = deviations(train)
    schema = schema_of(train, x1={"direction": "decrease"})
    row = answer(schema, train, linear(np.array([1.0, 2.0]) / unit, -2.0), [0, 0])
    np.testing.assert_allclose(row / unit, [2.0, 0.0], atol=5e-3)
    row = answer(schema, train, linear(np.array([1.0, -2.0]) / unit, -2.0), [0, 0])
    np.testing.assert_allclose(row / unit, [0.0, -1.0], atol=5e-3)


FARTHEST = 12  # MADs: beyond, the steps may not suffice, as the README says
weights = st.lists(st.floats(-3, 3).filter(lambda w: abs(w) > 0.1), min_size=2, max_size=6)


@settings(max_examples=60, deadline=None)
@given(
    weights=weights, shift=st.floats(-8, -0.5), scale=st.floats(-3, 3), room=st.floats(0.5, 3), seed=st.integers(0, 99)
)
def test_the_cost_is_that_of_a_fractional_knapsack(weights, shift, scale, room, seed):
    d = len(weights)
    train = table(10.0 ** np.linspace(-scale, scale, d), seed)
    unit = deviations(train)
    slopes = np.array(weights) / unit
    bounds = {f"x{j}": {"bounds": (-room * unit[j], room * unit[j])} for j in range(1, d)}
    low = np.array([-np.inf, *(-room * unit[1:])])
    best = knapsack(slopes, shift, np.zeros(d), unit, low, -low)
    train = np.clip(train, low, -low)
    schema = schema_of(train, **bounds)
    unit_here = deviations(train)
    best = knapsack(slopes, shift, np.zeros(d), unit_here, low, -low)
    assume(np.abs(best / unit_here).sum() <= FARTHEST)
    row = answer(schema, train, linear(slopes, shift), np.zeros(d))
    assert row is not None
    assert np.abs(row / unit_here).sum() <= 1.05 * np.abs(best / unit_here).sum() + 1e-3


@pytest.mark.parametrize("depth", [5.0, 15.0, 30.0])
def test_a_saturated_start_is_left_all_the_same(depth):
    train = table([1.0, 1.0])
    unit = deviations(train)
    row = answer(schema_of(train), train, linear(np.array([2.0, 1.0]) / unit, -depth), [0, 0])
    np.testing.assert_allclose(row / unit, [depth / 2, 0], rtol=0.01, atol=0.01)


def test_the_other_class_can_be_the_target_too():
    train = table([1.0, 1.0])
    unit = deviations(train)
    generator = Wachter()
    model = linear(np.array([2.0, 1.0]) / unit, 2.0)
    schema = schema_of(train)
    generator.fit(task_of(schema, model, train=train, target=0))
    row = answers_of(generator, queries_of(schema, np.zeros((1, 2)), target=0))["q0"]
    np.testing.assert_allclose(row / unit, [-1.0, 0], atol=5e-3)


def test_a_curved_border_is_met_where_the_diamond_touches_it():
    """p > 1/2 outside the ellipse u² / 4 + v² = 1 in MADs: its nearest point in L1 from the centre is (0, ±1)."""
    train = table([1.0, 3.0])
    unit = deviations(train)

    class Ellipse(Smooth):
        def gradient(self, rows):
            p = self.predict_proba(rows)[:, 1:]
            return p * (1 - p) * np.column_stack([rows[:, 0] / 2, 2 * rows[:, 1] / unit[1]]) / [unit[0] ** 2, unit[1]]

    model = Ellipse(lambda rows: 4 * ((rows[:, 0] / unit[0]) ** 2 / 4 + (rows[:, 1] / unit[1]) ** 2 - 1))
    model.gradient = lambda rows: 4 * Ellipse.gradient(model, rows)
    row = answer(schema_of(train), train, model, np.array([0.05, 0.05]) * unit)
    np.testing.assert_allclose(np.abs(row / unit - [0.05, 0.05]), [0, 0.95], atol=0.02)


# -- median absolute deviations --------------------------------------------------------------------------------------
def test_deviations_are_medians_and_means_where_the_median_is_nothing():
    rows = np.array([[1.0, 0.0, 5.0], [2.0, 0.0, 5.0], [4.0, 0.0, 5.0], [8.0, 0.0, 5.0], [16.0, 1.0, 5.0]])
    np.testing.assert_allclose(deviations(rows), [3.0, 0.2, 1.0])


def test_a_binary_feature_flips_where_that_is_cheapest():
    random = np.random.default_rng(0)
    train = np.column_stack([random.normal(0, 1, 101), random.integers(0, 2, 101)])
    schema = schema_of(train, x1={"kind": "binary", "levels": ("no", "yes")})
    row = answer(schema, train, linear([0.1, 3.0], -2.0), [0, 0])
    assert row.tolist() == [0, 1]


def test_whole_numbers_are_reached_from_the_near_side():
    random = np.random.default_rng(0)
    train = random.integers(0, 50, (101, 2)).astype(float)
    schema = schema_of(train, x0={"kind": "integer"}, x1={"kind": "integer"})
    row = answer(schema, train, linear([1.0, 0.1], -10.3), [0, 0])
    assert row.tolist() == [11, 0]
