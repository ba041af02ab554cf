"""Features and schemas: domains, coding, comparing rows, identity."""

import hashlib
import json
import re

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from strategies import KINDS, column_names, matrices, schemas, tables

from sensecf_bench.contracts import Feature, FeatureSchema
from sensecf_bench.errors import SchemaError
from sensecf_bench.schema import encode_column, encode_value, level_name

few = settings(max_examples=30, deadline=None)

FEATURES = (
    Feature(name="age", kind="integer", unit="years", bounds=(0, 120), mutable=False),
    Feature(name="glucose", kind="continuous", unit="mg/dL", bounds=(20, None), precision=0.5),
    Feature(name="sleep", kind="continuous"),
    Feature(name="smoker", kind="binary", levels=("no", "yes")),
    Feature(name="stage", kind="ordinal", levels=("I", "II", "III"), direction="decrease"),
    Feature(name="drug", kind="categorical", levels=("none", "statin", "insulin")),
)
SCHEMA = FeatureSchema(FEATURES)
TRAINING = np.array([[20, 80, 6, 0, 0, 0], [60, 180, 10, 1, 2, 1], [40, 100, 8, 0, 0, 0]], dtype=float)


# -- features --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "", "kind": "integer"}, "at least 1 character"),
        ({"name": "query_id", "kind": "integer"}, "feature 'query_id': .* are the harness's own"),
        ({"name": "cf_rank", "kind": "integer"}, "feature 'cf_rank': .* are the harness's own"),
        ({"name": "a", "kind": "integer", "levels": ("x", "y")}, "'a' is integer: give bounds, not levels"),
        ({"name": "a", "kind": "continuous", "levels": ("x", "y")}, "'a' is continuous: give bounds, not levels"),
        ({"name": "a", "kind": "continuous", "bounds": (2, 2)}, "'a': lower bound 2.0 is not below upper bound 2.0"),
        ({"name": "a", "kind": "integer", "bounds": (3, 1)}, "'a': lower bound 3.0 is not below upper bound 1.0"),
        ({"name": "a", "kind": "binary", "levels": ("x", "y"), "bounds": (0, None)}, "give levels, not bounds or"),
        ({"name": "a", "kind": "ordinal", "levels": ("x", "y"), "bounds": (None, 1)}, "give levels, not bounds or"),
        ({"name": "a", "kind": "ordinal", "levels": ("x", "y"), "precision": 1}, "'a' is ordinal: give levels, not"),
        ({"name": "a", "kind": "categorical", "levels": ("x", "y", "x")}, "'a': a level is listed twice"),
        ({"name": "a", "kind": "categorical", "levels": ()}, "'a' is categorical: it needs at least 2 levels, not 0"),
        ({"name": "a", "kind": "ordinal", "levels": ("x",)}, "'a' is ordinal: it needs at least 2 levels, not 1"),
        ({"name": "a", "kind": "binary", "levels": ("x",)}, "'a' is binary: it needs exactly 2 levels, not 1"),
        ({"name": "a", "kind": "binary", "levels": ("x", "y", "z")}, "it needs exactly 2 levels, not 3"),
        ({"name": "a", "kind": "categorical", "levels": ("x", "y"), "direction": "increase"}, "no order, so no direct"),
        ({"name": "a", "kind": "continuous", "precision": 0}, "greater than 0"),
        ({"name": "a", "kind": "continuous", "precision": float("inf")}, "finite number"),
        ({"name": "a", "kind": "continuous", "bounds": (float("nan"), 1)}, "finite number"),
        ({"name": "a", "kind": "continuous", "bounds": (0, float("inf"))}, "finite number"),
        ({"name": "a", "kind": "number"}, "'continuous', 'integer', 'binary', 'ordinal' or 'categorical'"),
        ({"name": "a", "kind": "integer", "direction": "up"}, "'any', 'increase' or 'decrease'"),
        ({"name": "a", "kind": "integer", "colour": "red"}, "Extra inputs are not permitted"),
    ],
)
def test_a_feature_that_makes_no_sense_is_refused_with_the_reason(entry, message):
    with pytest.raises(ValidationError, match=message):
        Feature(**entry)


@pytest.mark.parametrize(
    ("entry", "step"),
    [
        ({"kind": "continuous"}, 0.0),
        ({"kind": "continuous", "precision": 0.1}, 0.1),
        ({"kind": "integer"}, 1.0),
        ({"kind": "integer", "precision": 5}, 5.0),
        ({"kind": "ordinal", "levels": ("a", "b")}, 1.0),
    ],
)
def test_the_step_is_the_precision_or_what_the_kind_implies(entry, step):
    assert Feature(name="a", **entry).step == step


