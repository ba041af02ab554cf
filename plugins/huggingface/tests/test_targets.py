"""What fine-tuning aims at: people who might be, and counterfactuals of them that count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sensecf_huggingface.targets import Aims, Search, Values, imagined, make_pairs, search

from sensecf_bench import Feature, FeatureSchema, LinearConstraint
from sensecf_bench.testing.hand_made import EVERY_KIND, rows_of_every_kind

FREE = FeatureSchema(EVERY_KIND)
BOUND = FeatureSchema(
    EVERY_KIND,
    constraints=(LinearConstraint(name="dose-by-sleep", coefficients={"dose": 1.0, "sleep": -1.0}, most=1.5),),
)
SCALE = np.array([10, 20000, 60, 1, 3, 2, 70, 6, 60], dtype=float)


class World:
    """Training rows, and a linear classifier with weights by chance that says yes to about half of them."""

    def __init__(self, seed: int, schema: FeatureSchema) -> None:
        rows = rows_of_every_kind(80, seed)
        self.rows = rows[schema.keeps(rows)]
        self.schema = schema.with_scales(self.rows)
        self.values = Values.of(self.schema, self.rows, 12)
        chance = np.random.default_rng(seed)
        self.weights = chance.normal(size=rows.shape[1]) / SCALE * 6
        self.middle = np.median(self.rows @ self.weights)
        self.chance = chance

    def probability(self, rows):
        return 1 / (1 + np.exp(-np.clip((rows * self.weights).sum(axis=1) - self.middle, -500, 500)))

    @property
    def people(self):
        return self.rows[self.probability(self.rows) < 0.5]

    @property
    def donors(self):
        return self.rows[self.probability(self.rows) >= 0.5]


def assert_rules_kept(world, people, rows):
    schema = world.schema
    assert schema.keeps(rows).all()
    low, high = schema.hard_bounds
    assert ((rows >= low) & (rows <= high)).all()
    for j, feature in enumerate(schema.features):
        if not feature.mutable:
            assert (rows[:, j] == people[:, j]).all()
        if feature.direction == "increase":
            assert (rows[:, j] >= people[:, j]).all()
        if feature.direction == "decrease":
            assert (rows[:, j] <= people[:, j]).all()
        if not feature.is_numeric:
            assert np.isin(rows[:, j], np.arange(len(feature.levels))).all()
        elif feature.kind == "integer":
            assert (rows[:, j] == np.rint(rows[:, j])).all()


worlds = st.builds(World, st.integers(0, 10_000), st.sampled_from([FREE, BOUND]))
few = settings(max_examples=12, deadline=None)


@few
@example(World(383, FREE))  # somebody for whom less than a feature's precision is enough
@given(worlds)
def test_what_a_search_calls_valid_flips_and_keeps_every_rule(world):
    people = world.people
    found = search(world.values, world.probability, people, world.donors, Search(), world.chance)
    assert found.rows.shape == people.shape
    valid = found.valid
    assert (world.probability(found.rows[valid]) >= 0.5).all()
    assert_rules_kept(world, people[valid], found.rows[valid])
    assert (found.rows[valid] != people[valid]).any(axis=1).all()


@few
@given(worlds, st.integers(1, 3), st.sampled_from([0, 20]))
def test_pairs_are_confirmed_keep_every_rule_and_stay_in_the_range_of_training(world, several, imagine):
    pairs = make_pairs(world.values, world.probability, world.rows, Aims(imagine, several), world.chance)
    assert len(pairs.people) == len(pairs.counterfactuals) == len(pairs)
    assert (world.probability(pairs.people) < 0.5).all()
    assert (world.probability(pairs.counterfactuals) >= 0.5).all()
    assert_rules_kept(world, pairs.people, pairs.counterfactuals)
    assert world.schema.changed(pairs.counterfactuals, pairs.people).any(axis=1).all()
    numbers = world.schema.numeric
    assert (pairs.counterfactuals[:, numbers] >= world.rows[:, numbers].min(axis=0) - 1e-3).all()
    assert (pairs.counterfactuals[:, numbers] <= world.rows[:, numbers].max(axis=0) + 1e-3).all()
    both = np.column_stack([pairs.people, pairs.counterfactuals])
    assert len(np.unique(both, axis=0)) == len(both) or imagine == 0  # people of the table may be twins


@few
@given(st.integers(0, 10_000))
def test_the_same_chance_gives_the_same_pairs(seed):
    def once(other):
        world = World(seed, FREE)
        return make_pairs(world.values, world.probability, world.rows, Aims(10, 2), np.random.default_rng(other))

    first, again = once(1), once(1)
    np.testing.assert_array_equal(first.people, again.people)
    np.testing.assert_array_equal(first.counterfactuals, again.counterfactuals)


@few
@given(worlds, st.integers(1, 200))
def test_people_who_might_be_keep_the_schema(world, n):
    rows = imagined(world.schema, world.rows, n, world.chance)
    assert rows.ndim == 2
    assert len(rows) <= n
    assert_rules_kept(world, rows, rows)
    assert world.schema.constraints or len(rows) == n


def test_people_who_might_be_are_spread_as_the_training_rows_are():
    world = World(3, FREE)
    rows = imagined(world.schema, world.rows, 4000, np.random.default_rng(0))
    for j in np.flatnonzero(world.schema.numeric):
        assert rows[:, j].std() == pytest.approx(world.rows[:, j].std(), rel=0.35)
    assert {tuple(row) for row in rows} - {tuple(row) for row in world.rows}  # they are no copies


@few
@given(worlds)
def test_values_rise_are_those_of_training_and_are_what_rows_snap_to(world):
    values = world.values
    for j, (feature, choices) in enumerate(zip(world.schema.features, values.choices, strict=True)):
        assert (np.diff(choices) > 0).all()
        if feature.is_numeric:
            assert len(choices) <= 12
            assert choices[0] == pytest.approx(world.rows[:, j].min(), abs=1e-3)
            assert choices[-1] == pytest.approx(world.rows[:, j].max(), abs=1e-3)
        else:
            assert list(choices) == list(range(len(feature.levels)))
    snapped = values.snapped(world.rows)
    assert values.holds(snapped).all()
    for j, choices in enumerate(values.choices):
        by_hand = choices[np.abs(world.rows[:, j][:, None] - choices).argmin(axis=1)]
        assert np.array_equal(np.abs(snapped[:, j] - world.rows[:, j]), np.abs(by_hand - world.rows[:, j]))
    assert np.array_equal(values.snapped(snapped), snapped)


# -- worked out by hand ------------------------------------------------------------------------------------------------
def line(**more):
    """One number from 0 to 100, all whole ones there; whoever has 60 or more is in the target class."""
    schema = FeatureSchema((Feature(name="x", kind="integer", bounds=(0, 100), **more),))
    rows = np.arange(101, dtype=float)[:, None]
    schema = schema.with_scales(rows)
    return Values.of(schema, rows, 101), rows, lambda some: np.where(some[:, 0] >= 60, 0.9, 0.1)


@pytest.mark.parametrize("own", [0, 30, 59])
def test_with_no_wobble_the_nearest_value_that_flips_is_found(own):
    values, rows, probability = line()
    how = Search(wobble=0.0)
    found = search(values, probability, np.array([[own]], dtype=float), rows[60:], how, np.random.default_rng(0))
    assert found.valid.tolist() == [True]
    # Halving from a candidate beyond the boundary ends within 1/32 of the way.
    assert 60 <= found.rows[0, 0] <= 60 + np.ceil((94 - own) / 32)


def test_who_may_only_go_down_is_not_flipped():
    values, rows, probability = line(direction="decrease")
    people = np.array([[30.0]])
    found = search(values, probability, people, rows[60:], Search(), np.random.default_rng(0))
    assert found.valid.tolist() == [False]
    pairs = make_pairs(values, probability, rows, Aims(), np.random.default_rng(0))
    assert len(pairs) == 0


def test_quantiles_by_hand():
    schema = FeatureSchema((Feature(name="x", kind="continuous", precision=0.1, bounds=(0, 10)),))
    rows = np.array([0.04, 1.06, 2.0, 3.0, 9.98])[:, None]
    values = Values.of(schema.with_scales(rows), rows, 5)
    assert values.choices[0].tolist() == [0.1, 1.1, 2.0, 3.0, 9.9]
    assert values.snapped(np.array([[1.55], [1.5], [-3.0], [99.0]])).ravel().tolist() == [1.1, 1.1, 0.1, 9.9]


def test_rounding_takes_no_value_out_of_the_range():
    schema = FeatureSchema((Feature(name="hours", kind="continuous", precision=0.1),))
    train = np.array([[3.14], [5.0], [6.02], [7.06]])
    values = Values.of(schema.with_scales(train), train, 4)
    assert values.choices[0].tolist() == [3.2, 5.0, 6.0, 7.0]
