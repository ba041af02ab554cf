"""However examples lie in memory, the loss is that of each on its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sensecf_huggingface.tuning.batches import Collator, Order, shared_prefix
from sensecf_huggingface.tuning.examples import Example
from sensecf_huggingface.tuning.recipe import Recipe
from sensecf_huggingface.tuning.stepping import Stepper
from sensecf_huggingface.tuning.sweeps import Choice
from transformers import AutoModelForCausalLM

CPU = torch.device("cpu")
TOKEN = st.integers(0, 500)


@pytest.fixture(scope="module", params=["llama", "mistral"])
def model(request):
    torch.set_num_threads(1)
    return AutoModelForCausalLM.from_pretrained(request.getfixturevalue(f"{request.param}_folder"))


@st.composite
def families(draw):
    """Examples with a beginning in common, of any length, and remainders and marks of any shape."""
    common = draw(st.lists(TOKEN, min_size=1, max_size=12))
    remainders = draw(st.lists(st.lists(TOKEN, min_size=2, max_size=9), min_size=1, max_size=6))
    examples = []
    for ids in remainders:
        marks = draw(st.lists(st.booleans(), min_size=len(ids) - 1, max_size=len(ids) - 1))
        examples.append(Example((*common, *ids), (False,) * len(common) + (*marks, True)))
    return examples


def alone(model, example):
    """The loss as transformers works it out from labels, a sum instead of its mean."""
    ids = torch.tensor([example.ids])
    labels = torch.where(torch.tensor([example.scored]), ids, -100)
    with torch.no_grad():
        return float(model(input_ids=ids, labels=labels).loss) * sum(example.scored)


@settings(max_examples=40, deadline=None)
@given(examples=families(), together=st.integers(1, 7))
def test_padded_or_packed_the_loss_is_the_sum_of_each_alone(model, examples, together):
    stepper = Stepper(model, dict(model.named_parameters()), examples, Recipe(share_prefix=False), print)
    stepper.collator.together = together
    with stepper.head, torch.no_grad():
        loss = float(stepper.loss(stepper.collator.batch(np.arange(len(examples)))))
    assert loss == pytest.approx(sum(alone(model, e) for e in examples), rel=1e-4)


@settings(max_examples=20, deadline=None)
@given(examples=families(), together=st.integers(1, 7), chance=st.randoms(use_true_random=False))
def test_padded_or_packed_a_choice_is_made_where_its_token_stands(model, examples, together, chance):
    """What choices fall short is worked out here from each example alone."""
    swept, by_hand = [], 0.0
    for example in examples:
        place = chance.choice([i for i, scored in enumerate(example.scored) if scored])
        tokens = np.array(chance.sample(range(500), 3))
        choice = Choice(place, tokens, np.array([chance.random() for _ in tokens]))
        swept.append(replace(example, choices=(choice,)))
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([example.ids])).logits[0, place - 1, tokens].double()
        by_hand += 1 - float(logits.softmax(-1) @ torch.tensor(choice.worth))
    stepper = Stepper(model, dict(model.named_parameters()), swept, Recipe(share_prefix=False), print)
    stepper.collator.together = together
    with stepper.head, torch.no_grad():
        surprise, short = stepper._losses(stepper.collator.batch(np.arange(len(swept))))
    assert float(short) == pytest.approx(by_hand, rel=1e-4)
    assert float(surprise) == pytest.approx(sum(alone(model, e) for e in examples), rel=1e-4)


def test_packing_leaves_out_repetitions_of_the_prefix():
    prefix = list(range(20))
    examples = [Example.answer([*prefix, 30 + i], [40, 41]) for i in range(4)]
    assert shared_prefix(examples) == 20
    assert Collator(examples, CPU, together=4).batch(np.arange(4)).ids.shape == (1, 20 + 4 * 3)
    assert Collator(examples, CPU).batch(np.arange(4)).ids.shape == (4, 23)


def test_the_token_before_the_first_target_is_never_shared():
    assert shared_prefix([Example.answer([1, 2, 3], [4]), Example.answer([1, 2, 3], [5])]) == 2
    assert shared_prefix([Example.whole([1, 2, 3]), Example.whole([1, 2, 4])]) == 0


@settings(max_examples=50)
@given(
    st.lists(st.integers(2, 90), min_size=1, max_size=200),
    st.integers(1, 16),
    st.integers(0, 2**40),
    st.sampled_from([1, 3, 50]),
)
def test_every_example_comes_once_an_epoch(lengths, batch, seed, window):
    order = Order(np.array(lengths), batch, seed, window)
    epochs = [[order.step(e * order.steps_in_epoch + i) for i in range(order.steps_in_epoch)] for e in range(2)]
    for steps in epochs:
        assert sorted(np.concatenate(steps)) == list(range(len(lengths)))
        assert all(len(step) <= batch for step in steps)
    again = Order(np.array(lengths), batch, seed, window)
    last = 2 * order.steps_in_epoch - 1
    assert (again.step(last) == order.step(last)).all()  # without having gone through what came before


def test_another_seed_or_epoch_brings_another_order():
    lengths = np.full(64, 7)
    order, other = Order(lengths, 8, 0, 50), Order(lengths, 8, 1, 50)
    assert (order.step(0) != other.step(0)).any()
    assert (order.step(0) != order.step(order.steps_in_epoch)).any()


def test_batches_hold_examples_of_like_length():
    lengths = np.random.default_rng(0).integers(10, 200, size=400)
    order = Order(lengths, 16, 0, 50)
    sorted_waste = sum(np.ptp(lengths[order.step(i)]) for i in range(order.steps_in_epoch))
    shuffled = np.random.default_rng(1).permutation(lengths).reshape(-1, 16)
    assert sorted_waste < 0.2 * np.ptp(shuffled, axis=1).sum()


def test_without_a_window_length_has_no_part_in_who_comes_together():
    lengths = np.repeat([10, 200], 512)
    order = Order(lengths, 64, 0, 1)
    long = np.array([(lengths[order.step(i)] == 200).mean() for i in range(order.steps_in_epoch)])
    assert ((long > 0.25) & (long < 0.75)).all()
