"""Which returned rows count as counterfactuals, and why the others do not."""

import datetime
import decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import matrices, schemas

from sensecf_bench.admission import ProtocolError, Reason, admit, broken_rules
from sensecf_bench.contracts import Feature, FeatureSchema, QueryBatch
from sensecf_bench.queries import LONGEST_RATIONALE
from sensecf_bench.schema import QUERY_ID, level_name

SCHEMA = FeatureSchema(
    (
        Feature(name="age", kind="integer", bounds=(0, 120), mutable=False),
        Feature(name="steps", kind="integer", bounds=(0, None), direction="increase"),
        Feature(name="glucose", kind="continuous", bounds=(40, 400), precision=1.0, direction="decrease"),
        Feature(name="smoker", kind="binary", levels=("no", "yes"), direction="decrease"),
        Feature(name="stage", kind="ordinal", levels=("I", "II", "III"), direction="increase"),
        Feature(name="drug", kind="categorical", levels=("none", "statin")),
    )
)
FACTUAL = {"age": 50, "steps": 4000, "glucose": 150.0, "smoker": "yes", "stage": "II", "drug": "none"}


def batch(schema, matrix, ids=None):
    n = len(matrix)
    ids = tuple(ids or (f"q{i}" for i in range(n)))
    return QueryBatch(schema, ids, matrix, np.ones(n, np.int64), np.zeros(n, np.int64), np.arange(n, dtype=np.uint64))


def column(values):
    """A one-dimensional object array, whatever the values are."""
    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        array[i] = value
    return array


def answer(*rows, ids=None):
    """Columns of an answer from changes to the factual row."""
    filled = [{**FACTUAL, **row} for row in rows]
    columns = {name: column([row[name] for row in filled]) for name in FACTUAL}
    return {QUERY_ID: column(ids or ["q0"] * len(rows)), **columns}


QUERIES = batch(SCHEMA, np.array([[50, 4000, 150, 1, 1, 0], [50, 4000, 150, 1, 1, 0]], dtype=float))


@pytest.mark.parametrize(
    ("change", "reason", "detail"),
    [
        ({}, Reason.ADMITTED, ""),
        ({"steps": 9000, "glucose": 90, "smoker": "no", "stage": "III", "drug": "statin"}, Reason.ADMITTED, ""),
        ({"glucose": None}, Reason.NOT_A_NUMBER, "glucose: None"),
        ({"glucose": "90"}, Reason.NOT_A_NUMBER, "glucose: '90'"),
        ({"steps": float("inf")}, Reason.NOT_A_NUMBER, "steps: inf"),
        ({"steps": True}, Reason.NOT_A_NUMBER, "steps: True"),
        ({"drug": "Statin"}, Reason.OUT_OF_VOCABULARY, "drug: 'Statin'"),
        ({"smoker": 0}, Reason.OUT_OF_VOCABULARY, "smoker: 0"),
        ({"stage": None}, Reason.OUT_OF_VOCABULARY, "stage: None"),
        ({"drug": ["none"]}, Reason.OUT_OF_VOCABULARY, "drug: ['none']"),
        ({"steps": 5000.5}, Reason.NOT_AN_INTEGER, "steps: 5000.5"),
        ({"glucose": 39.9}, Reason.OUTSIDE_HARD_BOUNDS, "glucose: 39.9"),
        ({"glucose": 401}, Reason.OUTSIDE_HARD_BOUNDS, "glucose: 401"),
        ({"steps": -1}, Reason.OUTSIDE_HARD_BOUNDS, "steps: -1"),
        ({"age": 49}, Reason.IMMUTABLE_CHANGED, "age: 49"),
        ({"steps": 3999}, Reason.WRONG_DIRECTION, "steps: 3999"),
        ({"glucose": 150.5}, Reason.WRONG_DIRECTION, "glucose: 150.5"),
        ({"stage": "I"}, Reason.WRONG_DIRECTION, "stage: 'I'"),
    ],
)
def test_each_rule_by_hand(change, reason, detail):
    admitted = admit(answer(change), QUERIES, k=1)
    assert admitted.reasons == (reason,)
    assert admitted.details == (detail,)


