"""What is checked: a plugin class, and where another process finds it."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from sensecf_bench.contracts import KINDS, Plugin, PluginKind
from sensecf_bench.errors import PluginError, UnknownNameError
from sensecf_bench.registry import Registered, Registry, discover
from sensecf_bench.testing.verdicts import NotChecked


@dataclass(frozen=True)
class Subject:
    """A class under examination. `python` is the interpreter its generator runs under, this one if it is empty."""

    kind: PluginKind
    cls: type[Plugin]
    where: tuple[str, str, str]
    given: tuple[tuple[str, Any], ...] = ()  # options, as somebody chose them
    python: str = ""

    @property
    def name(self) -> str:
        return str(getattr(self.cls, "name", self.cls.__qualname__))

    @property
    def expected_failures(self) -> Mapping[str, str]:
        """Reasons by check, as its author declares them."""
        declared: Mapping[str, str] = getattr(self.cls, "expected_failures", {})
        return declared

    def make(self) -> Any:
        """An instance of its own for every use, so that no check sees what another left behind."""
        return self.cls(self.cls.Options.model_validate(dict(self.given)))


def made(subject: Subject) -> Any:
    """An instance. Raises NotChecked for a class that cannot be made without being told options."""
    try:
        return subject.make()
    except ValidationError as error:
        raise NotChecked("it cannot be made with its defaults: see options-have-defaults") from error


def subject_of(what: type[Plugin] | str) -> Subject:
    """The subject for a class, or for a name that `sensecf-bench list` shows.

    Raises UnknownNameError for a name nobody brings, PluginError for a class that is no plugin's.
    """
    if isinstance(what, str):
        return named(what, installed())[0]
    kind = next((k for k, base in KINDS.items() if isinstance(what, type) and issubclass(what, base)), None)
    if kind is None:
        raise PluginError(f"{what!r} is no plugin class", "pass a Generator, Classifier, Metric or Dataset, or a name")
    return Subject(kind, what, where_is(what))


def named(name: str, registry: Registry) -> list[Subject]:
    """The subjects a name stands for: of whichever kinds have it, `NAME:ARGUMENT` for a dataset that takes one."""
    name, _, argument = name.partition(":")
    found = [subject(kind, registry.get(kind, name)) for kind in KINDS if name in registry.names(kind)]
    if not found:
        known = [known for kind in KINDS for known in registry.names(kind)]
        raise UnknownNameError("generator, classifier, metric or dataset", name, known)
    return [_with_argument(s, argument) for s in found] if argument else found


def subject(kind: PluginKind, registered: Registered) -> Subject:
    return Subject(kind, registered.cls, registered.where)


def where_is(cls: type[Plugin]) -> tuple[str, str, str]:
    """File, module and qualified name, as `Registered.where`: by its file when no other process could import its module,
    as with a class that is written beside its test."""
    module = sys.modules.get(cls.__module__)
    file = inspect.getsourcefile(cls) if module is not None and hasattr(module, "__file__") else None
    if file is None or _importable(cls.__module__, Path(file).resolve()):
        return "", cls.__module__, cls.__qualname__
    return str(Path(file).resolve()), cls.__module__, cls.__qualname__


@functools.cache
def installed() -> Registry:
    """What is installed, found once: nobody installs a plugin in the middle of a check."""
    return discover()


def _with_argument(subject: Subject, argument: str) -> Subject:
    option = getattr(subject.cls, "argument", None)
    if option is None:
        raise PluginError(f"{subject.kind} {subject.name!r} takes no argument (got {argument!r})", "leave it out")
    value = str(Path(argument).resolve())
    return Subject(subject.kind, subject.cls, subject.where, ((cast("str", option), value),), subject.python)


def _importable(module: str, file: Path) -> bool:
    """Whether a process with this one's search path would import this very file under that name."""
    search, spec, dotted = None, None, ""
    for part in module.split("."):
        dotted = f"{dotted}.{part}" if dotted else part
        spec = PathFinder.find_spec(dotted, search)
        if spec is None:
            return _editable(module, file)
        search = spec.submodule_search_locations
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == file


def _editable(module: str, file: Path) -> bool:
    """Whether the class comes from an installation that has a finder of its own, as editable ones may."""
    for finder in sys.meta_path:
        if finder is PathFinder or not getattr(finder, "__module__", type(finder).__module__).startswith(
            "__editable__"
        ):
            continue
        found = finder.find_spec(module, None)
        if found is not None and found.origin is not None and Path(found.origin).resolve() == file:
            return True
    return False
