"""The parts by themselves: decimals, ranges, the model that remembers, the post-hoc search."""

import numpy as np
import pytest
from sensecf_dice.codec import OUTCOME, Codec
from sensecf_dice.data import FrozenData
from sensecf_dice.explainers import SwiftRandom
from sensecf_dice.explainers.cells import Cells
from sensecf_dice.model import MemoModel
from sensecf_dice.rules import Rules, decimals

from sensecf_bench import Feature, FeatureSchema


@pytest.mark.parametrize(
    ("precision", "values", "expected"),
    [
        (0.01, [0.12, 0.5], 2),
        (0.25, [0.25, 1.5], 2),
        (5.0, [90.0, 120.0], 0),
        (1.0, [90.5, 120.0], 1),  # rounding a training value may not move it
        (None, [36.6, 37.0], 1),
        (None, [1 / 3, 0.1], 7),  # as fine as single precision
        (1e-9, [1 / 3, 0.1], 7),
        (None, [1e6 / 3, 1e5], 1),
    ],
)
def test_decimals(precision, values, expected):
    assert decimals(Feature(name="x", kind="continuous", precision=precision), np.array(values)) == expected


def one_feature(direction="any", precision=0.1):
    feature = Feature(name="x", kind="continuous", precision=precision, direction=direction)
    other = Feature(name="y", kind="categorical", levels=("a", "b", "c"))
    return Codec(FeatureSchema((other, feature)))


TRAIN = np.array([[0.0, 0.0], [1.0, 0.5], [0.0, 1.0], [1.0, 0.3]])  # level "c" is not among them


@pytest.mark.parametrize(
    ("direction", "value", "expected"),
    [("any", 0.4, (0.0, 0.9)), ("increase", 0.4, (0.4, 0.9)), ("decrease", 0.4, (0.0, 0.3)), ("increase", 1.0, None)],
)
def test_a_sampled_range_ends_one_step_early(direction, value, expected):
    codec = one_feature(direction)
    told = Rules(codec, TRAIN, sampled=True).ask(np.array([0.0, value]))
    if expected is None:
        assert told.features_to_vary == [codec.levelled[0]]
    else:
        assert told.permitted_range[codec.numeric[0]] == pytest.approx(expected)
    assert told.permitted_range[codec.levelled[0]] == ["a", "b"]


def test_numbers_come_first_and_levels_come_back():
    codec = one_feature()
    frame = codec.frame(TRAIN)
    assert list(frame.columns) == ["f000", "f001"]
    assert frame["f001"].tolist() == ["a", "b", "a", "b"]
    assert (codec.matrix(frame) == TRAIN).all()


def test_settling_undoes_single_precision_and_nothing_else():
    rules = Rules(one_feature(precision=0.01), TRAIN, sampled=False)
    factual = np.array([0.0, 0.1])
    rows = np.array([[0.0, float(np.float32(0.1))], [1.0, float(np.float32(0.12))]])
    assert rules.settle(rows, factual).tolist() == [[0.0, 0.1], [1.0, 0.12]]


def test_a_row_is_asked_once_and_a_tie_is_decided():
    asked = []

    def predict(rows):
        asked.append(len(rows))
        return np.full((len(rows), 2), 0.5)

    model = MemoModel(one_feature(), predict, decisive=True)
    rows = TRAIN[[0, 1, 0]]
    assert model.scores(rows).shape == (3, 2)
    model.scores(TRAIN)
    assert asked == [2, 2]
    assert (model.scores(rows)[:, 1] < 0.5).all()  # the classifier says class 0 on a tie
    model.forget()
    model.scores(rows)
    assert asked == [2, 2, 2]


def searching(predict, mend):
    """A post-hoc search for class 0 from 0.9 towards a query at 0.1, on a grid of 0.01."""
    codec = one_feature(precision=0.01)
    train = np.column_stack([TRAIN[:, 0], [0.0, 0.25, 0.5, 1.0]])
    table = codec.frame(train).assign(**{OUTCOME: [0, 1, 0, 1]})
    data = FrozenData(
        {
            "dataframe": table,
            "continuous_features": codec.numeric,
            "outcome_name": OUTCOME,
            "continuous_features_precision": {"f000": 2},
        }
    )
    explainer = SwiftRandom(data, MemoModel(codec, predict, decisive=False), codec, mend=mend)
    explainer.target_cf_class, explainer.stopping_threshold, explainer.num_output_nodes = 0, 0.5, 2
    return explainer, codec


def above(edge):
    """Class 0 above the edge."""
    return lambda rows: np.column_stack([rows[:, 1] > edge, rows[:, 1] <= edge]).astype(float)


@pytest.mark.parametrize("edge", np.linspace(0.12, 0.88, 20).round(2))
def test_the_mended_search_keeps_the_flip(edge):
    explainer, codec = searching(above(edge), mend=True)
    query = explainer.data_interface.prepare_query_instance(codec.frame(np.array([[0.0, 0.1]])))
    cells = Cells(np.array([[0.0, 0.9]]), codec, {"f000": np.dtype(float)})
    explainer.do_binary_search(-0.8, {"f000": 2}, query, 0, "f000", cells, None)
    assert edge < cells.at[0, "f000"] <= 0.9


def test_upstream_keeps_what_it_tried_last():
    ends = []
    for edge in np.linspace(0.12, 0.88, 20):
        explainer, codec = searching(above(edge), mend=False)
        query = explainer.data_interface.prepare_query_instance(codec.frame(np.array([[0.0, 0.1]])))
        cells = Cells(np.array([[0.0, 0.9]]), codec, {"f000": np.dtype(float)})
        explainer.do_binary_search(-0.8, {"f000": 2}, query, 0, "f000", cells, None)
        ends.append(cells.at[0, "f000"] > edge)
    assert not all(ends)


def test_a_search_that_single_precision_makes_endless_ends():
    """Upstream goes round between these two values for ever (synthetic table, random forest, query 15)."""
    goal = np.float32(0.1677743)

    def only_the_query_stays(rows):
        stays = rows[:, 1] == goal
        return np.column_stack([~stays, stays]).astype(float)

    explainer, codec = searching(only_the_query_stays, mend=True)
    query = explainer.data_interface.prepare_query_instance(codec.frame(np.array([[0.0, 0.1677743]])))
    cells = Cells(np.array([[0.0, 0.16777429]]), codec, explainer.data_interface.types)
    explainer.do_binary_search(np.float32(1e-8), {"f000": 8}, query, 0, "f000", cells, None)
    assert cells.at[0, "f000"] != goal
