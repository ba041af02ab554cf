"""Whatever a model says within the grammar can be read and breaks no rule: the harness's own parser and admission judge."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xgrammar
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_tables import tables
from sensecf_huggingface.constraint import Compiler
from sensecf_huggingface.decoding import Decoder, Decoding
from sensecf_huggingface.grammar import edit_list_grammar
from sensecf_huggingface.grammar.values import numbers
from transformers import AutoModelForCausalLM, AutoTokenizer
from xgrammar.testing import _is_grammar_accept_string

from sensecf_bench import Feature, FeatureSchema
from sensecf_bench.admission import Reason, broken_rules
from sensecf_bench.prompting import AnswerFormat, answer_text, parse_answer

SCHEMA = FeatureSchema(
    (
        Feature(name="age", kind="integer", bounds=(18, 120), mutable=False),
        Feature(name="steps", kind="integer", bounds=(0, 20000), direction="increase"),
        Feature(name="glucose", kind="continuous", bounds=(40, 400), precision=0.1, direction="decrease"),
        Feature(name="sleep", kind="continuous", bounds=(0, 100), precision=0.5),
        Feature(name="smoker", kind="binary", levels=("no", "yes"), direction="decrease"),
        Feature(name="stage", kind="ordinal", levels=("I", "II", "III"), direction="increase"),
        Feature(name="drug", kind="categorical", levels=("none", 'statin "<10" mg', "β\\blocker")),
    )
)
ROW = {"age": 50, "steps": 4000, "glucose": 150.04, "sleep": 30.1, "smoker": "yes", "stage": "II", "drug": "none"}


def accepts(schema, row, text, rationale=False, **more):
    grammar = edit_list_grammar(schema, row, rationale=rationale, **more)
    return grammar is not None and _is_grammar_accept_string(xgrammar.Grammar.from_ebnf(grammar.text), text)


def edits(**values):
    written = [f'{{"feature":"{name}","value":{value}}}' for name, value in values.items()]
    return f'{{"changes":[{",".join(written)}]}}'


@pytest.mark.parametrize(
    ("values", "allowed"),
    [
        ({"steps": 4001}, True),
        ({"steps": 20000}, True),
        ({"steps": 20001}, False),
        ({"steps": 4000}, False),
        ({"steps": 3999}, False),
        ({"steps": "4500.5"}, False),
        ({"glucose": 149.9}, True),
        ({"glucose": "150"}, False),  # 0.04 less is no change at a precision of 0.1
        ({"glucose": "149.95"}, False),
        ({"glucose": 40}, True),
        ({"glucose": 39.9}, False),
        ({"sleep": 30.1}, True),  # may rise and fall, so that its grammar serves all rows
        ({"sleep": 100}, True),
        ({"sleep": 100.1}, False),
        ({"smoker": '"no"'}, True),
        ({"smoker": '"yes"'}, False),
        ({"stage": '"III"'}, True),
        ({"stage": '"II"'}, False),
        ({"drug": '"statin \\"<10\\" mg"'}, True),
        ({"drug": '"β\\\\blocker"'}, True),
        ({"drug": '"aspirin"'}, False),
        ({"age": 51}, False),
        ({"height": 51}, False),
        ({}, False),
        ({"steps": 5000, "glucose": 90, "drug": '"none"'}, True),
        ({"glucose": 90, "steps": 5000}, False),  # in the schema's order
    ],
)
def test_what_an_edit_may_say(values, allowed):
    assert accepts(SCHEMA, ROW, edits(**values)) == allowed


def test_a_feature_twice_is_not_allowed():
    twice = '{"changes":[{"feature":"sleep","value":1},{"feature":"sleep","value":2}]}'
    assert not accepts(SCHEMA, ROW, twice)
    assert accepts(SCHEMA, ROW, twice.replace(',{"feature":"sleep","value":2}', ""))


def test_a_rationale_is_bounded_and_only_there_when_asked_for():
    answer = '{"changes":[{"feature":"sleep","value":1}],"rationale":"%s"}'
    assert accepts(SCHEMA, ROW, answer % "because", rationale=True)
    assert accepts(SCHEMA, ROW, answer % (240 * "é"), rationale=True)
    assert not accepts(SCHEMA, ROW, answer % (241 * "é"), rationale=True)
    assert not accepts(SCHEMA, ROW, answer % "because")
    for said in ('"', "\n", "\0", "\\u0000", "\\ud800", "\\x"):
        assert not accepts(SCHEMA, ROW, answer % said, rationale=True)
    for said in ('\\"', "\\n", "\\u003c", "\\ud7ff", "\\ue000", "<", "日本"):
        assert accepts(SCHEMA, ROW, answer % said, rationale=True)


def test_the_longest_answer_is_no_longer_than_said():
    longest = edits(steps=19999, glucose=149.8, sleep=99.9, smoker='"no"', stage='"III"', drug='"statin \\"<10\\" mg"')
    grammar = edit_list_grammar(SCHEMA, ROW, rationale=False)
    assert accepts(SCHEMA, ROW, longest)
    assert len(longest.encode()) <= grammar.longest <= len(longest.encode()) + 30


def test_whoever_can_go_nowhere_gets_no_grammar():
    schema = FeatureSchema(
        (
            Feature(name="age", kind="integer"),
            Feature(name="a", kind="continuous", bounds=(0, 10), precision=0.1, direction="increase"),
            Feature(name="b", kind="binary", levels=("no", "yes"), direction="decrease"),
        )
    )
    schema = FeatureSchema((schema.features[0].model_copy(update={"mutable": False}), *schema.features[1:]))
    at_the_end = {"age": 4, "a": 9.97, "b": "no"}
    assert edit_list_grammar(schema, at_the_end, rationale=True) is None
    assert edit_list_grammar(schema, {**at_the_end, "a": 9.9}, rationale=True) is not None
    assert edit_list_grammar(schema, {**at_the_end, "b": "yes"}, rationale=True) is not None


LOW, HIGH = [20, 100, 60, 20, 0, 0, 0], [90, 9000, 200, 45, 1, 2, 2]
SEEN = SCHEMA.with_scales(np.array([LOW, HIGH], dtype=float))


@pytest.mark.parametrize(
    ("values", "allowed"),
    [
        ({"glucose": 200, "sleep": 45}, True),
        ({"glucose": 60, "sleep": 20}, True),
        ({"steps": 5000, "glucose": 150.5, "sleep": 30.5, "drug": '"none"'}, True),
        ({"glucose": 200.1, "sleep": 45}, False),  # within hard bounds, beyond the training rows
        ({"glucose": 200, "sleep": 45.5}, False),
        ({"glucose": 200, "sleep": 19.5}, False),
        ({"glucose": 200}, False),
        ({"sleep": 45}, False),
        ({"steps": 5000}, False),
        ({"steps": 5000, "glucose": 150.5, "drug": '"none"'}, False),
        ({"glucose": 200, "sleep": 45, "steps": 5000}, False),
        ({}, False),
    ],
)
def test_what_has_to_be_mended_is_in_every_answer_and_inside(values, allowed):
    row = {**ROW, "glucose": 260.0, "sleep": 80.0}
    assert accepts(SEEN, row, edits(**values), mended=("glucose", "sleep")) == allowed
    if "glucose" in values:
        assert accepts(SEEN, row, edits(**values)) or not allowed


def test_nothing_is_asked_to_be_mended_the_way_it_may_not_go():
    row = {**ROW, "steps": 15000}  # may only rise, and nobody in training walks as much
    assert accepts(SEEN, row, edits(glucose=100), mended=("steps",))
    assert not accepts(SEEN, row, edits(steps=9000, glucose=100), mended=("steps",))
    assert accepts(SEEN, row, edits(sleep=45), mended=("age", "steps"))
    assert accepts(SEEN, row, edits(steps=16000), mended=("steps",))  # as without


@pytest.mark.parametrize("mended", [("steps",), ("drug",), ("steps", "glucose", "sleep", "drug")])
def test_first_last_and_all_can_be_what_has_to_be_mended(mended):
    row = {**ROW, "steps": 50, "glucose": 260.0, "sleep": 10.0}
    values = {"steps": 200, "glucose": 120, "sleep": 30, "smoker": '"no"', "stage": '"III"', "drug": '"none"'}
    for kept in values:
        some = {name: value for name, value in values.items() if name in mended or name == kept}
        assert accepts(SEEN, row, edits(**some), mended=mended)
        without = {name: value for name, value in values.items() if name != kept}
        assert accepts(SEEN, row, edits(**without), mended=mended) == (kept not in mended)


def test_rows_share_a_grammar_unless_a_direction_parts_them():
    free = FeatureSchema(tuple(f.model_copy(update={"direction": "any"}) for f in SCHEMA.features))
    other = {**ROW, "age": 20, "steps": 1, "glucose": 50.0, "stage": "I"}
    texts = [[edit_list_grammar(s, row, rationale=True).text for row in (ROW, other)] for s in (free, SCHEMA)]
    assert texts[0][0] == texts[0][1]
    assert texts[1][0] != texts[1][1]


def test_the_answers_that_examples_show_are_in_the_grammar():
    counterfactual = {**ROW, "steps": 9000, "glucose": 95.0, "sleep": 42.5, "drug": 'statin "<10" mg'}
    for rationale in (False, True):
        text = answer_text(AnswerFormat(SCHEMA, rationale=rationale), ROW, counterfactual)
        assert accepts(SCHEMA, ROW, text, rationale)


@pytest.mark.parametrize(
    ("bounds", "precision", "least", "most", "decimals"),
    [
        ((0.25, 0.29), 0.1, 25, 29, 2),  # no multiple of the precision lies between
        ((0.1, 0.9), 10.0, 1, 9, 1),
        ((0, 1), 1e-12, 0, 10**12, 12),
        ((0, 10**6), 1e-300, 0, 10**16, 10),  # what a float can tell apart
        ((0, 50), None, 0, 50 * 10**4, 4),
        ((1e-20, 2e-20), None, 100000, 200000, 25),
        ((None, 5), 1.0, -99, 5, 0),
        ((None, None), 1.0, -(10**15 - 1), 10**15 - 1, 0),
    ],
)
def test_how_fine_and_how_far_numbers_go(bounds, precision, least, most, decimals):
    feature = Feature(name="x", kind="continuous", bounds=bounds, precision=precision)
    grid = numbers(FeatureSchema((feature,)), feature, {"x": 0.0})
    assert (grid.first, grid.last, grid.decimals) == (least, most, decimals)


def test_unbounded_numbers_go_a_digit_beyond_the_training_rows():
    feature = Feature(name="x", kind="integer", bounds=(0, None))
    schema = FeatureSchema((feature,)).with_scales(np.array([[3.0], [870.0]]))
    grid = numbers(schema, feature, {"x": 5})
    assert (grid.first, grid.last) == (0, 9999)


def test_no_integer_between_the_bounds_is_no_edit():
    feature = Feature(name="x", kind="integer", bounds=(0.2, 0.8))
    assert edit_list_grammar(FeatureSchema((feature,)), {"x": 0}, rationale=False) is None


# -- the property ------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module", params=["llama_folder", "mistral_folder"])
def random_model(request):
    folder = request.getfixturevalue(request.param)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa").eval()
    return SimpleNamespace(model=model, tokenizer=tokenizer, stop_ids=(tokenizer.eos_token_id,))


def test_answers_of_a_random_model_are_read_and_break_no_rule(random_model):
    counted = asked_and_judged(random_model, tables_of=16, tables_asked=10)
    assert counted["answered"] >= 50, counted
    assert counted["mended"] > 0, counted


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_so_are_a_thousand(random_model):
    """Half of them put to each model."""
    counted = asked_and_judged(random_model, tables_of=20, tables_asked=36)
    assert counted["answered"] >= 500, counted
    assert counted["sampled"] > counted["answered"] / 4, counted
    assert counted["changed"] > counted["answered"] / 2, counted
    assert counted["mended"] > counted["answered"] / 20, counted


def asked_and_judged(random_model, tables_of, tables_asked):
    """How many queries were answered, after every answer was read and judged.

    Tables are asked greedily and at temperature 1.5 in turns, some with a rationale. Rows without a possible edit do not count.
    """
    compiler, decoder, rng = Compiler(random_model), Decoder(random_model), np.random.default_rng(0)
    counted = {"tables": 0, "answered": 0, "sampled": 0, "changed": 0, "mended": 0}

    @settings(
        max_examples=tables_asked,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(tables(tables_of), st.sampled_from([False, False, False, True]))
    def ask(table, rationale):
        counted["tables"] += 1
        temperature = 1.5 * (counted["tables"] % 2)
        schema, matrix = table
        rows = schema.decode(matrix).to_dict("records")
        beyond = strays(schema, matrix)
        asked = [
            (i, grammar)
            for i, row in enumerate(rows)
            if (grammar := edit_list_grammar(schema, row, rationale=rationale, mended=beyond[i]))
        ]
        prompts = [rng.integers(10, 250, 6).tolist() for _ in asked]
        how = Decoding(max((grammar.longest for _, grammar in asked), default=1), temperature=temperature)
        compiled = [compiler.compile(grammar) for _, grammar in asked]
        answers = decoder.decode(prompts, compiled, [i for i, _ in asked], how)
        for (i, _), (answer,) in zip(asked, answers, strict=True):
            assert answer.finished, answer
            proposal = parse_answer(answer.text, AnswerFormat(schema, "edits", rationale), rows[i])
            after = np.array([coded(f, proposal.row[f.name]) for f in schema.features])
            for reason, broken in broken_rules(schema, matrix[i][None], after[None]).items():
                assert not broken.any(), (reason, answer.text, rows[i])
            for feature in (f for f in schema.features if f.name in beyond[i] and f.direction == "any"):
                j = schema.names.index(feature.name)
                assert schema.in_training_range(after[None])[0, j], (feature.name, answer.text, rows[i])
                counted["mended"] += 1
            counted["answered"] += 1
            counted["sampled"] += temperature > 0
            counted["changed"] += bool(proposal.changed)

    ask()
    return counted


def strays(schema, matrix):
    """Of each row the names of the mutable numbers that lie beyond the training rows."""
    if schema.scales is None:
        return [()] * len(matrix)
    away = ~schema.in_training_range(matrix) & schema.numeric & schema.mutable
    return [tuple(np.array(schema.names, dtype=object)[some]) for some in away]


def coded(feature, value):
    return float(value) if feature.is_numeric else float(feature.levels.index(value))


def test_the_judges_of_the_property_see_what_is_wrong():
    factual = np.array([[50.0, 4000, 150, 30, 1, 1, 0]])
    wrong = np.array([[51.0, 3999, 401, 30.5, 1, 1, 0]])
    broken = {reason for reason, mask in broken_rules(SCHEMA, factual, wrong).items() if mask.any()}
    assert broken == {Reason.IMMUTABLE_CHANGED, Reason.WRONG_DIRECTION, Reason.OUTSIDE_HARD_BOUNDS}
