"""DiCE (Mothilal, Sharma, Tan 2020) for sensecf-bench: random sampling, genetic search and k-d tree look-up."""

from sensecf_bench import Generator, hookimpl
from sensecf_dice.generators import DiceGenetic, DiceKDTree, DiceRandom

__all__ = ["DiceGenetic", "DiceKDTree", "DiceRandom"]


@hookimpl
def sensecf_generators() -> list[type[Generator]]:
    return [DiceRandom, DiceGenetic, DiceKDTree]
