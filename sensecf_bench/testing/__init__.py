"""Tools for plugin authors' own tests: the conformance kit, and tasks without processes.

Names are loaded on first use: a generator's own process loads no more of the kit than what watches it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sensecf_bench.testing.checks import CHECKS, Check
    from sensecf_bench.testing.decorator import BoundCheck, parametrize_with_checks
    from sensecf_bench.testing.local import Setting, local_setting
    from sensecf_bench.testing.verdicts import CheckFailed

__all__ = ["CHECKS", "BoundCheck", "Check", "CheckFailed", "Setting", "local_setting", "parametrize_with_checks"]
_PLACES = {
    "BoundCheck": "decorator",
    "CHECKS": "checks",
    "Check": "checks",
    "CheckFailed": "verdicts",
    "Setting": "local",
    "local_setting": "local",
    "parametrize_with_checks": "decorator",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
