"""Gradient descent keeps the contract of sensecf-bench."""

from sensecf_wachter import Wachter

from sensecf_bench.testing import parametrize_with_checks


@parametrize_with_checks([Wachter])
def test_conformance(check):
    check()
