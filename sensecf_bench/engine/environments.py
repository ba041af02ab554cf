"""Environments that generators run in: what is installed in them, and which one a generator gets.

A generator runs in the environment of the harness unless the user names another interpreter for it, or its requirements
are not met here and `sensecf-bench plugin env create` has built one that meets them.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sensecf_bench.engine.foreign import FOLDER
from sensecf_bench.engine.versions import installed
from sensecf_bench.errors import ConfigError, Unavailable

if TYPE_CHECKING:
    from sensecf_bench.contracts import Generator

HANDED_OUT = ("numpy", "pandas")  # what the contracts are written in, so that every environment has to have them
READY = "sensecf-bench.json"  # written into an environment when everything is installed
PROBE_SECONDS = 60


@dataclass(frozen=True)
class Environment:
    """An interpreter and what is installed for it, by distribution."""

    python: str
    version: str
    installed: Mapping[str, str]

    def versions(self, requirements: Sequence[str]) -> dict[str, str]:
        """What can change an answer: the interpreter, the libraries that matter most by name, and all others as a hash."""
        named = [_name(r) for r in requirements]
        listed = {name: v for name in (*HANDED_OUT, *named) if (v := self.version_of(name)) is not None}
        everything = json.dumps(sorted(self.installed.items())).encode()
        return {**listed, "python": self.version, "environment": hashlib.sha256(everything).hexdigest()[:16]}

    def version_of(self, name: str) -> str | None:
        from packaging.utils import canonicalize_name

        wanted = canonicalize_name(name)
        return next((v for n, v in self.installed.items() if canonicalize_name(n) == wanted), None)


def environment_for(cls: type[Generator], chosen: Path | None, file: str = "") -> Environment | None:
    """The environment a generator runs in; None is the harness's own. `file` is the single-file plugin it comes from.

    Raises Unavailable when its requirements are met nowhere, ConfigError when the interpreter that was chosen is none.
    """
    if chosen is not None:
        environment = inspect(str(chosen))
        _refuse_unmet(cls.requirements, environment)
        return environment
    python = built_for(cls, file)
    if python is None:
        return None
    environment = inspect(str(python))
    _refuse_unmet(cls.requirements, environment)
    return environment


def built_for(cls: type[Generator], file: str = "") -> Path | None:
    """The interpreter of the environment that was built for a generator, if its requirements are not met here; it is not
    started. Raises Unavailable when there is none."""
    missing = unmet(cls.requirements, installed)
    if not missing:
        return None
    if is_ready(cls.name):
        return interpreter(cls.name)
    create = f"sensecf-bench plugin env create {cls.name}" + (f" --plugin {file}" if file else "")
    raise Unavailable(f"needs {', '.join(missing)}", f"give it an environment of its own: {create}")


def unmet(requirements: Sequence[str], version_of: Callable[[str], str | None]) -> list[str]:
    """The requirements that are not met, each with what is there instead."""
    if not requirements:
        return []
    from packaging.requirements import Requirement

    missing = []
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        version = version_of(requirement.name)
        if version is None:
            missing.append(f"{text} (not installed)")
        elif not requirement.specifier.contains(version, prereleases=True):
            missing.append(f"{text} ({version} is installed)")
    return missing


@functools.cache
def inspect(python: str) -> Environment:
    """Ask an interpreter what it is and what is installed for it. Raises ConfigError when it is no Python that will do."""
    found = Path(os.path.abspath(Path(python).expanduser()))  # noqa: PTH100 a link in an environment must stay the link
    if not (found.is_file() and os.access(found, os.X_OK)):
        raise ConfigError(f"{python} is no interpreter", "give the path of an environment's bin/python")
    try:
        done = subprocess.run(
            [found, "-I", FOLDER / "probe.py"], capture_output=True, text=True, timeout=PROBE_SECONDS, check=True
        )
        said = json.loads(done.stdout)
        version, installed, supported = said["python"], said["installed"], said["supported"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        words = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1:]
        raise ConfigError(
            f"{python} cannot be used as a Python: {''.join(words)}", "give the path of an environment's bin/python"
        ) from error
    if not supported:
        raise ConfigError(f"{python} is Python {version}", "use Python 3.9 or later")
    return Environment(str(found), version, installed)


def home(generator: str) -> Path:
    """Where the environment that is built for a generator lies."""
    import platformdirs

    return platformdirs.user_data_path("sensecf-bench") / "environments" / generator


def interpreter(generator: str) -> Path:
    """The Python of the environment that is built for a generator."""
    return home(generator) / "bin" / "python"


def is_ready(generator: str) -> bool:
    """Whether its environment was built to the end."""
    return (home(generator) / READY).exists()


def _refuse_unmet(requirements: Sequence[str], environment: Environment) -> None:
    if missing := unmet((*HANDED_OUT, *requirements), environment.version_of):
        named = " ".join(f"'{r.partition(' (')[0]}'" for r in missing)
        raise Unavailable(
            f"{environment.python} lacks {', '.join(missing)}", f"{environment.python} -m pip install {named}"
        )


def _name(requirement: str) -> str:
    from packaging.requirements import Requirement

    return Requirement(requirement).name