def test_a_binary_feature_may_have_a_direction_too():
    queries = batch(SCHEMA, np.array([[50, 4000, 150, 0, 1, 0]], dtype=float))
    assert admit(answer({"smoker": "yes"}), queries, k=1).reasons == (Reason.WRONG_DIRECTION,)


def test_less_than_half_a_step_is_no_change_and_breaks_no_direction():
    assert admit(answer({"glucose": 150.4}), QUERIES, k=1).reasons == (Reason.ADMITTED,)


def test_rounding_noise_at_a_bound_and_at_a_whole_number_is_forgiven_and_kept():
    change = {"steps": 5000 + 1e-7, "glucose": 40 - 1e-9}
    admitted = admit(answer(change), QUERIES, k=1)
    assert admitted.reasons == (Reason.ADMITTED,)
    assert admitted.matrix[0, 1] == 5000 + 1e-7
    assert admitted.matrix[0, 2] == 40 - 1e-9


def test_the_first_broken_rule_is_recorded_and_then_the_first_feature():
    steps = [
        ({"glucose": "high"}, "not-a-number"),
        ({"drug": "aspirin"}, "out-of-vocabulary"),
        ({"steps": 4000.5}, "not-an-integer"),
        ({"glucose": 39}, "outside-hard-bounds"),
        ({"age": 51}, "immutable-changed"),
        ({"stage": "I"}, "wrong-direction"),
    ]
    for first in range(len(steps)):
        change = {}
        for later, _ in reversed(steps[first:]):
            change |= later
        assert admit(answer(change), QUERIES, k=1).reasons == (steps[first][1],)
    both = admit(answer({"age": 121, "glucose": 500}), QUERIES, k=1)
    assert (both.reasons, both.details) == (("outside-hard-bounds",), ("age: 121",))


def test_a_long_value_is_cut_in_the_details():
    (detail,) = admit(answer({"drug": "x" * 1000}), QUERIES, k=1).details
    assert detail.startswith("drug: 'xxx")
    assert len(detail) == 200


def test_what_could_not_be_coded_is_nan_and_the_rest_is_kept():
    admitted = admit(answer({"glucose": float("inf"), "drug": "aspirin", "steps": 1e300}), QUERIES, k=1)
    np.testing.assert_array_equal(admitted.matrix, [[50, 1e300, np.nan, 1, 1, np.nan]])


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_column_of_floats_is_read_as_strictly_as_one_of_objects(value):
    columns = answer({}, {}, ids=["q0", "q1"])
    columns["glucose"] = np.array([value, 100.0])
    admitted = admit(columns, QUERIES, k=1)
    assert admitted.reasons == (Reason.NOT_A_NUMBER, Reason.ADMITTED)
    assert admitted.details == (f"glucose: {value}", "")
    np.testing.assert_array_equal(admitted.matrix[:, 2], [np.nan, 100.0])


def test_ranks_and_owners_follow_the_order_of_the_rows():
    admitted = admit(answer({}, {}, {}, {}, ids=["q1", "q0", "q1", "q0"]), QUERIES, k=2)
    assert admitted.owner.tolist() == [1, 0, 1, 0]
    assert admitted.rank.tolist() == [0, 0, 1, 1]


def test_no_rows_at_all_are_an_abstention_and_no_error():
    admitted = admit(answer(), QUERIES, k=1)
    assert admitted.matrix.shape == (0, 6)
    assert (admitted.reasons, len(admitted.owner), len(admitted.rank)) == ((), 0, 0)


