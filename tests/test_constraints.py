"""Linear constraints between features: what they are, who keeps them, and what becomes of rows that do not."""

import hashlib
import json
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from strategies import WIDEST, matrices, schemas

from sensecf_bench import api
from sensecf_bench.admission import Reason, admit, broken_rules
from sensecf_bench.contracts import Dataset, Feature, FeatureSchema, LinearConstraint, QueryBatch, Table
from sensecf_bench.datasets.table import UserTable
from sensecf_bench.engine.context import prepare_data
from sensecf_bench.errors import SchemaError
from sensecf_bench.prompting import Brief, Prompt, choose_shots
from sensecf_bench.schema import QUERY_ID

FEATURES = (
    Feature(name="deep", kind="continuous", unit="%", bounds=(0, 100), precision=0.5),
    Feature(name="rem", kind="continuous", unit="%", bounds=(0, 100), precision=0.5),
    Feature(name="steps", kind="integer", bounds=(0, None)),
    Feature(name="smoker", kind="binary", levels=("no", "yes")),
)
SHARES = LinearConstraint(
    name="sleep-shares", coefficients={"deep": 1, "rem": 1}, most=100, description="light sleep is the rest"
)
SCHEMA = FeatureSchema(FEATURES, constraints=(SHARES,))
WITHOUT = FeatureSchema(FEATURES)
FACTUAL = np.array([[30.0, 40.0, 5000, 1]])


# -- the record --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"coefficients": {}}, "constraint 'x' has no coefficients"),
        ({"coefficients": {"deep": 0}}, "constraint 'x': the coefficient of 'deep' is 0"),
        ({"coefficients": {"deep": float("inf")}}, "finite number"),
        ({"coefficients": {"deep": float("nan")}}, "finite number"),
        ({"coefficients": {"deep": "much"}}, "valid number"),
        ({"most": float("nan")}, "finite number"),
        ({"name": ""}, "String should match pattern"),
        ({"name": "sleep shares"}, "String should match pattern"),
        ({"name": "x" * 61}, "at most 60 characters"),
        ({"least": 3}, "Extra inputs are not permitted"),
    ],
)
def test_a_constraint_that_says_nothing_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        LinearConstraint(**{"name": "x", "coefficients": {"deep": 1}, "most": 1, **changes})


@pytest.mark.parametrize(
    ("constraints", "message"),
    [
        ((SHARES, SHARES), "constraint named twice: sleep-shares"),
        ((LinearConstraint(name="x", coefficients={"depth": 1}, most=1),), "'x' is about 'depth', which is no feature"),
        ((LinearConstraint(name="x", coefficients={"smoker": 1}, most=1),), "'x' is about 'smoker', which is binary"),
    ],
)
def test_a_constraint_that_does_not_fit_the_features_is_refused(constraints, message):
    with pytest.raises(SchemaError, match=message):
        FeatureSchema(FEATURES, constraints=constraints)


@pytest.mark.parametrize(
    ("coefficients", "most", "words"),
    [
        ({"deep": 1, "rem": 1}, 100, "deep + rem is at most 100"),
        ({"deep": 1}, 0.5, "deep is at most 0.5"),
        ({"deep": -1, "rem": -1}, -20, "deep + rem is at least 20"),
        ({"deep": -1}, 0, "deep is at least 0"),
        ({"diastolic": 1, "systolic": -1}, -10, "diastolic - systolic is at most -10"),
        ({"deep": -2, "rem": 0.5}, 1e20, "- 2 × deep + 0.5 × rem is at most 1e+20"),
    ],
)
def test_a_constraint_in_words(coefficients, most, words):
    constraint = LinearConstraint(name="x", coefficients=coefficients, most=most)
    assert constraint.in_words() == words
    assert constraint.model_copy(update={"description": "so it is"}).in_words() == f"{words}: so it is"