def test_a_feature_cannot_be_altered():
    with pytest.raises(ValidationError, match="frozen"):
        FEATURES[0].mutable = True


def test_a_schema_without_features_or_with_a_name_twice_is_refused():
    with pytest.raises(SchemaError, match="at least one feature"):
        FeatureSchema(())
    with pytest.raises(SchemaError, match="feature named twice: age"):
        FeatureSchema((FEATURES[0], FEATURES[1], FEATURES[0]))


@few
@given(schemas())
def test_features_survive_json_and_yaml(schema):
    as_json = json.loads(json.dumps(schema.to_json()))
    as_yaml = yaml.safe_load(yaml.safe_dump(schema.to_json(), allow_unicode=True))
    for content in (as_json, as_yaml):
        again = FeatureSchema.from_json(content)
        assert again.features == schema.features
        assert again.fingerprint == schema.fingerprint


def test_masks_and_hard_bounds_by_hand():
    assert SCHEMA.names == ("age", "glucose", "sleep", "smoker", "stage", "drug")
    assert SCHEMA.numeric.tolist() == [True, True, True, False, False, False]
    assert SCHEMA.nominal.tolist() == [False, False, False, True, False, True]
    assert SCHEMA.mutable.tolist() == [False, True, True, True, True, True]
    low, high = SCHEMA.hard_bounds
    assert low.tolist() == [0, 20, -np.inf, 0, 0, 0]
    assert high.tolist() == [120, np.inf, np.inf, 1, 2, 2]


# -- coding ----------------------------------------------------------------------------------------------------------
@few
@given(st.data())
def test_decoding_and_encoding_again_gives_the_same_rows(data):
    schema = data.draw(schemas())
    rows = data.draw(matrices(schema, least=0))
    frame = schema.decode(rows)
    assert list(frame.columns) == list(schema.names)
    np.testing.assert_array_equal(schema.encode(frame), rows)
    pd.testing.assert_frame_equal(schema.decode(schema.encode(frame)), frame)


def test_decoded_rows_hold_raw_units():
    frame = SCHEMA.decode(np.array([[41, 99.5, 7.25, 1, 2, 0]], dtype=float))
    assert frame.to_dict("records") == [
        {"age": 41, "glucose": 99.5, "sleep": 7.25, "smoker": "yes", "stage": "III", "drug": "none"}
    ]
    assert frame["age"].dtype == np.int64


def test_a_decoded_frame_is_a_copy():
    rows = TRAINING.copy()
    frame = SCHEMA.decode(rows)
    frame.loc[:, "sleep"] = 0.0
    np.testing.assert_array_equal(rows, TRAINING)


def test_encoding_takes_columns_by_name_and_leaves_others_alone():
    frame = SCHEMA.decode(TRAINING)
    shuffled = frame[list(reversed(frame.columns))].assign(extra="x")
    np.testing.assert_array_equal(SCHEMA.encode(shuffled), TRAINING)


@pytest.mark.parametrize(
    ("value", "name"),
    [(1, "1"), (1.0, "1"), ("1", "1"), (True, "True"), (np.True_, "True"), (np.float64(2.0), "2"), (0.5, "0.5")],
)
def test_levels_are_named_as_people_write_them(value, name):
    assert level_name(value) == name


@pytest.mark.parametrize("values", [[0, 1, 1], [0.0, 1.0, 1.0], ["0", "1", "1"], np.array([0, 1, 1], dtype=np.int8)])
def test_numeric_levels_are_recognised_however_they_are_stored(values):
    schema = FeatureSchema((Feature(name="flag", kind="binary", levels=("0", "1")),))
    assert schema.encode(pd.DataFrame({"flag": values})).ravel().tolist() == [0.0, 1.0, 1.0]


def test_truth_values_are_levels_of_their_own_whatever_stands_beside_them():
    schema = FeatureSchema((Feature(name="flag", kind="binary", levels=("0", "1")),))
    with pytest.raises(SchemaError, match="row 1: True"):
        schema.encode(pd.DataFrame({"flag": np.array([1, True], dtype=object)}))


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_missing_value_is_no_level_even_if_a_level_is_called_so(missing):
    schema = FeatureSchema((Feature(name="alcohol", kind="categorical", levels=("None", "nan", "some")),))
    with pytest.raises(SchemaError, match="column 'alcohol', row 1"):
        schema.encode(pd.DataFrame({"alcohol": np.array(["None", missing, "some"], dtype=object)}))


