"""Every error a user can meet, each with what is wrong, how to mend it, and the exit code it leads to."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

EXIT_OK = 0
EXIT_CELLS_FAILED = 1
EXIT_USAGE = 2
EXIT_NOTHING_RAN = 3
EXIT_STALE = 4
EXIT_INTERNAL = 5
EXIT_INTERRUPTED = 130


class BenchError(Exception):
    """Base of all errors raised on purpose: `message` says what and where, `fix` how to mend it."""

    exit_code = EXIT_USAGE

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(f"{message}\n  fix: {fix}" if fix else message)
        self.message = message
        self.fix = fix

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.message, self.fix)


class ConfigError(BenchError):
    """The configuration of a run is wrong."""


class UnknownNameError(BenchError):
    """A name that no plugin registered, with the nearest names that exist."""

    def __init__(self, kind: str, name: str, known: Iterable[str], fix: str = "") -> None:
        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"known: {', '.join(names) or 'none'}"
        super().__init__(f"unknown {kind} {name!r}; {hint}", fix)


class SchemaError(BenchError):
    """A schema is wrong in itself, or a table disagrees with it."""


class DataError(BenchError):
    """A table cannot be benchmarked as it is: missing values, one class, constant features."""


class RunFolderError(BenchError):
    """A results folder cannot be used: unwritable, foreign, or from another configuration."""


class NothingRan(BenchError):
    """A run in which not one cell was carried out is a failure."""

    exit_code = EXIT_NOTHING_RAN


class WorkersDiedError(BenchError):
    """Worker processes died again and again."""

    exit_code = EXIT_INTERNAL


class StaleError(BenchError):
    """A leaderboard is not what its records say."""

    exit_code = EXIT_STALE


class Unavailable(BenchError):
    """A generator bows out before anything runs: `reason`, and the `fix` that would make it available."""

    def __init__(self, reason: str, fix: str = "") -> None:
        super().__init__(reason, fix)

    @property
    def reason(self) -> str:
        return self.message


class AccessError(BenchError):
    """A generator asked its task for more than the access tier it declares."""


class PluginError(BenchError):
    """A plugin cannot be loaded or breaks the contract of a hook."""


def _rebuilt(cls: type[BenchError], message: str, fix: str) -> BenchError:
    """Carry an error from one process to another whatever its constructor takes."""
    error = cls.__new__(cls)
    BenchError.__init__(error, message, fix)
    return error
