"""NICE (Brughmans, Leyman, Martens 2023) for sensecf-bench, answering all queries of a batch together."""

from sensecf_bench import Generator, hookimpl
from sensecf_nice.generators import Nice, NicePlausibility, NiceProximity, NiceSparsity

__all__ = ["Nice", "NicePlausibility", "NiceProximity", "NiceSparsity", "sensecf_generators"]


@hookimpl
def sensecf_generators() -> list[type[Generator]]:
    return [Nice, NiceSparsity, NiceProximity, NicePlausibility]
