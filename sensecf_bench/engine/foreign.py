"""Turning a newborn child into a process of another interpreter, which runs the same code with other libraries."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import sensecf_bench
from sensecf_bench.engine.wire import VERSION

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

FOLDER = Path(sensecf_bench.__path__[0]) / "foreign"


def packages_of(where: tuple[str, str, str]) -> dict[str, str]:
    """Paths of the packages that another interpreter needs from here: the harness's own, and the one of the class."""
    packages = {"sensecf_bench": str(Path(sensecf_bench.__path__[0]))}
    file, module, _ = where
    top = module.partition(".")[0]
    if not file and top not in packages:
        spec = importlib.util.find_spec(top)
        assert spec is not None, "a class that was registered can be imported"
        package = spec.submodule_search_locations
        packages[top] = str(next(iter(package)) if package else spec.origin)
    return packages


def become_foreign(line: Connection[Any, Any], log: str, python: str, packages: Mapping[str, str]) -> NoReturn:
    """Replace this process by one of the other interpreter, which inherits the pipe. It is isolated: neither
    environment variables nor the user's own packages lead it anywhere else."""
    os.set_inheritable(line.fileno(), True)
    order = {"pipe": line.fileno(), "log": log, "packages": dict(packages), "version": VERSION}
    os.execv(python, [python, "-I", str(FOLDER / "bootstrap.py"), json.dumps(order)])