def test_what_is_kept_by_hand():
    rows = np.array([[60, 40], [60, 40 + 1e-9], [60, 40.001], [100, 100], [0, 0], [np.nan, 200]], dtype=float)
    rows = np.column_stack([rows, np.zeros((6, 2))])
    assert SCHEMA.keeps(rows).tolist() == [True, True, False, False, True, True]
    assert WITHOUT.keeps(rows).all()
    assert SHARES.excess(rows[:, :2])[[0, 3]].tolist() == [0, 1]  # (200 - 100) / 100


@pytest.mark.parametrize("values", [[1e308, 1e308], [-1e308, -1e308], [1.7e308, -1.7e308]])
def test_a_sum_beyond_what_a_float_holds_is_no_pass(values):
    constraint = LinearConstraint(name="x", coefficients={"deep": 10, "rem": 10}, most=100)
    assert constraint.excess(np.array([values])).tolist() == [np.inf]


# -- identity ----------------------------------------------------------------------------------------------------------
def test_a_schema_without_constraints_keeps_the_fingerprint_it_always_had():
    scaled = WITHOUT.with_scales(np.array([[30.0, 40.0, 5000, 1], [31.0, 41.0, 5001, 0]]))
    features = [f.model_dump(mode="json") for f in FEATURES]
    scales = [[30.0, 40.0, 5000.0, 0.0], [31.0, 41.0, 5001.0, 1.0]]
    payload = json.dumps({"features": features, "scales": scales}, sort_keys=True)
    assert scaled.fingerprint == hashlib.sha256(payload.encode()).hexdigest()
    assert scaled.to_json() == {"features": features}


@pytest.mark.parametrize(
    "changes", [{"name": "y"}, {"coefficients": {"deep": 1, "rem": 2}}, {"most": 99}, {"description": ""}]
)
def test_whatever_a_constraint_says_is_part_of_the_fingerprint(changes):
    other = FeatureSchema(FEATURES, constraints=(SHARES.model_copy(update=changes),))
    assert len({WITHOUT.fingerprint, SCHEMA.fingerprint, other.fingerprint}) == 3


@st.composite
def constrained(draw):
    """A schema of any kinds with at least one numeric feature and a constraint over some of them."""
    schema = draw(schemas().filter(lambda s: s.numeric.any()))
    names = draw(st.lists(st.sampled_from(np.array(schema.names)[schema.numeric].tolist()), min_size=1, unique=True))
    sizes = st.floats(-1e3, 1e3).filter(lambda c: abs(c) > 1e-3)
    coefficients = {name: draw(sizes) for name in names}
    most = draw(st.floats(-WIDEST, WIDEST))
    constraint = LinearConstraint(name="rule", coefficients=coefficients, most=most)
    return FeatureSchema(schema.features, constraints=(constraint,))


@settings(max_examples=60, deadline=None)
@given(constrained())
def test_constraints_survive_json_yaml_and_scales(schema):
    for content in (json.loads(json.dumps(schema.to_json())), yaml.safe_load(yaml.safe_dump(schema.to_json()))):
        again = FeatureSchema.from_json(content)
        assert again.constraints == schema.constraints
        assert again.fingerprint == schema.fingerprint
    scaled = schema.with_scales(np.zeros((2, len(schema))))
    assert scaled.constraints == schema.constraints


# -- admission ---------------------------------------------------------------------------------------------------------
def queries(schema=SCHEMA, matrix=FACTUAL):
    n = len(matrix)
    ids = tuple(f"q{i}" for i in range(n))
    return QueryBatch(schema, ids, matrix, np.ones(n, np.int64), np.zeros(n, np.int64), np.arange(n, dtype=np.uint64))


def admitted(asked=None, **changes):
    row = {"deep": 30.0, "rem": 40.0, "steps": 5000, "smoker": "yes", **changes}
    columns = {name: np.array([value], dtype=object) for name, value in {QUERY_ID: "q0", **row}.items()}
    answer = admit(columns, asked or queries(), k=1)
    return answer.reasons[0], answer.details[0]