@pytest.mark.parametrize(
    ("columns", "k", "message"),
    [
        ({n: v for n, v in answer({}).items() if n != QUERY_ID}, 1, "no 'query_id' column"),
        ({n: v for n, v in answer({}).items() if n != "age"}, 1, r"missing \['age'\], unknown \[\]"),
        ({**answer({}), "bmi": column([20])}, 1, r"missing \[\], unknown \['bmi'\]"),
        (answer({}, ids=["q7"]), 1, r"nobody asked: \['q7'\]"),
        (answer({}, ids=[None]), 1, r"nobody asked: \['None'\]"),
        (answer({}, {}, ids=["q0", "q0"]), 1, r"more than k=1 rows for \['q0'\]"),
        (answer({}, {}, {}, {}, ids=["q1", "q1", "q0", "q1"]), 2, r"more than k=2 rows for \['q1'\]"),
    ],
)
def test_an_answer_that_cannot_be_matched_breaks_the_protocol(columns, k, message):
    with pytest.raises(ProtocolError, match=message):
        admit(columns, QUERIES, k)


def test_broken_rules_name_the_features_at_fault():
    factual = QUERIES.matrix[:1]
    row = np.array([[51, 3000.5, 500, 1, 0, 1]])
    at_fault = {
        reason: [SCHEMA.names[j] for j in np.flatnonzero(mask[0])]
        for reason, mask in broken_rules(SCHEMA, factual, row).items()
    }
    assert at_fault == {
        Reason.NOT_AN_INTEGER: ["steps"],
        Reason.OUTSIDE_HARD_BOUNDS: ["glucose"],
        Reason.IMMUTABLE_CHANGED: ["age"],
        Reason.WRONG_DIRECTION: ["steps", "glucose", "stage"],
    }


junk = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**400), 2**63, float("inf"), float("-inf"), float("nan"), -0.0, 1e308, b"1", "NaN"]),
    st.sampled_from([np.float32(0.5), np.int8(1), np.bool_(True), np.float64("nan"), np.datetime64("2020-01-01")]),
    st.sampled_from([[1], {}, (), {"a": 1}, decimal.Decimal("1"), datetime.date(2020, 1, 1), 1j, object]),
    st.floats(),
    st.text(max_size=4),
)


def honest(feature):
    if feature.is_numeric:
        low, high = feature.bounds
        whole = st.integers(-1000 if low is None else int(low), 1000 if high is None else int(high))
        return whole if feature.kind == "integer" else whole | whole.map(lambda n: n + 1e-3)
    return st.sampled_from(feature.levels)


@st.composite
def answers(draw):
    schema = draw(schemas(most=3))
    queries = batch(schema, draw(matrices(schema, most=3)))
    n = draw(st.integers(0, 5))
    factuals = schema.decode(queries.matrix)
    ids = draw(st.lists(st.sampled_from(queries.ids), min_size=n, max_size=n))
    if draw(st.integers(0, 9)) == 0:
        ids = [draw(st.one_of(junk, st.just(query_id))) for query_id in ids]
    columns = {QUERY_ID: column(ids)}
    for feature in schema.features:
        kept = st.sampled_from(list(factuals[feature.name]))
        cells = st.one_of(kept, kept, honest(feature), honest(feature), junk)
        columns[feature.name] = column(draw(st.lists(cells, min_size=n, max_size=n)))
        if draw(st.booleans()):
            columns[feature.name] = np.array(
                draw(st.lists(st.floats() | st.integers(-3, 3).map(float), min_size=n, max_size=n)), dtype=np.float64
            )
    if draw(st.integers(0, 19)) == 0:
        columns.pop(draw(st.sampled_from([QUERY_ID, *schema.names])))
    return queries, columns, draw(st.integers(1, 5))


def keeps_the_rules(feature, factual, value):
    """The rules of the schema once more, one cell at a time, from their description."""
    if not np.isfinite(value):
        return False
    slack = 1e-6 * max(1.0, abs(value))
    if feature.is_numeric:
        low, high = feature.bounds
        if (low is not None and value < low - slack) or (high is not None and value > high + slack):
            return False
        if feature.kind == "integer" and abs(value - round(value)) > slack:
            return False
    elif value not in range(len(feature.levels)):
        return False
    if abs(value - factual) <= max(feature.step / 2, slack):
        return True
    rises = value > factual
    return feature.mutable and feature.direction != ("decrease" if rises else "increase")


