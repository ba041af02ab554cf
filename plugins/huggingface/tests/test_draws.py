"""Samples of one prompt: each like any other, and together as different as that allows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensecf_huggingface.draws import NARROW, Draws, beside, van_der_corput


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


def test_a_point_beside_what_is_taken_by_hand():
    taken = [(0.5, 0.75), (0.0, 0.25)]  # leaves [0.25, 0.5) and [0.75, 1)
    assert [beside(point, taken) for point in (0.0, 0.25, 0.5, 0.75)] == [0.25, 0.375, 0.75, 0.875]
    assert beside(0.3, []) == 0.3
    assert beside(0.3, [(0.0, 1 - NARROW / 2)]) is None


spans = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted).map(tuple), max_size=6)


@given(st.floats(0, 1, exclude_max=True), spans)
def test_a_point_beside_what_is_taken_is_not_taken(point, taken):
    found = beside(point, taken)
    if found is None:
        free = np.setdiff1d(np.arange(1000), [i for i in range(1000) for low, high in taken if low <= i / 1000 <= high])
        assert len(free) / 1000 < NARROW + 0.02
    else:
        assert 0 <= found < 1
        assert not any(low + 1e-12 < found < high - 1e-12 for low, high in taken)


@given(st.integers(0, 2**64 - 1), st.lists(st.floats(0.2, 1), min_size=3, max_size=6), st.integers(2, 3))
def test_what_is_drawn_again_is_another_answer(seed, weights, samples):
    shares = np.array(weights) / sum(weights)
    assert shares.min() > NARROW
    answers = list[tuple[int, ...]]()
    places = list[tuple[float, float]]()
    for sample in range(samples):
        draw = Draws(seed, sample)
        answer = said(draw, shares, 1)
        if answer in answers:
            assert draw.again(places)
            answer = said(draw, shares, 1)
        answers.append(answer)
        places.append(draw.place)
    assert len(set(answers)) == samples


def test_a_place_is_as_wide_as_the_answer_is_probable_and_none_is_told_of_a_narrow_one():
    shares, draw = np.array([0.25, 0.75]), Draws(5, 1)
    first = said(draw, shares, 2)
    low, high = draw.place
    assert high - low == pytest.approx(np.prod(shares[list(first)]))
    while draw.place is not None:
        said(draw, np.array([0.5, 0.5]), 1)
    assert said(draw, shares, 3)
    assert draw.place is None