@pytest.mark.parametrize(
    ("changes", "reason", "detail"),
    [
        ({"deep": 60.0}, "", ""),
        ({"deep": 60.5}, "breaks-constraint:sleep-shares", "deep: 60.5, rem: 40.0"),
        ({"deep": 80, "rem": 70, "steps": 1}, "breaks-constraint:sleep-shares", "deep: 80, rem: 70"),
        ({"deep": 101.0}, Reason.OUTSIDE_HARD_BOUNDS, "deep: 101.0"),
        ({"deep": 99.0, "steps": 0.5}, Reason.NOT_AN_INTEGER, "steps: 0.5"),
        ({"deep": 99.0, "rem": None}, Reason.NOT_A_NUMBER, "rem: None"),
        ({"deep": 99.0, "smoker": "maybe"}, Reason.OUT_OF_VOCABULARY, "smoker: 'maybe'"),
    ],
)
def test_a_row_that_breaks_a_constraint_is_rejected_after_every_other_rule(changes, reason, detail):
    assert admitted(**changes) == (reason, detail)


def test_the_first_broken_constraint_is_recorded():
    half = LinearConstraint(name="half", coefficients={"deep": 1}, most=50)
    both = queries(FeatureSchema(FEATURES, constraints=(half, SHARES)))
    assert admitted(both, deep=70.0) == ("breaks-constraint:half", "deep: 70.0")
    assert admitted(both, rem=70.5) == ("breaks-constraint:sleep-shares", "deep: 30.0, rem: 70.5")


def test_copying_values_as_a_prompt_writes_them_breaks_nothing():
    tight = queries(matrix=np.array([[33.26, 66.74, 5000, 1]]))
    written = {"deep": 33.5, "rem": 66.75}  # at most half a step each
    assert admitted(tight, **written, steps=9000) == ("", "")
    assert admitted(tight, **{**written, "deep": 34.0})[0] == "breaks-constraint:sleep-shares"


def test_all_features_of_a_broken_constraint_are_at_fault():
    broken = broken_rules(SCHEMA, FACTUAL, np.array([[70.0, 40.0, 5000, 1]]))
    assert broken["breaks-constraint:sleep-shares"].tolist() == [[True, True, False, False]]
    assert not any(mask.any() for reason, mask in broken.items() if isinstance(reason, Reason))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_row_is_rejected_when_its_exact_sum_is_beyond_the_limit(data):
    schema = data.draw(constrained())
    rows = data.draw(matrices(schema, most=1))
    factual = np.where(schema.numeric, rows + 1e5, rows)  # far enough for every feature to be changed
    (constraint,) = schema.constraints
    terms = [Fraction(c) * Fraction(rows[0, schema.names.index(n)]) for n, c in constraint.coefficients.items()]
    beyond = sum(terms) - Fraction(constraint.most)
    slack = Fraction(1e-9) * max(1, *(abs(t) for t in terms), 1)
    (row_broken,) = broken_rules(schema, factual, rows)["breaks-constraint:rule"].any(axis=1)
    assert row_broken == (not schema.keeps(rows)[0])
    if abs(beyond - slack) > slack / 1000:  # otherwise the last bit decides
        assert row_broken == (beyond > slack)


# -- data that break their own constraint --------------------------------------------------------------------------------
class Sleepers(Dataset):
    """Forty made-up people whose deep and REM sleep take at most three quarters of the night."""

    name = "sleepers"
    most = 75.0

    def load(self):
        rng = np.random.default_rng(3)
        deep, rem = rng.uniform(5, 45, 40), rng.uniform(5, 30, 40)
        frame = pd.DataFrame(
            {"deep": deep, "rem": rem, "steps": rng.integers(0, 9000, 40), "smoker": ["no", "yes"] * 20}
        )
        constraint = LinearConstraint(name="night", coefficients={"deep": 1, "rem": 1}, most=self.most)
        return Table(
            name=self.name,
            schema=FeatureSchema(FEATURES, constraints=(constraint,)),
            frame=frame,
            outcome=(deep + rem < 40).astype(np.int64),
            ids=tuple(f"p{i}" for i in range(40)),
            classes=("rested", "tired"),
            undesired=1,
        )


