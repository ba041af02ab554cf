"""Growing Spheres (Laugel et al. 2018) for sensecf-bench, answering all queries of a batch together."""

from sensecf_bench import Generator, hookimpl
from sensecf_spheres.generators import GrowingSpheres

__all__ = ["GrowingSpheres", "sensecf_generators"]


@hookimpl
def sensecf_generators() -> list[type[Generator]]:
    return [GrowingSpheres]