@settings(max_examples=150, deadline=None)
@given(answers())
def test_whatever_comes_back_every_admitted_row_keeps_the_rules_and_none_is_repaired(case):
    queries, columns, k = case
    try:
        admitted = admit(columns, queries, k)
    except ProtocolError:
        return
    assert np.all(admitted.rank < k)
    for i, reason in enumerate(admitted.reasons):
        assert (admitted.details[i] == "") == (reason is Reason.ADMITTED)
        factual = queries.matrix[admitted.owner[i]]
        assert str(columns[QUERY_ID][i]) == queries.ids[admitted.owner[i]]
        for j, feature in enumerate(queries.schema.features):
            given_value, taken = columns[feature.name][i], admitted.matrix[i, j]
            if reason is Reason.ADMITTED:
                assert keeps_the_rules(feature, factual[j], taken)
            if np.isnan(taken):
                assert reason in (Reason.NOT_A_NUMBER, Reason.OUT_OF_VOCABULARY)
            elif feature.is_numeric:
                assert taken == float(given_value)
            else:
                assert feature.levels[int(taken)] == level_name(given_value)


@settings(max_examples=60, deadline=None)
@given(answers())
def test_what_becomes_of_a_row_does_not_depend_on_the_rows_beside_it(case):
    queries, columns, k = case
    try:
        together = admit(columns, queries, k)
    except ProtocolError:
        return
    for i, reason in enumerate(together.reasons):
        alone = admit({name: values[i : i + 1] for name, values in columns.items()}, queries, k)
        assert alone.reasons == (reason,)
        np.testing.assert_array_equal(alone.matrix[0], together.matrix[i])


def test_rationales_follow_the_rows_of_their_query():
    columns = answer({}, {"glucose": 90}, {}, ids=["q1", "q0", "q1"])
    admitted = admit(columns, QUERIES, 2, {"q1": ["first", "second"], "q0": [""]})
    assert admitted.rationales == ("first", "", "second")
    assert admit(columns, QUERIES, 2).rationales == ("", "", "")
    assert admit(columns, QUERIES, 2, {"q0": ("said",)}).rationales == ("", "said", "")


def test_the_rationale_of_a_rejected_row_is_kept():
    admitted = admit(answer({"age": 49}), QUERIES, 1, {"q0": ["younger is better"]})
    assert admitted.reasons == (Reason.IMMUTABLE_CHANGED,)
    assert admitted.rationales == ("younger is better",)


@pytest.mark.parametrize(
    ("rationales", "why"),
    [
        ({"q0": []}, r"0 rationale\(s\) for a query of 1 row"),
        ({"q0": ["a", "b"]}, r"2 rationale\(s\) for a query of 1 row"),
        ({"q1": ["a"]}, r"1 rationale\(s\) for a query of 0 row"),
        ({"q0": "a"}, "not str"),
        ({"q0": b"a"}, "not bytes"),
        ({"q0": None}, "not NoneType"),
        ({"q0": [None]}, "a rationale is NoneType, not text"),
        ({"q0": {"a": 1}}, "not dict"),
        (["a"], "by query id, not list"),
    ],
)
def test_rationales_that_match_no_rows_break_the_protocol(rationales, why):
    with pytest.raises(ProtocolError, match=why):
        admit(answer({}), QUERIES, 1, rationales)


@given(st.text(max_size=50) | st.text(min_size=1, max_size=20).map(lambda text: text * 300))
def test_a_rationale_is_kept_as_it_was_said_or_marked_as_cut(text):
    (kept,) = admit(answer({}), QUERIES, 1, {"q0": [text]}).rationales
    assert kept == (text if len(text) <= LONGEST_RATIONALE else text[:LONGEST_RATIONALE] + "… [cut]")
