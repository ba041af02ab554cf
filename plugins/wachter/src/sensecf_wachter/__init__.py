"""Counterfactuals by gradient descent (Wachter, Mittelstadt, Russell 2018) for sensecf-bench."""

from sensecf_bench import Generator, hookimpl
from sensecf_wachter.generators import Wachter

__all__ = ["Wachter", "sensecf_generators"]


@hookimpl
def sensecf_generators() -> list[type[Generator]]:
    return [Wachter]
