"""Samples of one prompt: each like any other, and together as different as that allows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensecf_huggingface.draws import NARROW, Draws, van_der_corput


def said(draw: Draws, shares: np.ndarray, tokens: int) -> tuple[int, ...]:
    """The tokens of an answer, each drawn from the same shares."""
    ends = np.concatenate([[0.0], np.cumsum(shares)])
    answer = []
    for _ in range(tokens):
        token = min(int(np.searchsorted(ends, draw.point, side="right")) - 1, len(shares) - 1)
        draw.narrow(ends[token], ends[token + 1])
        answer.append(token)
    return tuple(answer)


def test_the_points_by_hand():
    assert [van_der_corput(n) for n in range(8)] == [0, 0.5, 0.25, 0.75, 0.125, 0.625, 0.375, 0.875]


@given(
    st.integers(0, 2**64 - 1),
    st.integers(0, 6),
    st.lists(st.floats(0.01, 1), min_size=1, max_size=12),
)
def test_every_token_is_said_as_often_as_its_share_has_it(seed, power, weights):
    """Of 2^k samples one less or one more than the share is all that chance may do: drawn apart, it were many more."""
    shares = np.array(weights) / sum(weights)
    n = 2**power
    first = [said(Draws(seed, s), shares, 1)[0] for s in range(n)]
    often = np.bincount(first, minlength=len(shares))
    assert (np.abs(often - n * shares) < 1 + 1e-9).all()


@given(st.integers(0, 2**64 - 1), st.integers(1, 3))
def test_no_answer_wider_than_the_gaps_is_left_out(seed, tokens):
    shares = np.full(2, 0.5)
    answers = [said(Draws(seed, s), shares, tokens) for s in range(2**tokens)]
    assert len(set(answers)) == 2**tokens


@pytest.mark.parametrize("sample", [0, 1, 7])
def test_each_sample_alone_is_a_sample_like_any_other(sample):
    """Of answers of three tokens, far below `NARROW`, each is as frequent as it is probable, within 4.5 standard errors."""
    shares, n = np.array([0.1, 0.2, 0.7]), 20_000
    assert NARROW > 0.1**3
    answers = [said(Draws(seed, sample), shares, 3) for seed in range(n)]
    for answer, p in [((0, 0, 0), 0.001), ((2, 0, 1), 0.014), ((2, 2, 2), 0.343), ((1, 2, 0), 0.014)]:
        error = np.sqrt(p * (1 - p) / n)
        assert abs(answers.count(answer) / n - p) < 4.5 * error


def test_a_restart_draws_the_same_again():
    shares, draw = np.array([0.3, 0.3, 0.4]), Draws(5, 3)
    before = said(draw, shares, 12)
    draw.restart()
    assert said(draw, shares, 12) == before


def test_a_token_of_no_width_goes_on_anew():
    draw = Draws(5, 3)
    draw.narrow(0.25, 0.25)
    assert 0 <= draw.point < 1
