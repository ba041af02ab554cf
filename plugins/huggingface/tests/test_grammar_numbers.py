"""Numbers between bounds: the grammar accepts exactly what `Decimal` says lies between them."""

from decimal import Decimal

import pytest
import xgrammar
from hypothesis import given, settings
from hypothesis import strategies as st
from sensecf_huggingface.grammar.numbers import Grid
from xgrammar.testing import _is_grammar_accept_string as accepts


def grammar(grid):
    return xgrammar.Grammar.from_ebnf(f"root ::= {grid.expression()}")


def spelled(step, decimals):
    """Shortest JSON spelling of step · 10^-decimals."""
    if not step:
        return "0"
    digits = str(abs(step)).zfill(decimals + 1)
    whole, fraction = digits[: len(digits) - decimals], digits[len(digits) - decimals :].rstrip("0")
    return ("-" if step < 0 else "") + whole + ("." + fraction if fraction else "")


def test_the_spelling_says_the_number():
    for step, decimals in [(-1050, 2), (7, 3), (120, 1), (3, 0), (-1, 1)]:
        assert Decimal(spelled(step, decimals)) == Decimal(step).scaleb(-decimals)


def test_every_number_of_a_small_grid_and_no_other():
    for first, last in [(0, 0), (-13, 27), (-150, -7), (95, 1205), (1, 9), (10, 99), (-1, 1), (101, 109), (7, 1000)]:
        for decimals in (0, 1, 2):
            allowed = grammar(Grid(first, last, decimals))
            for step in range(min(first, 0) - 40, last + 40):
                assert accepts(allowed, spelled(step, decimals)) == (first <= step <= last), (first, last, step)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(0, 12))
def test_any_magnitude(data, decimals):
    edge = st.integers(-(10**18), 10**18) | st.integers(-(10**4), 10**4)
    first, last = sorted((data.draw(edge), data.draw(edge)))
    allowed = grammar(Grid(first, last, decimals))
    near = st.sampled_from([first, last, 0]).flatmap(lambda x: st.integers(x - 12, x + 12))
    scales = st.integers(0, 18).flatmap(lambda n: st.integers(-(10**n), 10**n))
    for step in data.draw(st.lists(near | scales | st.integers(first, last), min_size=20, max_size=20)):
        assert accepts(allowed, spelled(step, decimals)) == (first <= step <= last), (step, Grid(first, last, decimals))


@pytest.mark.parametrize(
    "text", ["-0", "00", "01", "1.0", "1.50", "0.0", "-0.0", "+1", "1e0", ".5", "5.", "", " 1", "1.555"]
)
def test_only_the_shortest_spelling(text):
    assert not accepts(grammar(Grid(-1000, 1000, 2)), text)


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(0, 400),
)
@settings(max_examples=60, deadline=None)
def test_the_ends_of_a_grid_lie_within_its_bounds(one, other, decimals):
    low, high = sorted((Decimal(repr(one)), Decimal(repr(other))))
    grid = Grid.between(low, high, decimals)
    if not grid.empty:
        assert float(low) <= float(spelled(grid.first, decimals)) <= float(spelled(grid.last, decimals)) <= float(high)


@pytest.mark.parametrize("bound", [1e300, 1.7976931348623157e308, 5e-324, 1e-300, 123456789.000000001])
def test_extremes_of_what_a_float_can_hold(bound):
    exact = Decimal(repr(bound))
    decimals = max(0, -exact.normalize().as_tuple().exponent)
    allowed = grammar(Grid.between(Decimal(0), exact, decimals))
    assert accepts(allowed, spelled(int(exact.scaleb(decimals)), decimals))
    assert not accepts(allowed, spelled(int(exact.scaleb(decimals)) + 1, decimals))


def test_a_bound_of_many_digits_makes_a_short_expression():
    assert len(Grid.between(Decimal(0), Decimal("1e300"), 0).expression()) < 10_000
    assert len(Grid.between(Decimal("0.123456789"), Decimal("98765.4321"), 9).expression()) < 2_000


def test_an_empty_grid_is_refused():
    with pytest.raises(ValueError, match="at least one number"):
        Grid.between(Decimal("0.2"), Decimal("0.8"), 0).expression()