class Overslept(Sleepers):
    """The same, with a constraint that some of them break."""

    most = 60.0


def test_a_table_that_breaks_its_own_constraint_is_refused_naming_the_row():
    table = Overslept().load()
    total = table.frame["deep"] + table.frame["rem"]
    first = table.ids[int(np.argmax(total > 60))]
    with pytest.raises(SchemaError) as caught:
        prepare_data(Overslept(), seed=0)
    assert f"{(total > 60).sum()} row(s) break the constraint 'night' (deep + rem is at most 60)" in str(caught.value)
    assert f"the first of them {first!r} (deep: " in str(caught.value)
    assert prepare_data(Sleepers(), seed=0).schema.constraints[0].name == "night"


# -- a user's own table --------------------------------------------------------------------------------------------------
@pytest.fixture
def table_file(tmp_path):
    def write(*constraints):
        table = Sleepers().load()
        table.frame.assign(state=np.array(["rested", "tired"])[table.outcome]).to_csv(tmp_path / "p.csv", index=False)
        content = {
            "name": "sleepers",
            "file": "p.csv",
            "target": "state",
            "classes": ["rested", "tired"],
            "undesired": "tired",
            "features": WITHOUT.to_json()["features"],
            "constraints": list(constraints),
        }
        path = tmp_path / "p.yaml"
        path.write_text(yaml.safe_dump(content), encoding="utf-8")
        return path

    return write


NIGHT = {"name": "night", "coefficients": {"deep": 1, "rem": 1}, "most": 75, "description": "the rest is light"}


def test_constraints_are_read_from_a_table_s_yaml(table_file):
    schema = UserTable(UserTable.Options(schema_file=table_file(NIGHT))).load().schema
    assert schema.constraints == (LinearConstraint(**NIGHT),)
    assert not UserTable(UserTable.Options(schema_file=table_file())).load().schema.constraints


@pytest.mark.parametrize(
    ("constraint", "message"),
    [
        ({**NIGHT, "coefficients": {"depth": 1}}, "p.yaml: constraint 'night' is about 'depth', which is no feature"),
        ({**NIGHT, "coefficients": {"smoker": 1}}, "p.yaml: constraint 'night' is about 'smoker', which is binary"),
        ({**NIGHT, "coefficients": {"deep": "a lot"}}, r"constraints\.night\.coefficients\.deep: .*valid number"),
        ({**NIGHT, "coefficients": {}}, r"constraints\.night: constraint 'night' has no coefficients"),
        ({**NIGHT, "mots": 3}, r"constraints\.night: unknown field 'mots'; did you mean 'most'\?"),
        ({k: v for k, v in NIGHT.items() if k != "most"}, r"constraints\.night\.most: Field required"),
        ({**NIGHT, "most": float("inf")}, r"constraints\.night\.most: .*finite number"),
    ],
)
def test_a_wrong_constraint_in_a_yaml_is_named(table_file, constraint, message):
    with pytest.raises(SchemaError, match=message):
        UserTable(UserTable.Options(schema_file=table_file(constraint))).load()


# -- prompts -------------------------------------------------------------------------------------------------------------
def brief(schema, rules=()):
    data = prepare_data(Sleepers(), seed=0)
    rows, labels = data.matrix[data.train], data.labels[data.train]
    return Brief.of(schema.with_scales(rows), ("rested", "tired"), 0, rows, labels, rules)


@pytest.mark.parametrize("style", ["edits", "row"])
def test_a_prompt_states_the_constraints_and_then_what_a_plugin_adds(style):
    def prefix(stated):
        return "\n".join(message["content"] for message in Prompt.of(stated, style).prefix())

    with_both = prefix(brief(SCHEMA, ["Be kind."]))
    assert '- "deep + rem is at most 100: light sleep is the rest"\n- "Be kind."' in with_both
    assert "keeps these rules" in with_both
    assert "keeps these rules" not in prefix(brief(WITHOUT))


