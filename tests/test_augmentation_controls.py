"""The controls: what they add, what they must not know, and what they say where they can do nothing."""

import numpy as np
import pytest
from augmentation_cases import NUMBERS, TABLES, scarce, small, table
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC
from strategies import tables

from sensecf_bench.augmentation.controls import CONTROLS, class_weights, duplication, flipped_neighbours
from sensecf_bench.augmentation.material import Impossible, Reduced
from sensecf_bench.augmentation.scarcity import Scarcity, retained
from sensecf_bench.discovery import inspection

each = pytest.mark.parametrize("control", CONTROLS)
each_table = pytest.mark.parametrize("features", TABLES.values(), ids=TABLES)
COPIERS = ("duplication", "flipped-neighbours")


def added(reduced, material):
    """The rows and labels that stand behind the retained ones, which must be as they were."""
    n = len(reduced.rows)
    np.testing.assert_array_equal(material.rows[:n], reduced.rows)
    np.testing.assert_array_equal(material.labels[:n], reduced.labels)
    return material.rows[n:], material.labels[n:]


def as_set(rows):
    return {tuple(row) for row in rows.tolist()}


# -- every control -----------------------------------------------------------------------------------------------------
def test_these_are_the_controls():
    assert list(CONTROLS) == ["duplication", "class-weights", "smote", "flipped-neighbours"]
    assert ("none", *CONTROLS) == inspection.CONTROLS  # no generator may be called so


@each
@each_table
@pytest.mark.parametrize("scenario", "ABC")
@pytest.mark.parametrize("reduction", [0.1, 0.5, 0.7])
def test_classes_are_filled_up_to_what_they_were(control, features, scenario, reduction):
    reduced = scarce(features, scenario, reduction)
    material = CONTROLS[control](reduced)
    weights = np.ones(len(material.rows)) if material.weights is None else material.weights
    there = np.bincount(reduced.labels, minlength=2)
    for c in (0, 1):
        missing = reduced.missing.get(c, 0)
        if control == "flipped-neighbours":
            missing = min(missing, there[1 - c])
        assert weights[material.labels == c].sum() == pytest.approx(there[c] + missing)
    added(reduced, material)


@each
@each_table
def test_where_nothing_is_missing_nothing_is_added(control, features):
    reduced = scarce(features, "C", 0.0)
    material = CONTROLS[control](reduced)
    assert len(added(reduced, material)[0]) == 0
    assert material.weights is None


@each
@each_table
def test_the_same_seed_gives_the_same_rows(control, features):
    one, other = (CONTROLS[control](scarce(features, "C", 0.7)) for _ in range(2))
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_array_equal(one.labels, other.labels)


@each
def test_the_retained_rows_are_left_alone(control):
    reduced = scarce()
    before = reduced.rows.copy()
    CONTROLS[control](reduced)
    np.testing.assert_array_equal(reduced.rows, before)


@each
@pytest.mark.parametrize("gone", [0, 1])
def test_an_emptied_class_is_a_reason_and_no_crash(control, gone):
    rows = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 3.0]])
    reduced = small(rows, [1 - gone] * 3, {gone: 4})
    with pytest.raises(Impossible, match=f"no training row of class {gone} is left"):
        CONTROLS[control](reduced)


@pytest.mark.parametrize("control", COPIERS)
@pytest.mark.parametrize("scenario", "ABC")
def test_no_removed_row_ever_comes_back(control, scenario):
    schema, rows, labels = table(TABLES["mixed"])
    rows[:, 1] = np.arange(60)  # no two rows alike
    train = np.arange(60)
    for seed in range(5):
        scarcity = Scarcity(scenario, 0.6)
        reduced = Reduced.of(schema, rows, labels, train, scarcity, 1, seed)
        kept = retained(labels, train, scarcity, 1, seed)
        removed = np.setdiff1d(train, kept)
        new, _ = added(reduced, CONTROLS[control](reduced))
        assert len(new)
        assert as_set(new) <= as_set(rows[kept])
        assert not as_set(new) & as_set(rows[removed])