@pytest.mark.parametrize(
    ("column", "row", "value", "wanted"),
    [
        ("age", 2, "old", "a finite number"),
        ("age", 1, None, "a finite number"),
        ("glucose", 0, float("nan"), "a finite number"),
        ("glucose", 1, float("inf"), "a finite number"),
        ("sleep", 1, True, "a finite number"),
        ("sleep", 0, 10**400, "a finite number"),
        ("smoker", 2, "maybe", "one of ['no', 'yes']"),
        ("stage", 1, 1, "one of ['I', 'II', 'III']"),
        ("drug", 0, ["none"], "one of ['none', 'statin', 'insulin']"),
    ],
)
def test_a_value_outside_the_domain_is_named_by_column_and_row(column, row, value, wanted):
    frame = SCHEMA.decode(TRAINING).astype({column: object})
    frame.at[row, column] = value
    with pytest.raises(SchemaError, match=re.escape(wanted)) as caught:
        SCHEMA.encode(frame)
    assert f"column {column!r}, row {row}: " in caught.value.message
    assert "(1 such rows)" in caught.value.message
    assert caught.value.fix


@pytest.mark.parametrize("dtype", [object, np.float64, np.float32])
def test_a_value_is_shown_as_people_write_it_however_it_is_stored(dtype):
    frame = SCHEMA.decode(TRAINING).assign(stage=np.array([1.5, 2, 3], dtype=dtype))
    with pytest.raises(SchemaError, match=r"column 'stage', row 0: 1\.5 is not one of"):
        SCHEMA.encode(frame)


def test_columns_that_are_not_there_are_named():
    with pytest.raises(SchemaError, match="no column 'glucose', 'drug'"):
        SCHEMA.encode(SCHEMA.decode(TRAINING).drop(columns=["glucose", "drug"]))


# -- comparing rows --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("kind", "precision", "one", "other", "changed"),
    [
        ("continuous", 0.5, 100.0, 100.24, False),
        ("continuous", 0.5, 100.0, 100.25, True),
        ("continuous", 0.5, 100.0, 99.5, True),
        ("continuous", 0.1, 0.3, 0.1 + 0.2, False),
        ("continuous", None, 0.3, 0.1 + 0.2, False),
        ("continuous", None, 1.0, 1.0 + 1e-6, True),
        ("integer", None, 7, 7.4, False),
        ("integer", None, 7, 8, True),
        ("integer", 10, 100, 104, False),
        ("integer", 10, 100, 105, True),
    ],
)
def test_a_feature_is_changed_from_half_its_precision_on(kind, precision, one, other, changed):
    schema = FeatureSchema((Feature(name="a", kind=kind, precision=precision),))
    assert schema.changed(np.array([[one]]), np.array([[other]])).item() is changed
    assert schema.changed(np.array([[other]]), np.array([[one]])).item() is changed


@pytest.mark.parametrize("kind", ["binary", "ordinal", "categorical"])
def test_another_level_is_a_change(kind):
    schema = FeatureSchema((Feature(name="a", kind=kind, levels=("x", "y")),))
    assert schema.changed(np.array([[0.0], [1.0]]), np.array([[1.0], [1.0]])).ravel().tolist() == [True, False]


@few
@given(st.data())
def test_gaps_lie_between_0_and_1_within_the_training_range(data):
    schema, rows = data.draw(tables())
    others = rows[::-1]
    gaps = schema.gaps(rows, others)
    assert gaps.shape == rows.shape
    assert np.all((gaps >= 0) & (gaps <= 1))
    np.testing.assert_array_equal(gaps, schema.gaps(others, rows))
    assert not schema.gaps(rows, rows).any()
    assert not schema.changed(rows, rows).any()


def test_gaps_by_hand():
    schema = SCHEMA.with_scales(TRAINING)
    one = np.array([[30, 90, 7, 0, 0, 2]], dtype=float)
    other = np.array([[40, 115, 7, 1, 1, 0]], dtype=float)
    np.testing.assert_allclose(schema.gaps(one, other), [[0.25, 0.25, 0, 1, 0.5, 1]])


