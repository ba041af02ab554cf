"""Versions of whatever can change an answer."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import re
import sys
from pathlib import Path

from sensecf_bench.registry import Registered

CORE_LIBRARIES = ("sensecf-bench", "numpy", "pandas", "scikit-learn", "scipy", "xgboost")


def core_versions() -> dict[str, str]:
    """Versions of the harness, of the libraries it computes with, and of Python."""
    versions = {name: importlib.metadata.version(name) for name in CORE_LIBRARIES}
    return {**versions, "python": ".".join(platform.python_version_tuple()[:2])}


def installed(distribution: str) -> str | None:
    """The version of a distribution here; None where there is none."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions_of(registered: Registered) -> dict[str, str]:
    """Versions of whatever the class runs on: its own, its source's, its distribution's and of the libraries that
    declares. The source counts, because an installed plugin may be one that is being worked on."""
    versions = {"class": str(getattr(registered.cls, "version", "1")), "source": _source_hash(registered)}
    if registered.distribution not in ("", "file", "sensecf-bench"):
        versions[registered.distribution] = registered.version
        for requirement in importlib.metadata.requires(registered.distribution) or []:
            library = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
            if "extra ==" not in requirement and library not in CORE_LIBRARIES:
                versions[library] = installed(library) or "absent"
    return versions


def _source_hash(registered: Registered) -> str:
    """A hash of the file that defines a built-in or single-file class, or of the whole package of an installed plugin."""
    file = sys.modules[registered.cls.__module__].__file__
    if file is None:
        return "unknown"
    files = [Path(file)]
    package = sys.modules[registered.cls.__module__.partition(".")[0]].__file__
    if registered.distribution not in ("file", "sensecf-bench") and package and package.endswith("__init__.py"):
        files = sorted(Path(package).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:16]