@st.composite
def scarce_tables(draw):
    schema, rows = draw(tables(least=2, most=12))
    labels = np.array(draw(st.lists(st.integers(0, 1), min_size=len(rows), max_size=len(rows))), dtype=np.int64)
    missing = draw(st.dictionaries(st.integers(0, 1), st.integers(0, 15), min_size=1))
    return Reduced(schema, rows, labels, missing, draw(st.integers(0, 2**31)))


@each
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_whatever_the_table_rows_fit_its_schema_or_there_is_a_reason(control, data):
    reduced = data.draw(scarce_tables())
    try:
        material = CONTROLS[control](reduced)
    except Impossible as reason:
        assert reason.reason
        return
    rows, labels = added(reduced, material)
    low, high = reduced.schema.hard_bounds
    assert ((rows >= low) & (rows <= high)).all()
    assert set(labels.tolist()) <= {c for c, missing in reduced.missing.items() if missing}
    reduced.schema.encode(reduced.schema.decode(rows))
    if control == "smote":
        whole = [j for j, f in enumerate(reduced.schema.features) if f.kind != "continuous"]
        np.testing.assert_array_equal(rows[:, whole], np.rint(rows[:, whole]))
    elif control in COPIERS:
        assert as_set(rows) <= as_set(reduced.rows)


# -- duplication and class weights -------------------------------------------------------------------------------------
def test_rows_are_repeated_evenly():
    reduced = small([[1.0, 0], [2.0, 0], [3.0, 0], [9.0, 9]], [1, 1, 1, 0], {1: 8})
    rows, labels = added(reduced, duplication(reduced))
    times = [int((rows[:, 0] == value).sum()) for value in (1, 2, 3)]
    assert sorted(times) == [2, 3, 3]
    assert labels.tolist() == [1] * 8


def test_a_weight_is_what_the_class_was_over_what_is_left():
    reduced = small([[1.0, 0], [2.0, 0], [3.0, 0], [4.0, 0], [9.0, 9]], [1, 1, 1, 1, 0], {1: 6})
    assert class_weights(reduced).weights.tolist() == [2.5, 2.5, 2.5, 2.5, 1.0]


# -- label-flipped neighbours ------------------------------------------------------------------------------------------
def test_the_nearest_rows_of_the_other_class_change_their_label():
    reduced = small([[0.0, 0], [10.0, 0], [1.0, 0], [8.5, 0], [5.0, 0]], [1, 1, 0, 0, 0], {1: 2})
    rows, labels = added(reduced, flipped_neighbours(reduced))
    assert rows.tolist() == [[1.0, 0], [8.5, 0]]  # 1 and 1.5 away, the third is 5 away from both
    assert labels.tolist() == [1, 1]


def test_there_are_no_more_to_flip_than_the_other_class_has():
    reduced = small([[0.0, 0], [1.0, 0], [2.0, 1]], [1, 0, 0], {1: 7})
    assert len(added(reduced, flipped_neighbours(reduced))[0]) == 2


def test_nearness_is_gowers():
    """A unit of the second feature is a tenth of its range, one of the first a thousandth."""
    reduced = small([[0.0, 0], [500.0, 0], [0.0, 6], [1000.0, 10]], [1, 0, 0, 0], {1: 1})
    assert added(reduced, flipped_neighbours(reduced))[0].tolist() == [[500.0, 0]]


# -- SMOTE -------------------------------------------------------------------------------------------------------------
def test_numbers_are_what_imbalanced_learn_makes_of_standardised_rows():
    reduced = scarce(NUMBERS, "A", 0.5)
    rows, _ = added(reduced, CONTROLS["smote"](reduced))
    scale = reduced.rows.std(axis=0)
    direct = SMOTE(sampling_strategy={1: 30}, k_neighbors=5, random_state=0)
    expected = direct.fit_resample(reduced.rows / scale, reduced.labels)[0][len(reduced.rows) :] * scale
    np.testing.assert_allclose(rows, expected, rtol=1e-12)