def test_examples_keep_the_constraints_where_those_without_would_break_them():
    data = prepare_data(Sleepers(), seed=0)
    rows = data.matrix[data.train]

    def rested(matrix):  # more of either kind of sleep is better, without end
        return (matrix[:, 0] + matrix[:, 1] < 55).astype(np.int64)

    def shown(most):
        limit = LinearConstraint(name="night", coefficients={"deep": 1, "rem": 1}, most=most)
        schema = FeatureSchema(FEATURES, constraints=(limit,)).with_scales(rows)
        shots = choose_shots(schema, rows, rested(rows), rested, target=0, n=20, seed=0)
        return [shot.counterfactual["deep"] + shot.counterfactual["rem"] for shot in shots]

    free, bound = shown(1e9), shown(57.0)
    assert max(free) > 57 and bound and max(bound) <= 57
    assert len(bound) <= len(free)


# -- across processes ------------------------------------------------------------------------------------------------------
def test_a_generator_sees_the_constraints_and_a_run_stores_who_broke_which(tmp_path, table_file):
    plugin = tmp_path / "sleepy.py"
    plugin.write_text(SLEEPY, encoding="utf-8")
    config = api.RunConfig(
        datasets=(f"table:{table_file(NIGHT)}",),
        classifiers=("svm",),
        generators=("sleepy",),
        plugins=(plugin,),
        queries=4,
        resamples=100,
        augmentation="off",
    )
    (row,) = api.run(config, tmp_path / "run").document["rows"]
    (cell,) = (tmp_path / "run" / "cells").iterdir()
    reasons = pd.read_parquet(cell / "rows.parquet")["cf_reason"].tolist()
    asked = len(reasons)
    assert asked >= 2
    assert sorted(reasons) == [*[""] * (asked - 1), "breaks-constraint:night"]
    assert set(pd.read_parquet(cell / "queries.parquet")["cf_reason"]) == {"", "breaks-constraint:night"}
    assert json.loads((cell / "record.json").read_text())["outcomes"]["REJECTED"] == 1
    assert row["metrics"]["actionability"]["value"] == pytest.approx((asked - 1) / asked)


SLEEPY = '''
from sensecf_bench import Generator, hookimpl


class Sleepy(Generator):
    """Sends one person to sleep for longer than the night, and the others as long as the schema lets them."""

    name = "sleepy"
    batch_size = None

    def generate(self, queries):
        (night,) = self.task.schema.constraints
        frame = queries.frame.reset_index()
        frame["rem"] = 30.0
        frame["deep"] = night.most - 30.0
        assert queries.schema.keeps(queries.schema.encode(frame)).all()
        frame.loc[0, "deep"] += 1.0
        assert queries.schema.keeps(queries.schema.encode(frame)).sum() == len(frame) - 1
        return frame


@hookimpl
def sensecf_generators():
    return [Sleepy]
'''


def test_constraints_hold_where_pydantic_is_stood_in_for():
    code = (
        "import sys, json, importlib\nimport numpy as np\n"
        "sys.modules['pydantic'] = importlib.import_module('sensecf_bench.foreign.pydantic_stand_in')\n"
        "from sensecf_bench.schema import FeatureSchema\n"
        "schema = FeatureSchema.from_json(json.loads(sys.argv[1]))\n"
        "kept = schema.keeps(np.array([[60.0, 40.0, 0, 0], [60.5, 40.0, 0, 0]]))\n"
        "print(json.dumps([kept.tolist(), schema.to_json()]))"
    )
    told = json.dumps(SCHEMA.to_json())
    done = subprocess.run([sys.executable, "-c", code, told], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [[True, False], SCHEMA.to_json()]
