"""NICEx 0.2.3's answers, value for value."""

import json
from pathlib import Path

import numpy as np
import pytest
from nice_tables import TABLES, fit, reconstruction_error
from nice_tasks import answers_of, queries_of, schema_of, task_of
from sensecf_nice import Nice, NicePlausibility, NiceProximity, NiceSparsity
from sensecf_nice.reconstruction import ReconstructionError

GOLDEN = json.loads((Path(__file__).parent / "golden" / "nicex.json").read_text())
VARIANTS = {
    "none": Nice,
    "sparsity": NiceSparsity,
    "proximity": NiceProximity,
    "plausibility": NicePlausibility,
}


def table(name):
    parts = GOLDEN["tables"][name]
    return np.array(parts["rows"]), np.array(parts["labels"]), np.array(parts["asked"])


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda c: f"{c['table']}-{c['classifier']}-{c['variant']}")
@pytest.mark.parametrize("stock", [True, False])
def test_answers_are_those_of_nicex(case, stock):
    rows, labels, asked = table(case["table"])
    predict_proba = fit(case["classifier"], rows, labels)
    schema = schema_of(TABLES[case["table"]], rows)
    generator = VARIANTS[case["variant"]](VARIANTS[case["variant"]].Options(stock=stock))
    generator.fit(task_of(schema, rows, labels, predict_proba))

    answers = answers_of(generator, queries_of(schema, asked, predict_proba))

    assert np.array_equal(np.array([answers[f"q{i}"] for i in range(len(asked))]), np.array(case["answers"]))


def test_golden_cases_walk_more_than_one_step():
    """Golden values that a copy of the neighbour or a single step would meet could not fail."""
    for case in GOLDEN["cases"]:
        asked = table(case["table"])[2]
        changes = (np.array(case["answers"]) != asked).sum(axis=1)
        assert changes.max() > 1, case["variant"]
    differ = {tuple(map(tuple, case["answers"])) for case in GOLDEN["cases"] if case["table"] == "mixed"}
    assert len(differ) == sum(case["table"] == "mixed" for case in GOLDEN["cases"])


@pytest.mark.parametrize("name", TABLES)
def test_reconstruction_error_agrees_with_the_textbook(name):
    rows, _, asked = table(name)
    ours = ReconstructionError.of(schema_of(TABLES[name], rows), rows, 0.95)
    assert np.allclose(ours(asked), reconstruction_error(TABLES[name], rows)(asked), rtol=1e-9, atol=1e-12)
    assert ours(asked).min() > 0


def test_reconstruction_error_of_a_row_does_not_depend_on_its_company():
    rows, _, asked = table("numeric")
    error = ReconstructionError.of(schema_of(TABLES["numeric"], rows), rows, 0.95)
    assert np.array_equal(error(asked), np.concatenate([error(row[None]) for row in asked]))
