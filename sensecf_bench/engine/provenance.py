"""Where numbers come from: versions and machine, without anything that names a person or a path."""

from __future__ import annotations

import importlib.metadata
import platform
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sensecf_bench.engine.processes import usable_cores

LIBRARIES = ("numpy", "pandas", "scikit-learn", "scipy", "xgboost", "pyarrow")


@cache
def provenance() -> dict[str, Any]:
    """Read once: looking up a distribution's version takes a millisecond."""
    return {
        "sensecf-bench": importlib.metadata.version("sensecf-bench"),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": usable_cores(),
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
        "date": datetime.now(UTC).date().isoformat(),
    }
