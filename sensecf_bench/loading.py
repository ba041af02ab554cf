"""Finding a plugin's class again in another process, which may run under another Python: standard library only."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from sensecf_bench.errors import PluginError
from sensecf_bench.leftovers import contained
from sensecf_bench.quiet import hushed


def find_class(where: tuple[str, str, str]) -> type[Any]:
    """Find a registered class again. The inverse of `Registered.where`: file, module and qualified name.

    What a plugin prints when it is imported goes nowhere, and what it leaves running cannot keep this process alive.
    """
    file, module_name, qualified = where
    if file or module_name not in sys.modules:
        with hushed(), contained():
            found: Any = load_file(Path(file)) if file else importlib.import_module(module_name)
    else:
        found = sys.modules[module_name]
    for part in qualified.split("."):
        found = getattr(found, part)
    cls: type[Any] = found
    return cls


def load_file(path: Path) -> ModuleType:
    """Import a single-file plugin under a module name of its own. Raises PluginError when there is no such file."""
    path = path.resolve()
    name = f"sensecf_bench_plugin_{path.stem}"
    if name in sys.modules and getattr(sys.modules[name], "__file__", None) == str(path):
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise PluginError(f"plugin file {path} is not a Python file that can be read", "give the path of a .py file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
