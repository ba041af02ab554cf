"""Reading answers: what is overlooked, what is left for admission to reject, and every text that says nothing."""

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompting_cases import FACTUAL, SCHEMA, frame, reason

from sensecf_bench.admission import Reason
from sensecf_bench.prompting import AnswerFormat, Unparsable, parse_answer
from sensecf_bench.prompting.parsing import LONGEST

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
    vector = SCHEMA.encode(frame(FACTUAL))[0]
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
    started = time.process_time()
    with pytest.raises(Unparsable, match=why) as raised:
        parse_answer(text, EDITS, FACTUAL)
    assert time.process_time() - started < 2.0
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
    started = time.process_time()
    for attempt in (text, text[:-20] + "}]}"):
        with contextlib.suppress(Unparsable):
            parse_answer(attempt, EDITS, FACTUAL)
    assert time.process_time() - started < 2.0


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
        reason(SCHEMA, SCHEMA.encode(frame(FACTUAL))[0], proposal.row)
