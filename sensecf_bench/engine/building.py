"""Building the environment that a generator runs in, from what it requires."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sensecf_bench.engine.environments import HANDED_OUT, READY, Environment, home, inspect, interpreter
from sensecf_bench.errors import EnvironmentBuildError

if TYPE_CHECKING:
    from sensecf_bench.registry import Registered

LINES_SHOWN = 8  # of what pip said, when it failed


@dataclass(frozen=True)
class Recipe:
    """What an environment is built from: the generator it is for, what is installed, and by which Python."""

    generator: str
    requirements: tuple[str, ...]
    python: str = sys.executable
    constraints: Path | None = None

    @property
    def folder(self) -> Path:
        return home(self.generator)


def requirements_of(registered: Registered) -> tuple[str, ...]:
    """What a generator says it requires; if it says nothing, what its distribution does, without the harness itself."""
    from packaging.requirements import Requirement

    declared: tuple[str, ...] = getattr(registered.cls, "requirements", ())
    if declared or registered.distribution in ("", "file", "sensecf-bench"):
        return declared
    needed = [Requirement(text) for text in importlib.metadata.requires(registered.distribution) or []]
    here = [r for r in needed if r.marker is None or r.marker.evaluate({"extra": ""})]
    return tuple(str(r) for r in here if r.name != "sensecf-bench")


def build(recipe: Recipe) -> Environment:
    """Make a fresh environment with everything in it. Raises EnvironmentBuildError with the last that was said."""
    shutil.rmtree(recipe.folder, ignore_errors=True)
    recipe.folder.parent.mkdir(parents=True, exist_ok=True)
    _do([recipe.python, "-m", "venv", str(recipe.folder)], "no environment could be made")
    python = interpreter(recipe.generator)
    limits = ["-c", str(recipe.constraints)] if recipe.constraints else []
    wanted = [*recipe.requirements, *_not_named(recipe.requirements)]
    _do([str(python), "-m", "pip", "install", "--disable-pip-version-check", *limits, *wanted], "pip failed")
    inspect.cache_clear()
    environment = inspect(str(python))
    content = {
        "generator": recipe.generator,
        "requirements": list(recipe.requirements),
        "python": environment.version,
        "installed": dict(environment.installed),
    }
    (recipe.folder / READY).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return environment


def _not_named(requirements: Sequence[str]) -> list[str]:
    """What every environment has to have, as far as the requirements do not speak of it."""
    from packaging.requirements import Requirement

    named = {Requirement(text).name.lower() for text in requirements}
    return [name for name in HANDED_OUT if name not in named]


def _do(command: Sequence[str], failure: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise EnvironmentBuildError(
            f"{failure}: {command[0]}: {error.strerror}", "name a Python with --python"
        ) from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-LINES_SHOWN:]
        raise EnvironmentBuildError(
            "\n  ".join([f"{failure}: {' '.join(command)}", *said]), "correct the requirements, or try another --python"
        )
