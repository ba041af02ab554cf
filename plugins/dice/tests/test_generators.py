"""The three generators through the contract: rules, seeds, abstentions, options."""

import importlib.util
import random
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sensecf_dice import DiceGenetic, DiceKDTree, DiceRandom, sensecf_generators

from sensecf_bench import Unavailable

GENERATORS = [DiceRandom, DiceGenetic, DiceKDTree]


def ask_one_by_one(setting, generator, positions=None):
    positions = range(len(setting.queries)) if positions is None else positions
    return {setting.queries.ids[i]: generator.generate(setting.queries.take([i])) for i in positions}


def together(answers):
    frames = [a for a in answers.values() if a is not None]
    return pd.concat(frames, ignore_index=True) if frames else None


def same(a, b):
    return (a is None and b is None) or (a is not None and b is not None and a.equals(b))


def test_hook_brings_the_three():
    assert [g.name for g in sensecf_generators()] == ["dice-random", "dice-genetic", "dice-kdtree"]
    assert {g.access for g in sensecf_generators()} == {"training-data"}


@pytest.mark.parametrize("name", ["diabetes", "wearable"])
@pytest.mark.parametrize("cls", GENERATORS)
def test_every_row_keeps_the_rules_and_flips(cls, name, request):
    setting = request.getfixturevalue(name)
    answers = setting.admit(together(ask_one_by_one(setting, setting.fit(cls()))))
    assert len(answers.owner) > 0
    assert set(answers.reasons) == {""}, answers.details
    assert (setting.classes(answers) == setting.queries.target[answers.owner]).all()
    schema, factuals = setting.queries.schema, setting.queries.matrix[answers.owner]
    assert (answers.matrix[:, ~schema.mutable] == factuals[:, ~schema.mutable]).all()  # to the last bit
    scales = schema.frozen_scales()
    moved = schema.changed(answers.matrix, factuals)
    slack = 1e-6 * np.maximum(1.0, np.abs(answers.matrix))
    outside = (answers.matrix < scales.low - slack) | (answers.matrix > scales.high + slack)
    assert not (moved & outside).any()
    assert (answers.matrix[~moved] == factuals[~moved]).all()


@pytest.mark.parametrize("cls", [DiceRandom, DiceGenetic])
def test_random_and_genetic_answer_every_query(cls, diabetes):
    assert all(a is not None for a in ask_one_by_one(diabetes, diabetes.fit(cls())).values())


@pytest.mark.parametrize("cls", GENERATORS)
def test_answers_depend_on_the_seed_and_on_nothing_else(cls, wearable):
    forward = ask_one_by_one(wearable, wearable.fit(cls()))
    random.seed(1)
    np.random.seed(1)
    states = random.getstate(), np.random.get_state()[1].copy()
    backward = ask_one_by_one(wearable, wearable.fit(cls()), reversed(range(len(wearable.queries))))
    assert all(same(forward[i], backward[i]) for i in forward)
    assert random.getstate() == states[0]
    assert (np.random.get_state()[1] == states[1]).all()


def test_another_seed_gives_another_sample(wearable):
    generator = wearable.fit(DiceRandom())
    query = wearable.queries.take([0])
    other = replace(query, seeds=query.seeds + np.uint64(1))
    assert not generator.generate(query).equals(generator.generate(other))


@pytest.mark.parametrize("cls", GENERATORS)
def test_up_to_k_rows(cls, wearable):
    answer = together(ask_one_by_one(wearable, wearable.fit(cls(), k=3)))
    answers = wearable.admit(answer, k=3)
    assert set(answers.reasons) == {""}
    assert np.bincount(answers.owner).max() == 3
    assert not answer.duplicated().any()


@pytest.mark.parametrize("cls", GENERATORS)
def test_nothing_may_change_means_abstaining(cls, sealed):
    assert all(a is None for a in ask_one_by_one(sealed, sealed.fit(cls())).values())


@pytest.mark.parametrize("cls", GENERATORS)
def test_nothing_that_may_change_helps_means_abstaining_in_time(cls, stuck):
    """Upstream's genetic search draws random starting points here for ever."""
    generator = stuck.fit(cls())
    begun = time.monotonic()
    assert all(a is None for a in ask_one_by_one(stuck, generator).values())
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("cls", GENERATORS)
def test_a_level_nobody_trained_on_costs_one_query(cls, wearable):
    level = wearable.queries.schema.names.index("sparsity")
    explained = wearable.explained
    train = explained.data.matrix[explained.data.train].copy()
    train[:, level] = np.minimum(train[:, level], 1.0)
    task = replace(explained.task(cls, None), _train=train)
    generator = cls()
    generator.fit(task)
    for i in range(len(wearable.queries)):
        answer = generator.generate(wearable.queries.take([i]))
        if wearable.queries.matrix[i, level] == 2.0:
            assert answer is None
    assert (wearable.queries.matrix[:, level] == 2.0).any()


def test_kdtree_looks_as_far_as_it_must(diabetes):
    """Upstream stops after ten neighbours, which hardly ever share a patient's age and sex."""
    schema, data = diabetes.queries.schema, diabetes.explained.data
    train = data.matrix[data.train]
    well = train[diabetes.explained.model.predict_proba(train)[:, 1] <= 0.5]
    answers = ask_one_by_one(diabetes, diabetes.fit(DiceKDTree()))
    twins = [(well[:, ~schema.mutable] == q[~schema.mutable]).all(axis=1).any() for q in diabetes.queries.matrix]
    assert [a is not None for a in answers.values()] == twins
    assert 0 < sum(twins) < len(twins)


@pytest.mark.parametrize("cls", GENERATORS)
def test_stock_runs_and_knows_no_rules(cls, diabetes):
    generator = diabetes.fit(cls(cls.Options(stock=True)))
    first = diabetes.queries.take([0])
    answer = generator.generate(first)
    assert answer.equals(generator.generate(first))
    assert list(answer.columns) == ["query_id", *diabetes.queries.schema.names]


def test_stock_takes_no_other_option():
    with pytest.raises(ValueError, match="leave out posthoc_sparsity_algorithm"):
        DiceRandom.Options(stock=True, posthoc_sparsity_algorithm="linear")


def test_unavailable_without_dice_ml(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match="dice_ml is not installed") as caught:
        DiceRandom().available()
    assert "pip install" in caught.value.fix


def test_discovery_does_not_import_dice_ml():
    code = "import sys, sensecf_dice; sensecf_dice.DiceRandom().available(); print('dice_ml' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
