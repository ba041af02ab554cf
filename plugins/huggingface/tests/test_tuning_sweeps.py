"""What another word would be worth, and what a model's choice falls short of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sensecf_huggingface.tuning.sweeps import HOPE, Choice, Sweep, priced, shortfall

WORTH = st.floats(0, 1)


def sweep(worth, far, place=1, odds=None):
    odds = [-3.0] * len(worth) if odds is None else odds
    return Sweep(place, np.arange(len(worth)), *(np.array(x, dtype=float) for x in (worth, far, odds)))


def test_what_words_are_worth_by_hand():
    ((choice,),) = priced([[sweep([1.0, 0.5, 0.0], [1.5, 1.0, 0.2])]], price=2.0)
    assert choice.worth.tolist() == pytest.approx([np.exp(-1.0), 0.5, 0.0])  # counted from the nearest valid one
    assert choice.place == 1
    assert choice.tokens.tolist() == [0, 1, 2]


def test_distance_is_counted_from_the_nearest_of_all_answers_to_a_question():
    far, near = priced([[sweep([1, 0], [3.0, 0.0])], [sweep([1, 0], [1.0, 0.0])]], price=1.0)
    assert far[0].worth.tolist() == pytest.approx([np.exp(-2.0), 0])
    assert near[0].worth.tolist() == [1.0, 0]


def test_where_all_words_are_worth_the_same_there_is_no_choice():
    assert priced([[sweep([0, 0], [1.0, 2.0]), sweep([1, 1], [1.0, 1.0])], []], price=1.0) == [[], []]


def test_where_no_word_would_do_those_are_better_that_come_nearer_to_flipping():
    hopeless, plain = priced(
        [[sweep([0, 0, 0, 0], [1, 9, 1, 1], odds=[-4.0, -1.0, -2.5, -np.inf])], [sweep([0, 1], [1, 1], odds=[-1, 0])]],
        1.0,
    )
    assert hopeless[0].worth.tolist() == pytest.approx([0.0, HOPE * 3 / 4, HOPE * 1.5 / 4, 0.0])
    assert plain[0].worth.tolist() == [0.0, 1.0]  # where a word flips, being near it is worth nothing


def test_what_nobody_could_be_gives_no_hope():
    assert priced([[sweep([0, 0], [1, 2], odds=[-np.inf, -np.inf])]], price=1.0) == [[]]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.tuples(WORTH, st.floats(-3, 3)), min_size=1, max_size=6), min_size=1, max_size=5))
def test_the_shortfall_is_one_less_what_is_expected_among_the_words_there_are(choices):
    logits = torch.full((len(choices), 10), 50.0)  # words that are not among the choices would be certain
    made = []
    for row, some in enumerate(choices):
        made.append(Choice(0, np.arange(len(some)), np.array([w for w, _ in some])))
        logits[row, : len(some)] = torch.tensor([x for _, x in some])
    expected = []
    for some in choices:
        weights = np.exp([x for _, x in some])
        expected.append(1 - weights @ [w for w, _ in some] / weights.sum())
    assert shortfall(logits, range(len(made)), made).tolist() == pytest.approx(expected, abs=1e-5)


def test_following_it_downhill_finds_the_word_that_is_best_on_average_for_people_who_look_alike():
    """Of three alike, two flip from word 1 on and one from word 3 on: the first word that flips all is best at a low price of
    distance, the first that flips most at a high price."""

    def learnt(price):
        far = np.arange(5.0)
        people = [priced([[sweep(far >= first, far, 0)]], price)[0][0] for first in (1, 1, 3)]
        logits = torch.zeros(1, 5, requires_grad=True)
        for _ in range(400):
            loss = shortfall(logits.expand(3, -1), [0, 1, 2], people).sum()
            (gradient,) = torch.autograd.grad(loss, logits)
            logits = (logits - 2.0 * gradient).detach().requires_grad_()
        return int(logits.argmax())

    assert learnt(price=0.1) == 3
    assert learnt(price=3.0) == 1
