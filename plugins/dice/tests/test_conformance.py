"""The three generators keep the contract of sensecf-bench."""

from sensecf_dice.generators import DiceGenetic, DiceKDTree, DiceRandom

from sensecf_bench.testing import parametrize_with_checks


@parametrize_with_checks([DiceRandom, DiceGenetic, DiceKDTree])
def test_conformance(check):
    check()
