"""What a model may answer and what is made of it: from JSON schema to admitted row, and every text that says nothing."""

import contextlib
import json
import time

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prompting_cases import COUNTERFACTUAL, FACTUAL, SCHEMA
from strategies import matrices, schemas

from sensecf_bench.admission import Reason, admit
from sensecf_bench.contracts import QueryBatch
from sensecf_bench.prompting import AnswerFormat, Unparsable, answer_text, parse_answer
from sensecf_bench.prompting.parsing import LONGEST
from sensecf_bench.schema import QUERY_ID

FORMATS = [(style, rationale) for style in ("edits", "row") for rationale in (True, False)]
STRICT = {  # what strict structured outputs take
    *("type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "const"),
    *("minimum", "maximum", "maxItems"),
}


# -- from the JSON schema to an admitted row -------------------------------------------------------------------------
def conforming(schema):
    """Values that a JSON schema of ours allows."""
    if "anyOf" in schema:
        return st.one_of([conforming(option) for option in schema["anyOf"]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    low, high = schema.get("minimum"), schema.get("maximum")
    if schema["type"] == "integer":
        return st.integers(-(10**12) if low is None else low, 10**12 if high is None else high)
    if schema["type"] == "number":
        return st.floats(low, high, allow_nan=False, allow_infinity=False)
    if schema["type"] == "string":
        return st.text(st.characters(exclude_characters="\0"))
    if schema["type"] == "array":  # that a feature is changed once only, a JSON schema cannot say
        return st.lists(
            conforming(schema["items"]), max_size=schema["maxItems"], unique_by=lambda change: change["feature"]
        )
    return st.fixed_dictionaries({name: conforming(inner) for name, inner in schema["properties"].items()})


def nodes(schema):
    """The schema and all schemas within it."""
    yield schema
    for inner in [
        *schema.get("properties", {}).values(),
        *schema.get("anyOf", []),
        *filter(None, [schema.get("items")]),
    ]:
        yield from nodes(inner)


def reason(schema, factual, row):
    """What admission says of a proposed row."""
    one = np.ones(1, np.int64)
    queries = QueryBatch(schema, ("q",), factual[None], one, 1 - one, one.astype(np.uint64))
    columns = {QUERY_ID: np.array(["q"], dtype=object)}
    for name in schema.names:
        columns[name] = np.empty(1, dtype=object)
        columns[name][0] = row[name]
    return admit(columns, queries, 1).reasons[0]


@st.composite
def queries(draw):
    """A schema in which something may change, a factual row in internal coding, and the same row in raw units."""
    schema = draw(schemas().filter(lambda s: s.mutable.any()))
    (vector,) = draw(matrices(schema, 1, 1))
    (row,) = schema.decode(vector[None]).to_dict("records")
    return schema, vector, row


@settings(deadline=None)
@given(st.data(), queries(), st.sampled_from(FORMATS), st.booleans())
def test_whatever_the_json_schema_allows_is_parsed_and_judged_by_admission(data, query, form, knows_the_query):
    schema, vector, row = query
    answer = AnswerFormat(schema, *form)
    json_schema = answer.json_schema(row if knows_the_query else None)
    said = data.draw(conforming(json_schema))
    jsonschema.Draft202012Validator(json_schema).validate(said)
    proposal = parse_answer(json.dumps(said, ensure_ascii=data.draw(st.booleans())), answer, row)
    verdict = reason(schema, vector, proposal.row)
    allowed = {Reason.ADMITTED} if knows_the_query else {Reason.ADMITTED, Reason.WRONG_DIRECTION}
    if form[0] == "row" and not knows_the_query:
        allowed.add(Reason.IMMUTABLE_CHANGED)
    assert verdict in allowed
    assert set(proposal.row) == set(schema.names)
    if form[1]:
        assert proposal.rationale == said["rationale"]


@settings(deadline=None)
@given(queries(), st.sampled_from(FORMATS), st.booleans())
def test_json_schemas_are_strict_everywhere(query, form, bounds):
    schema, _, row = query
    for given_row in (None, row):
        json_schema = AnswerFormat(schema, *form).json_schema(given_row, bounds=bounds)
        jsonschema.Draft202012Validator.check_schema(json_schema)
        assert json_schema["type"] == "object"
        for node in nodes(json_schema):
            assert set(node) <= STRICT - (set() if bounds else {"minimum", "maximum", "maxItems"})
            if node.get("type") == "object":
                assert node["required"] == list(node["properties"])
                assert node["additionalProperties"] is False


def test_a_value_is_tied_to_its_feature():
    json_schema = AnswerFormat(SCHEMA).json_schema(FACTUAL)
    options = {
        o["properties"]["feature"]["const"]: o["properties"]["value"]
        for o in json_schema["properties"]["changes"]["items"]["anyOf"]
    }
    assert options == {
        "daily_steps": {"type": "integer", "minimum": 4000},
        "glucose": {"type": "number", "minimum": 40, "maximum": 150},
        "deep_sleep": {"type": "number", "minimum": 0, "maximum": 100},
        "balance": {"type": "number", "maximum": 2.5},
        "smoker": {"type": "string", "enum": ["no", "yes"]},
        "stage": {"type": "string", "enum": ["I", "II", "III"]},
        "drug": {"type": "string", "enum": ["none", "statin <10 mg", "β-blocker"]},
    }


def test_a_person_beyond_the_bounds_does_not_make_the_schema_impossible():
    json_schema = AnswerFormat(SCHEMA).json_schema({**FACTUAL, "glucose": 30.0})
    glucose = json_schema["properties"]["changes"]["items"]["anyOf"][1]["properties"]["value"]
    assert glucose == {"type": "number", "minimum": 40, "maximum": 400}


# -- round trips -----------------------------------------------------------------------------------------------------
@settings(deadline=None)
@given(st.data(), st.sampled_from(FORMATS))
def test_a_counterfactual_written_and_read_is_the_same(data, form):
    schema, _, row = data.draw(queries())
    (vector,) = data.draw(matrices(schema, 1, 1))
    (wanted,) = schema.decode(vector[None]).to_dict("records")
    answer = AnswerFormat(schema, *form)
    text = answer_text(answer, row, wanted)
    proposal = parse_answer(text, answer, row)
    read, meant = schema.encode(_frame(proposal.row)), schema.encode(_frame(wanted))
    assert not schema.changed(read, meant).any()
    assert reason(schema, meant[0], proposal.row) == Reason.ADMITTED  # so no bound was crossed by rounding
    assert answer_text(answer, row, proposal.row) == text


def _frame(row):
    import pandas as pd

    return pd.DataFrame([dict(row)])


def test_answers_are_compact_and_in_schema_order():
    assert answer_text(AnswerFormat(SCHEMA), FACTUAL, COUNTERFACTUAL, "Move more.") == (
        '{"changes":[{"feature":"daily_steps","value":9000},{"feature":"glucose","value":95},'
        '{"feature":"drug","value":"statin <10 mg"}],"rationale":"Move more."}'
    )
    assert answer_text(AnswerFormat(SCHEMA, "row", rationale=False), FACTUAL, COUNTERFACTUAL) == (
        '{"age":50,"daily_steps":9000,"glucose":95,"deep_sleep":30.1,"balance":0.125,'
        '"smoker":"yes","stage":"I","drug":"statin <10 mg"}'
    )


def test_the_rationale_written_for_you_claims_no_more_than_is_known():
    answer = AnswerFormat(SCHEMA)
    three, four = COUNTERFACTUAL, {**COUNTERFACTUAL, "smoker": "no"}
    assert "Changing daily_steps, glucose and drug is enough" in answer_text(answer, FACTUAL, three)
    assert "Changing these 4 features is enough" in answer_text(answer, FACTUAL, four)
    assert "Nothing is changed." in answer_text(answer, FACTUAL, FACTUAL)


# -- what is read ----------------------------------------------------------------------------------------------------
EDITS, ROW = AnswerFormat(SCHEMA, rationale=False), AnswerFormat(SCHEMA, "row", rationale=False)


def changes(*pairs):
    return json.dumps({"changes": [{"feature": name, "value": value} for name, value in pairs]})


@pytest.mark.parametrize(
    "around", ["{}", " \n{}\t\n ", "```json\n{}\n```", "```\n{}\n```", "\n```JSON \r\n{}\r\n```\n"]
)
def test_white_space_and_one_fence_are_overlooked(around):
    text = around.replace("{}", changes(("glucose", 95)))
    proposal = parse_answer(text, EDITS, FACTUAL)
    assert proposal.row == {**FACTUAL, "glucose": 95.0}
    assert proposal.changed == ("glucose",)


@pytest.mark.parametrize(
    ("name", "value", "verdict"),
    [
        ("glucose", 5000, Reason.OUTSIDE_HARD_BOUNDS),
        ("glucose", 170, Reason.WRONG_DIRECTION),
        ("age", 30, Reason.IMMUTABLE_CHANGED),
        ("daily_steps", 9000.5, Reason.NOT_AN_INTEGER),
        ("daily_steps", 9000.0, Reason.ADMITTED),
        ("daily_steps", 10**300, Reason.ADMITTED),
        ("drug", "aspirin", Reason.OUT_OF_VOCABULARY),
        ("drug", "", Reason.OUT_OF_VOCABULARY),
        ("glucose", 150, Reason.ADMITTED),
    ],
)
def test_what_is_definite_but_wrong_is_for_admission_to_reject(name, value, verdict):
    vector = SCHEMA.encode(_frame(FACTUAL))[0]
    for proposal in (
        parse_answer(changes((name, value)), EDITS, FACTUAL),
        parse_answer(json.dumps({**FACTUAL, name: value}), ROW, FACTUAL),
    ):
        assert proposal.changed == ((name,) if value != 150 else ())
        assert reason(SCHEMA, vector, proposal.row) == verdict


def test_no_change_is_an_answer():
    assert parse_answer('{"changes":[]}', EDITS, FACTUAL).changed == ()


# -- what says nothing -----------------------------------------------------------------------------------------------
def value(text):
    return '{"changes":[{"feature":"glucose","value":' + text + "}]}"


HOSTILE = {
    "nothing": ("", "empty"),
    "white space": (" \n ", "empty"),
    "a refusal": ("I cannot help with that.", "not JSON"),
    "an answer after talk": ("Sure! " + value("95"), "not JSON"),
    "talk after an answer": (value("95") + " Hope that helps!", "Extra data"),
    "two answers": (value("95") + value("90"), "Extra data"),
    "cut off": (value("95")[:-2], "not JSON"),
    "a comment": ('{"changes":[] /* none */}', "not JSON"),
    "single quotes": ("{'changes':[]}", "not JSON"),
    "a trailing comma": ('{"changes":[],}', "not JSON"),
    "a byte order mark": ("\ufeff" + value("95"), "not JSON"),
    "a fence left open": ("```json\n" + value("95"), "fence"),
    "a fence of Python": ("```python\n" + value("95") + "\n```", "fence"),
    "a fence within talk": ("Here:\n```json\n" + value("95") + "\n```", "not JSON"),
    "two fences": ("```json\n" + value("95") + "\n```\n```json\n" + value("95") + "\n```", "Extra data"),
    "an empty fence": ("```json\n```", "fence"),
    "fences alone": ("``````", "fence"),
    "a list": ("[]", "the answer is a list, not an object"),
    "null": ("null", "the answer is null"),
    "no changes": ("{}", "the answer has no 'changes'"),
    "more than was asked": ('{"changes":[],"rationale":""}', "the answer has 'rationale', which nobody asked for"),
    "changes as an object": ('{"changes":{"glucose":95}}', "the changes are an object, not a list"),
    "a change as a pair": ('{"changes":[["glucose",95]]}', "a change is a list"),
    "a change without a value": ('{"changes":[{"feature":"glucose"}]}', "a change has no 'value'"),
    "a change with a unit": ('{"changes":[{"feature":"glucose","value":95,"unit":"mg"}]}', "'unit'"),
    "a key twice": ('{"changes":[],"changes":[]}', "the key 'changes' twice"),
    "a key twice within": ('{"changes":[{"feature":"glucose","feature":"age","value":95}]}', "'feature' twice"),
    "an unknown feature": (changes(("Glucose", 95)), "no feature is called 'Glucose'"),
    "a feature as a number": (changes((3, 95)), "no feature is called a number"),
    "a feature as an object": (changes(({"name": "glucose"}, 95)), "no feature is called an object"),
    "a feature twice": (changes(("glucose", 95), ("glucose", 95)), "'glucose' is changed twice"),
    "NaN": (value("NaN"), "NaN is not a JSON number"),
    "Infinity": (value("Infinity"), "Infinity"),
    "-Infinity": (value("-Infinity"), "-Infinity"),
    "too large a number": (value("1e999"), "beyond what a float can hold"),
    "too large an integer": (value("9" * 5000), "beyond what a float can hold"),
    "a number as a string": (value('"95"'), "'glucose' is a string, not a number"),
    "a number with a unit": (value("95 mg/dL"), "not JSON"),
    "a range": (value("[90,95]"), "'glucose' is a list"),
    "null for a number": (value("null"), "'glucose' is null"),
    "true for a number": (value("true"), "'glucose' is true or false"),
    "a thousands separator": (value("1,000"), "not JSON"),
    "a leading zero": (value("095"), "not JSON"),
    "a plus sign": (value("+95"), "not JSON"),
    "a number for a level": (changes(("stage", 2)), "'stage' is a number, not a string"),
    "true for a level": (changes(("smoker", True)), "'smoker' is true or false"),
    "a level with NUL": (changes(("drug", "none\0")), "not text"),
    "a level with half a character": (changes(("drug", "\ud800")), "not text"),
    "a raw half character": ('{"changes":[{"feature":"drug","value":"\udfff"}]}', "not text"),
    "a raw NUL": ('{"changes":[]}\0', "Extra data"),
    "a raw line break in a string": ('{"changes":[{"feature":"drug","value":"a\nb"}]}', "not JSON"),
    "an unknown name with half a character": (changes(("\ud800", 1)), r"called '\\ud800'"),
    "deep nesting": ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
    "deep objects": ('{"a":' * 40_000, "nested too deeply|not JSON"),
    "megabytes": (" " * 3_000_000 + value("95"), "longer than"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_text_that_says_nothing_definite_is_unparsable(case):
    text, why = HOSTILE[case]
    started = time.perf_counter()
    with pytest.raises(Unparsable, match=why) as raised:
        parse_answer(text, EDITS, FACTUAL)
    assert time.perf_counter() - started < 2.0
    assert len(raised.value.why) < 200
    raised.value.why.encode()


def test_no_text_at_all_is_unparsable():
    with pytest.raises(Unparsable, match="empty"):
        parse_answer(None, EDITS, FACTUAL)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({k: v for k, v in FACTUAL.items() if k != "glucose"}, "the row has no 'glucose'"),
        ({**FACTUAL, "weight": 80}, "the row has 'weight', which nobody asked for"),
        ({"row": FACTUAL}, "the row has no 'age'"),
        ({**FACTUAL, "glucose": "95"}, "'glucose' is a string"),
        ({**FACTUAL, "drug": None}, "'drug' is null"),
    ],
)
def test_a_row_must_be_whole(row, why):
    with pytest.raises(Unparsable, match=why):
        parse_answer(json.dumps(row), ROW, FACTUAL)


@pytest.mark.parametrize("rationale", [None, 3, ["because"], "a\0b", "\ud800"])
def test_a_rationale_that_was_asked_for_must_be_text(rationale):
    with pytest.raises(Unparsable, match="rationale"):
        parse_answer(json.dumps({"changes": [], "rationale": rationale}), AnswerFormat(SCHEMA), FACTUAL)
    with pytest.raises(Unparsable, match="the answer has no 'rationale'"):
        parse_answer('{"changes":[]}', AnswerFormat(SCHEMA), FACTUAL)


@pytest.mark.parametrize(
    "filling",
    [
        "9" * LONGEST,
        "0." + "1" * LONGEST,
        '"' + "\\u00e9" * LONGEST,
        "[" * LONGEST,
        '{"a":0,' * LONGEST,
        "1e" + "9" * LONGEST,
        "[{}," * LONGEST,
    ],
)
def test_the_longest_texts_are_read_in_no_time(filling):
    text = value(filling)[: LONGEST - 4]
    started = time.perf_counter()
    for attempt in (text, text[:-20] + "}]}"):
        with contextlib.suppress(Unparsable):
            parse_answer(attempt, EDITS, FACTUAL)
    assert time.perf_counter() - started < 2.0


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([*SCHEMA.names, "I", "no"]),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from(["changes", "feature", "value", "row", *SCHEMA.names]), inner)
    ),
)


@given(
    st.one_of(
        st.text(st.characters(categories=None)),
        json_values.map(json.dumps),
        json_values.map(lambda v: json.dumps({"changes": [{"feature": "drug", "value": v}]})),
        st.tuples(st.integers(0, 60), st.integers(0, 9), st.text(max_size=3)).map(
            lambda cut: (t := value("95"))[: cut[0]] + cut[2] + t[cut[0] + cut[1] :]
        ),
    ),
    st.sampled_from([EDITS, ROW]),
)
def test_every_text_is_a_proposal_or_unparsable(text, answer):
    try:
        proposal = parse_answer(text, answer, FACTUAL)
    except Unparsable as refusal:
        assert refusal.why
    else:
        assert set(proposal.row) == set(FACTUAL)
        reason(SCHEMA, SCHEMA.encode(_frame(FACTUAL))[0], proposal.row)
