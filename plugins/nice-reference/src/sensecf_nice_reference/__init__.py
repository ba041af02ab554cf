"""NICEx, the reference implementation of NICE, which needs pandas 1 and so an environment of its own."""

from __future__ import annotations

from sensecf_bench import Generator, hookimpl


@hookimpl
def sensecf_generators() -> list[type[Generator]]:
    from sensecf_nice_reference.generator import NiceReference

    return [NiceReference]