def test_gaps_of_whole_numbers_are_those_of_the_same_floats():
    schema = FeatureSchema((Feature(name="age", kind="integer"),)).with_scales(np.array([[0.0], [8.0]]))
    seven, one = np.array([[7]]), np.array([[1]])
    assert schema.gaps(seven, one).tolist() == schema.gaps(seven * 1.0, one * 1.0).tolist() == [[0.75]]


def test_gaps_do_not_alter_their_arguments():
    schema = SCHEMA.with_scales(TRAINING)
    one, other = TRAINING.copy(), TRAINING[::-1].copy()
    schema.gaps(one, other)
    np.testing.assert_array_equal(one, TRAINING)
    np.testing.assert_array_equal(other, TRAINING[::-1])


def test_ranks_are_scaled_by_all_levels_and_not_by_those_seen():
    stage = FeatureSchema((Feature(name="stage", kind="ordinal", levels=("I", "II", "III", "IV", "V")),))
    schema = stage.with_scales(np.array([[0.0], [1.0]]))
    assert schema.gaps(np.array([[4.0]]), np.array([[1.0]])).item() == 0.75


def test_a_feature_that_is_constant_in_training_keeps_its_unit():
    schema = FeatureSchema((Feature(name="a", kind="continuous"),)).with_scales(np.array([[5.0], [5.0]]))
    assert schema.gaps(np.array([[5.0]]), np.array([[7.0]])).item() == 2.0


@few
@given(st.data())
def test_the_manhattan_distance_of_embedded_rows_is_the_sum_of_gaps(data):
    schema, rows = data.draw(tables())
    outside = data.draw(matrices(schema, least=len(rows), most=len(rows)))
    for others in (rows[::-1], outside):
        manhattan = np.abs(schema.embed(rows) - schema.embed(others)).sum(axis=1)
        np.testing.assert_allclose(manhattan, schema.gaps(rows, others).sum(axis=1), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("method", ["gaps", "embed"])
def test_distances_need_frozen_scales(method):
    arguments = [TRAINING, TRAINING] if method == "gaps" else [TRAINING]
    with pytest.raises(SchemaError, match="no distance scales yet"):
        getattr(SCHEMA, method)(*arguments)


def test_scales_are_the_training_range_and_leave_the_schema_as_it_was():
    scaled = SCHEMA.with_scales(TRAINING)
    assert scaled.scales.low.tolist() == [20, 80, 6, 0, 0, 0]
    assert scaled.scales.high.tolist() == [60, 180, 10, 1, 2, 1]
    assert scaled.scales.span.tolist() == [40, 100, 4, 1, 2, 1]
    assert SCHEMA.scales is None


# -- identity --------------------------------------------------------------------------------------------------------
NUMBER = Feature(name="a", kind="continuous")
CHOICE = Feature(name="a", kind="ordinal", levels=("x", "y"))


@pytest.mark.parametrize(
    ("feature", "change"),
    [
        (NUMBER, {"name": "b"}),
        (NUMBER, {"kind": "integer"}),
        (NUMBER, {"unit": "kg"}),
        (NUMBER, {"bounds": (0, None)}),
        (NUMBER, {"bounds": (None, 0)}),
        (NUMBER, {"precision": 1}),
        (NUMBER, {"mutable": False}),
        (NUMBER, {"direction": "increase"}),
        (NUMBER, {"description": "weight"}),
        (NUMBER, {"group": "body"}),
        (CHOICE, {"levels": ("y", "x")}),
        (CHOICE, {"levels": ("x", "y", "z")}),
        (CHOICE, {"kind": "binary"}),
    ],
)
def test_the_fingerprint_changes_with_every_field(feature, change):
    changed = Feature(**{**feature.model_dump(), **change})
    assert FeatureSchema((feature,)).fingerprint != FeatureSchema((changed,)).fingerprint


def test_the_fingerprint_knows_the_order_and_the_scales():
    one, other = Feature(name="a", kind="continuous"), Feature(name="b", kind="continuous")
    schema = FeatureSchema((one, other))
    rows = np.array([[0.0, 1.0], [2.0, 3.0]])
    different = {
        schema.fingerprint,
        FeatureSchema((other, one)).fingerprint,
        schema.with_scales(rows).fingerprint,
        schema.with_scales(rows + 1).fingerprint,
        schema.with_scales(rows * [1, 2]).fingerprint,
    }
    assert len(different) == 5


def test_the_fingerprint_is_the_hash_of_what_the_schema_says():
    schema = FeatureSchema((Feature(name="a", kind="integer", bounds=(0, None), unit="d"),))
    feature = {
        "bounds": [0.0, None],
        "description": "",
        "direction": "any",
        "group": "",
        "kind": "integer",
        "levels": [],
        "mutable": True,
        "name": "a",
        "precision": None,
        "unit": "d",
    }
    bare = hashlib.sha256(json.dumps({"features": [feature]}).encode()).hexdigest()
    scaled = hashlib.sha256(json.dumps({"features": [feature], "scales": [[1.0], [4.0]]}).encode()).hexdigest()
    assert schema.fingerprint == bare
    assert schema.with_scales(np.array([[4.0], [1.0]])).fingerprint == scaled


# -- JSON schema -----------------------------------------------------------------------------------------------------
def complaints(row, schema):
    """A JSON schema validator for as much of the language as is used here."""
    assert schema["type"] == "object"
    found = [name for name in schema["required"] if name not in row]
    if schema["additionalProperties"] is False:
        found += [name for name in row if name not in schema["properties"]]
    types = {"integer": int, "number": (int, float)}
    for name, rule in schema["properties"].items():
        assert set(rule) <= {"type", "minimum", "maximum", "enum"}
        value = row.get(name)
        if (
            ("enum" in rule and value not in rule["enum"])
            or ("type" in rule and (isinstance(value, bool) or not isinstance(value, types[rule["type"]])))
            or ("minimum" in rule and value < rule["minimum"])
            or ("maximum" in rule and value > rule["maximum"])
        ):
            found.append(name)
    return found


@few
@given(st.data())
def test_the_json_schema_accepts_every_row_within_the_schema(data):
    schema = data.draw(schemas())
    rows = data.draw(matrices(schema))
    written = json.loads(json.dumps(schema.json_schema()))
    for row in schema.decode(rows).to_dict("records"):
        assert complaints(json.loads(json.dumps(row)), written) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"age": 121}, "age"),
        ({"age": -1}, "age"),
        ({"age": 40.5}, "age"),
        ({"glucose": 19.9}, "glucose"),
        ({"glucose": "high"}, "glucose"),
        ({"drug": "aspirin"}, "drug"),
        ({"mood": 3}, "mood"),
    ],
)
def test_the_json_schema_refuses_what_lies_outside(change, fault):
    row = {"age": 40, "glucose": 100.0, "sleep": 7.0, "smoker": "no", "stage": "I", "drug": "none"}
    assert complaints(row, SCHEMA.json_schema()) == []
    assert complaints({**row, **change}, SCHEMA.json_schema()) == [fault]
    assert complaints({k: v for k, v in row.items() if k != "stage"}, SCHEMA.json_schema())[0] == "stage"


