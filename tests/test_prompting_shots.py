"""Few-shot examples: from training rows, confirmed, by the rules; and what answers cost in tokens."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import tables

from sensecf_bench.admission import broken_rules
from sensecf_bench.contracts import Generator
from sensecf_bench.prompting import AnswerFormat, Brief, Prompt, answer_text, choose_shots, parse_answer, row_text
from sensecf_bench.prompting.values import coded
from sensecf_bench.testing import local_setting

DOCS = Path(__file__).parent.parent / "docs" / "prompting.md"


class Shown(Generator):
    """Gives access to a task."""

    name = "shown"
    access = "training-data"

    def generate(self, queries):
        return None


@pytest.fixture(scope="module")
def setting():
    return local_setting("breast-cancer", "svm", queries=20)


@pytest.fixture(scope="module")
def task(setting):
    generator = setting.fit(Shown())
    yield generator.task


@pytest.fixture(scope="module")
def shots(task):
    return chosen(task)


def chosen(task, n=5, seed=0):
    predicted = task.predict(task.train_matrix)
    return choose_shots(task.schema, task.train_matrix, predicted, task.predict, task.target, n, seed)


def pairs(schema, shots):
    factuals = np.array([coded(schema, shot.factual) for shot in shots])
    return factuals, np.array([coded(schema, shot.counterfactual) for shot in shots])


def test_examples_are_confirmed_training_rows(task, shots):
    factuals, rows = pairs(task.schema, shots)
    assert len(shots) == 5
    for factual in factuals:
        same = ~task.schema.changed(task.train_matrix, np.broadcast_to(factual, task.train_matrix.shape)).any(axis=1)
        assert same.any()
    assert (task.predict(factuals) != task.target).all()
    assert (task.predict(rows) == task.target).all()


def test_every_change_of_an_example_is_needed(task, shots):
    for factual, row in zip(*pairs(task.schema, shots), strict=True):
        for j in np.flatnonzero(row != factual):
            without = row.copy()
            without[j] = factual[j]
            assert task.predict(without[None])[0] != task.target


def test_what_is_written_is_what_was_confirmed(task, shots):
    for style in ("edits", "row"):
        answer = AnswerFormat(task.schema, style)
        for shot in shots:
            read = parse_answer(answer_text(answer, shot.factual, shot.counterfactual), answer, shot.factual).row
            assert dict(read) == dict(shot.counterfactual)


def test_the_same_seed_gives_the_same_examples(task, shots):
    assert [vars(shot) for shot in chosen(task)] == [vars(shot) for shot in shots]
    assert [vars(shot) for shot in chosen(task, seed=1)] != [vars(shot) for shot in shots]
    assert chosen(task, n=0) == ()


def test_no_query_is_in_the_prefix(setting, task, shots):
    prompt = Prompt.of(
        Brief.of(task.schema, task.classes, task.target, task.train_matrix, task.train_labels), shots=shots
    )
    text = "\n".join(m["content"] for m in prompt.prefix())
    for query in setting.queries:
        shown = row_text(task.schema, query.row)
        assert shown not in text
        assert shown in prompt.messages(query.row)[-1]["content"]


@settings(deadline=None)
@given(tables(least=4, most=8))
def test_examples_break_no_rule(table):
    schema, rows = table
    middle = np.median(rows, axis=0)

    def predict(matrix):
        return ((matrix > middle).sum(axis=1) > (matrix < middle).sum(axis=1)).astype(np.int64)

    for target in (0, 1):
        shots = choose_shots(schema, rows, predict(rows), predict, target, 3, 0)
        if shots:
            factuals, counterfactuals = pairs(schema, shots)
            assert not any(mask.any() for mask in broken_rules(schema, factuals, counterfactuals).values())
            assert (predict(counterfactuals) == target).all()


# -- tokens ----------------------------------------------------------------------------------------------------------
def tokens(text):
    """About as many tokens as byte-pair encoders make of JSON."""
    return len(re.findall(r"[A-Za-z]+|\d{1,3}|[^\w\s]|_", text))


def test_a_list_of_changes_takes_at_most_half_the_tokens_of_a_row(task, shots):
    edits, row = AnswerFormat(task.schema, "edits"), AnswerFormat(task.schema, "row", rationale=False)
    counts = [[tokens(answer_text(form, shot.factual, shot.counterfactual)) for form in (edits, row)] for shot in shots]
    spent = np.array(counts, dtype=float)
    assert spent[:, 0].sum() <= 0.5 * spent[:, 1].sum()
    donor = task.train_matrix[task.train_labels == task.target][0]
    names = task.schema.names
    for k in range(1, 6):
        factual = shots[0].factual
        changed = {**factual, **dict(zip(names[:k], donor[:k].tolist(), strict=True))}
        assert tokens(answer_text(edits, factual, changed)) <= 0.5 * tokens(answer_text(row, factual, changed))


def test_the_example_in_the_docs_runs(setting, task):
    (source,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    query = next(iter(setting.queries))
    names = {"task": task, "query": query, "text": '{"changes":[],"rationale":"None is needed."}'}
    exec(source, names)
    assert names["prompt"].parse(names["text"], query.row).row == query.row


# -- imports ---------------------------------------------------------------------------------------------------------
def test_prompting_loads_neither_templates_nor_tables_until_asked():
    code = "import sys, sensecf_bench.prompting\nassert not {'jinja2', 'pandas', 'sklearn', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