def test_levels_are_what_imbalanced_learn_makes_of_them():
    reduced = scarce(TABLES["levels"], "A", 0.5)
    rows, _ = added(reduced, CONTROLS["smote"](reduced))
    direct = SMOTEN(sampling_strategy={1: 30}, k_neighbors=5, random_state=0)
    np.testing.assert_array_equal(rows, direct.fit_resample(reduced.rows, reduced.labels)[0][len(reduced.rows) :])


def test_mixed_rows_are_what_imbalanced_learn_makes_of_them_but_for_rounding():
    reduced = scarce(TABLES["mixed"], "A", 0.5)
    rows, _ = added(reduced, CONTROLS["smote"](reduced))
    scale = np.append(reduced.rows[:, :3].std(axis=0), [1.0, 1.0])
    direct = SMOTENC([3, 4], sampling_strategy={1: 30}, k_neighbors=5, random_state=0)
    raw = direct.fit_resample(reduced.rows / scale, reduced.labels)[0][len(reduced.rows) :] * scale
    np.testing.assert_array_equal(rows[:, 3:], raw[:, 3:])
    np.testing.assert_array_equal(rows[:, 1:3], np.rint(raw[:, 1:3]))
    np.testing.assert_allclose(rows[:, 0], raw[:, 0], atol=0.05 + 1e-9)
    np.testing.assert_array_equal(rows[:, 0], np.round(rows[:, 0], 1))


def test_the_unit_of_a_feature_does_not_matter():
    reduced = scarce(NUMBERS, "A", 0.5)
    unit = np.array([1000.0, 0.01])
    other = Reduced(
        reduced.schema.with_scales(reduced.rows * unit), reduced.rows * unit, reduced.labels, reduced.missing, 0
    )
    one, two = (added(r, CONTROLS["smote"](r))[0] for r in (reduced, other))
    np.testing.assert_allclose(one * unit, two, rtol=1e-9)


def test_a_class_of_fewer_rows_than_neighbours_makes_do_with_what_there_is():
    reduced = small([[0.0, 0], [1.0, 1], [9.0, 0], [9.0, 1], [8.0, 0]], [1, 1, 0, 0, 0], {1: 6})
    rows, _ = added(reduced, CONTROLS["smote"](reduced))
    assert len(rows) == 6
    np.testing.assert_allclose(rows[:, 0], rows[:, 1])  # on the line between the two
    assert ((rows >= 0) & (rows <= 1)).all()


@each_table
def test_two_rows_of_a_class_are_enough(features):
    _, rows, labels = table(features)
    kept = np.r_[np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[:2]]
    reduced = small(rows[kept], labels[kept], {1: 28}, features)
    assert len(added(reduced, CONTROLS["smote"](reduced))[0]) == 28


@each
@each_table
def test_a_class_of_one_row_can_be_filled_by_all_but_smote(control, features):
    _, rows, labels = table(features)
    kept = np.r_[np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[:1]]
    reduced = small(rows[kept], labels[kept], {1: 29}, features)
    if control == "smote":
        with pytest.raises(Impossible, match=r"needs two training rows of a class .* class 1 has 1"):
            CONTROLS[control](reduced)
    else:
        material = CONTROLS[control](reduced)
        assert len(added(reduced, material)[0]) == 29 or material.weights.max() == 30


def test_a_feature_that_no_longer_varies_does_no_harm():
    for features in TABLES.values():
        _, rows, labels = table(features)
        rows[:, 0] = rows[0, 0]
        material = CONTROLS["smote"](small(rows[:45], labels[:45], {1: 8}, features))
        assert (material.rows[:, 0] == rows[0, 0]).all()
