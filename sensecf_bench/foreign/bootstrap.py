"""Started under another interpreter: the process a generator runs in, speaking to its worker over an inherited pipe.

Only the harness's own package and the plugin's are taken from the environment that runs the benchmark, each by the path
of its folder; everything else is this interpreter's own. Standard library only, until numpy and pandas are asked for.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import json
import struct
import sys
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType

STAND_INS = ("pydantic", "pluggy")


class FromElsewhere:
    """Finds certain top-level packages at given paths, ahead of what is installed here."""

    def __init__(self, paths: dict[str, str]) -> None:
        self._paths = {name: Path(path) for name, path in paths.items()}

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name not in self._paths:
            return None
        place = self._paths[name]
        if place.is_dir():
            return importlib.util.spec_from_file_location(
                name, place / "__init__.py", submodule_search_locations=[str(place)]
            )
        return importlib.util.spec_from_file_location(name, place)


def stand_in() -> dict[str, ModuleType]:
    """Let the contracts be imported where pydantic or pluggy is missing, or where pydantic is older than version 2. Returns
    the older ones, which the plugin may want."""
    displaced = {}
    for name in STAND_INS:
        try:
            found = importlib.import_module(name)
        except ImportError:
            found = None
        if found is None or (name == "pydantic" and not hasattr(found, "model_validator")):
            if found is not None:
                displaced[name] = found
            sys.modules[name] = importlib.import_module(f"sensecf_bench.foreign.{name}_stand_in")
    return displaced


def main() -> None:
    order = json.loads(sys.argv[1])
    pipe = Connection(order["pipe"])
    try:
        sys.meta_path.insert(0, FromElsewhere(order["packages"]))
        displaced = stand_in()
        from sensecf_bench.engine.child import child_main, leave, leave_when_abandoned

        sys.modules.update(displaced)
    except Exception as error:  # noqa: BLE001 whatever is missing here, the worker is told
        traceback.print_exc()
        pipe.recv_bytes()  # it says what it wants before it listens
        why = f"its environment cannot run the contracts: {type(error).__name__}: {error}"
        header = {"version": order["version"], "kind": "raised", "content": {"why": why}, "arrays": []}
        text = json.dumps(header).encode()
        pipe.send_bytes(struct.pack("<I", len(text)) + text)
        return
    leave_when_abandoned(pipe)
    child_main(pipe, order["log"])
    leave()


if __name__ == "__main__":
    main()
