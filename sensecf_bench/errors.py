"""Every error a user can meet, each with what is wrong, how to mend it, and the exit code it leads to."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, get_args

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError

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


class ClaimedNameError(UnknownNameError):
    """A name that several plugins bring, so that none of them gets it."""

    def __init__(self, kind: str, name: str, owners: Iterable[str]) -> None:
        BenchError.__init__(
            self, f"{kind} {name!r} is claimed by {' and '.join(owners)}", "rename or block one of them"
        )


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


class OverBudgetError(BenchError):
    """A call would cost more than is left of what may be spent."""


class EnvironmentBuildError(BenchError):
    """An environment for a generator could not be built."""

    exit_code = EXIT_NOTHING_RAN


def describe(error: ValidationError, model: type[BaseModel], content: object = None, noun: str = "option") -> str:
    """All that is wrong, one phrase a field. With the content that was checked, items of a list go by their names."""
    return "; ".join(_phrase(problem, model, content, noun) for problem in error.errors())


def _phrase(problem: Mapping[str, Any], model: type[BaseModel], content: object, noun: str) -> str:
    *above, last = problem["loc"] or ("",)
    given = problem["input"]
    if problem["type"] == "extra_forbidden":
        known = _fields_at(model, above)
        near = difflib.get_close_matches(str(last), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
        place = f"{_place(above, content)}: " if above else ""
        return f"{place}unknown {noun} {str(last)!r}; {hint}"
    words = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "string_type" and isinstance(given, bool):
        words += ": YAML reads no, off and false as one thing, and yes, on and true; put the word in quotes"
    elif problem["type"] == "string_type" and isinstance(given, int | float):
        words += ": put the number in quotes"
    got = "" if isinstance(given, Mapping) else f" (got {given!r})"  # the whole mapping would bury the field
    return f"{_place(problem['loc'], content)}: {words}{got}"


def _place(location: Iterable[int | str], content: object) -> str:
    parts = []
    for part in location:
        try:
            content = content[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            content = None
        name = content.get("name") if isinstance(part, int) and isinstance(content, Mapping) else None
        parts.append(name if isinstance(name, str) else str(part))
    return ".".join(parts)


def _fields_at(model: Any, location: Iterable[int | str]) -> list[str]:
    """The fields of the model that stands at a place within another."""
    for part in location:
        if isinstance(part, str):
            inner = getattr(model, "model_fields", {}).get(part)
            model = _model_in(inner.annotation) if inner is not None else None
    return list(getattr(model, "model_fields", {}))


def _model_in(annotation: Any) -> Any:
    if hasattr(annotation, "model_fields"):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_in(arg)) is not None), None)


def _rebuilt(cls: type[BenchError], message: str, fix: str) -> BenchError:
    """Carry an error from one process to another whatever its constructor takes."""
    error = cls.__new__(cls)
    BenchError.__init__(error, message, fix)
    return error
