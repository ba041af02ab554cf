"""Nobody outside the training rows has a part in what is learnt: not in prompts, not in pretraining, not in targets.

Two ways to see it. Rows that may not be seen get values that nobody else has, and all text handed to training is searched
for them. And everything handed over stays the same, word for word, whatever those rows hold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace

import numpy as np
import pytest
from sensecf_huggingface.generators import LlamaTuned, MicroTuned
from sensecf_huggingface.tuning import examples, training

from sensecf_bench.engine.context import Explained, prepare_data
from sensecf_bench.prompting import row_text
from sensecf_bench.testing.tables import EasyTable, Rule

SEED = 0
MARKED = {0: 399.0, 1: 59.0}  # glucose and body mass index that no training row comes near
GENERATORS = ["llama-micro-ft", "llama-3.1-8b-ft"]


class MarkedTable(EasyTable):
    """The easy table, its test and validation rows each with a glucose and a body mass index of their own."""

    def load(self):
        table = super().load()
        matrix = table.schema.encode(table.frame)
        split = self.split(table, SEED)
        unseen = np.concatenate([split.validation, split.test])
        for j, start in MARKED.items():
            matrix[unseen, j] = start + (1 + np.arange(len(unseen)) % 9) / 10
        return replace(table, frame=table.schema.decode(matrix))


def explained(dataset):
    data = prepare_data(dataset(), SEED)
    model = Rule()
    model.fit(data.schema, data.matrix[data.train], data.labels[data.train], SEED)
    predicted = model.predict_proba(data.matrix[data.test]).argmax(axis=1)
    return Explained(data, model.name, model, predicted, {})


@dataclass(frozen=True)
class Handed:
    """What reached training: conversations to pretrain on and to learn from, and the prefix of every prompt."""

    conversations: tuple[str, ...]
    prefix: str

    @property
    def everything(self) -> str:
        return "\n".join([self.prefix, *self.conversations])


def person(text: str) -> str:
    """A row as prompts write it, without the braces around it."""
    found = re.search(r"\{(.*)\}", text)
    assert found
    return found[1]


def people(questions, rows) -> list[str]:
    """Rows of shape `(n, d)` as a question speaks of them."""
    return [person(messages[-1]["content"]) for messages in questions.messages(rows, np.full(len(rows), 0.5))]


class StoppedError(Exception):
    """Enough was seen."""


@pytest.fixture
def generator(request, llama_folder):
    if request.param == "llama-micro-ft":
        return MicroTuned(MicroTuned.Options(imagined=60))
    return LlamaTuned(LlamaTuned.Options(model=str(llama_folder), several=2, imagined=20))


@pytest.fixture
def handed(monkeypatch):
    """Fits a generator as far as training, and says what it would have been trained on."""
    real = examples.encode

    def look(generator, task) -> Handed:
        seen: list[str] = []

        def encode(loaded, conversations):
            listed = list(conversations)
            seen.extend("\n".join([*(m["content"] for m in messages), answer]) for messages, answer in listed)
            return real(loaded, listed)

        def fine_tune(*_, **__):
            raise StoppedError

        monkeypatch.setattr(examples, "encode", encode)
        monkeypatch.setattr(training, "pretrain", lambda *_, **__: None)
        monkeypatch.setattr(training, "fine_tune", fine_tune)
        with pytest.raises(StoppedError):
            generator.fit(task)
        prefix = "\n".join(m["content"] for m in generator.questions(task).prompt.prefix())
        return Handed(tuple(seen), prefix)

    return look


def task_of(setting, generator, folder, rows=None):
    """The task of a run; with `rows`, positions among the training rows, one from which scarcity has taken the others."""
    task = replace(setting.task(type(generator), folder), cache=folder / "cache")
    if rows is None:
        return task
    kept = task.train_matrix[rows]
    return replace(task, schema=task.schema.with_scales(kept), _train=kept, _train_labels=task.train_labels[rows])


@pytest.mark.parametrize("generator", GENERATORS, indirect=True)
def test_no_test_row_and_no_validation_row_is_learnt_from(generator, handed, tmp_path):
    setting = explained(MarkedTable)
    data, task = setting.data, task_of(setting, generator, tmp_path)
    said = handed(generator, task)
    assert len(said.conversations) > 20
    unseen = data.matrix[[*data.validation, *data.test]]
    assert len(unseen) == 40
    for row in data.schema.decode(unseen).to_dict("records"):
        assert person(row_text(data.schema, row)) not in said.everything
        for j in MARKED:
            assert not re.search(rf"(?<![0-9.]){row[data.schema.names[j]]:g}(?![0-9])", said.everything)


@pytest.mark.parametrize("generator", GENERATORS, indirect=True)
def test_what_is_learnt_is_the_same_whatever_unseen_rows_hold(generator, handed, tmp_path):
    plain, marked = (
        handed(generator, task_of(explained(dataset), generator, tmp_path / dataset.__name__))
        for dataset in (EasyTable, MarkedTable)
    )
    assert plain == marked


@pytest.mark.parametrize("generator", GENERATORS, indirect=True)
def test_rows_that_scarcity_left_out_are_learnt_from_no_more(generator, handed, tmp_path):
    setting = explained(EasyTable)
    full = task_of(setting, generator, tmp_path)
    everybody = handed(generator, full)
    out = np.arange(len(full.train_matrix)) % 2 == 0  # the rows that go
    few = task_of(setting, generator, tmp_path, np.flatnonzero(~out))
    said = handed(generator, few)  # with the same cache: nothing made of all rows may come back
    left = people(generator.questions(few), full.train_matrix[out])
    assert len(left) == 30
    assert not [text for text in left if text in said.everything]
    assert said.prefix != everybody.prefix  # statistics are of the rows that are left


@pytest.mark.parametrize("generator", ["llama-3.1-8b-ft"], indirect=True)
def test_the_search_for_rows_does_find_who_is_there(generator, handed, tmp_path):
    task = task_of(explained(EasyTable), generator, tmp_path)
    said = handed(generator, task)
    at_risk = task.train_matrix[task.predict(task.train_matrix) != task.target]
    assert len(at_risk) > 20
    found = sum(text in said.everything for text in people(generator.questions(task), at_risk))
    assert found > len(at_risk) / 2  # some are held out to judge by, of some nothing is learnt


@pytest.mark.parametrize("name", GENERATORS)
def test_a_task_holds_no_row_but_the_training_rows(name, tmp_path):
    setting = explained(MarkedTable)
    data = setting.data
    generator = {"llama-micro-ft": MicroTuned, "llama-3.1-8b-ft": LlamaTuned}[name]
    task = setting.task(generator, tmp_path)
    arrays = [value for f in fields(task) if isinstance(value := getattr(task, f.name), np.ndarray) and value.ndim == 2]
    assert [array.shape for array in arrays] == [(60, len(data.schema))]
    unseen = {row.tobytes() for row in data.matrix[[*data.validation, *data.test]]}
    assert not unseen & {np.ascontiguousarray(row).tobytes() for array in arrays for row in array}
    scales = task.schema.frozen_scales()
    assert scales.high[0] < MARKED[0]
    assert scales.high[1] < MARKED[1]
