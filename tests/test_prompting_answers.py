"""What a model may answer and what is made of it: from JSON schema to admitted row, and back."""

import json

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st
from prompting_cases import COUNTERFACTUAL, FACTUAL, SCHEMA, frame, reason
from strategies import matrices, schemas

from sensecf_bench.admission import Reason
from sensecf_bench.prompting import AnswerFormat, answer_text, parse_answer

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
    read, meant = schema.encode(frame(proposal.row)), schema.encode(frame(wanted))
    assert not schema.changed(read, meant).any()
    assert reason(schema, meant[0], proposal.row) == Reason.ADMITTED  # so no bound was crossed by rounding
    assert answer_text(answer, row, proposal.row) == text


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