@few
@given(st.sampled_from(KINDS), column_names, st.lists(st.text(max_size=5), max_size=4), st.integers(), st.integers())
def test_a_feature_of_random_content_is_valid_or_refused_and_nothing_else(kind, name, levels, low, high):
    try:
        feature = Feature(name=name, kind=kind, levels=tuple(levels), bounds=(low, high))
    except ValidationError:
        return
    assert feature.is_numeric
    assert not feature.levels
    assert feature.bounds[0] < feature.bounds[1]


ODD = [
    True,
    None,
    float("nan"),
    np.float32(0.5),
    np.int64(2),
    10**400,
    [1],
    "a",
    "1",
    1,
    1.0,
    np.True_,
    "",
    1e308,
    -0.0,
]


@pytest.mark.parametrize("kind", ["continuous", "categorical"])
def test_one_value_is_coded_as_in_a_column(kind):
    more = {"levels": ("a", "1", "True", "")} if kind == "categorical" else {}
    feature = Feature(name="x", kind=kind, **more)
    values = np.empty(len(ODD), dtype=object)
    values[:] = ODD
    codes, bad = encode_column(feature, values)
    alone = np.array([encode_value(feature, value) for value in ODD])
    np.testing.assert_array_equal(alone, codes)
    np.testing.assert_array_equal(np.isnan(alone), bad)
    assert bad.any() and not bad.all()


def test_the_training_range_is_inclusive_and_forgives_rounding():
    schema = FeatureSchema((Feature(name="x", kind="continuous"),)).with_scales(np.array([[0.1], [0.3]]))
    rows = np.array([[0.1], [0.3], [0.1 + 0.2], [0.3 + 1e-6], [0.1 - 1e-6]])
    assert schema.in_training_range(rows)[:, 0].tolist() == [True, True, True, False, False]
