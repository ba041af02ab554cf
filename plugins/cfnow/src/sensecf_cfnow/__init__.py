"""CFNOW (de Oliveira, Sörensen, Martens 2023) for sensecf-bench, and a batched search with the same objective."""

from sensecf_bench import Generator, hookimpl
from sensecf_cfnow.fast import CfnowFast
from sensecf_cfnow.generators import CfnowGreedy, CfnowRandom

__all__ = ["CfnowFast", "CfnowGreedy", "CfnowRandom", "sensecf_generators"]


@hookimpl
def sensecf_generators() -> list[type[Generator]]:
    return [CfnowGreedy, CfnowRandom, CfnowFast]
