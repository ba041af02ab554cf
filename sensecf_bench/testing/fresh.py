"""What importing a plugin does to an interpreter that has done nothing else."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sensecf_bench.testing.subject import Subject

PROBE = Path(__file__).with_name("probe.py")
PATIENCE = 120.0


@dataclass(frozen=True)
class Seen:
    """The findings of one import."""

    seconds: float  # beyond what the contracts, numpy and pandas take
    modules: tuple[str, ...]
    sockets: tuple[str, ...]
    processes: tuple[str, ...]
    threads: tuple[str, ...]
    output: str
    failure: str  # why it could not be imported; empty if it could


def seen_at_import(subject: Subject) -> Seen:
    """The findings of a first import, remembered: a module's classes share them."""
    file, module, qualified = subject.where
    seen = _seen(file, module)
    found: object = sys.modules.get(subject.cls.__module__)
    for part in qualified.split("."):
        if found is not None and not hasattr(found, part):
            return replace(seen, failure=f"its module has no {qualified}")
        found = getattr(found, part, None)
    return seen


def seconds_again(subject: Subject) -> float:
    """What one more import takes."""
    return _look(*subject.where[:2]).seconds


@functools.cache
def _seen(file: str, module: str) -> Seen:
    return _look(file, module)


def _look(file: str, module: str) -> Seen:
    with tempfile.TemporaryDirectory(prefix="sensecf-bench-") as folder:
        out = Path(folder) / "findings.json"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        command = [sys.executable, "-P", str(PROBE), str(out), file, module]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, env=environment, cwd=folder, timeout=PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            return Seen(PATIENCE, (), (), (), (), "", f"importing it took more than {PATIENCE:g} s")
        output = (done.stdout + done.stderr).strip()
        if not out.exists():
            return Seen(
                0.0, (), (), (), (), "", f"the interpreter ended with exit code {done.returncode}: {output[-300:]}"
            )
        found = json.loads(out.read_text(encoding="utf-8"))
    lists = {name: tuple(found[name]) for name in ("modules", "sockets", "processes", "threads")}
    return Seen(seconds=found["seconds"], failure=found["failure"], output=output, **lists)
