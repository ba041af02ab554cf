"""Discovery: which plugins are there, what each brought, and why one is not usable.

Entry points are loaded one by one, each is checked, and each hook is called alone, so that a broken plugin becomes a
report line with its name and never costs the others anything.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

import pluggy
from pydantic import ValidationError

from sensecf_bench import hookspecs
from sensecf_bench.contracts import KINDS, Classifier, Dataset, Generator, Metric, Plugin, PluginKind, PluginOptions
from sensecf_bench.errors import ClaimedNameError, PluginError, Unavailable, UnknownNameError, describe
from sensecf_bench.loading import load_file

ENTRY_POINTS = "sensecf_bench"
NAME = re.compile(r"[a-z0-9]+([-.@]+[a-z0-9]+)*")
BUILT_IN = {
    "built-in generators": "sensecf_bench.generators",
    "built-in classifiers": "sensecf_bench.classifiers",
    "built-in metrics": "sensecf_bench.metrics",
    "built-in datasets": "sensecf_bench.datasets",
}
HOOKS: dict[str, PluginKind] = {
    "sensecf_generators": "generator",
    "sensecf_classifiers": "classifier",
    "sensecf_metrics": "metric",
    "sensecf_datasets": "dataset",
}
DIRECTIONS = ("higher", "lower", "none")
Status = Literal["ok", "broken", "unavailable", "blocked"]


@dataclass(frozen=True)
class PluginReport:
    """One line of `sensecf-bench list plugins`."""

    name: str
    status: Status
    distribution: str = ""
    version: str = ""
    provides: tuple[str, ...] = ()
    reason: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Registered:
    """A class some plugin brought, and where another process can find it again."""

    cls: type[Plugin]
    plugin: str
    distribution: str
    version: str
    file: str = ""

    @property
    def where(self) -> tuple[str, str, str]:
        """File (empty for an installed module), module and qualified name."""
        return self.file, self.cls.__module__, self.cls.__qualname__


@dataclass(frozen=True)
class Registry:
    """Everything that was found, by kind and name."""

    reports: tuple[PluginReport, ...]
    manager: pluggy.PluginManager
    _found: dict[PluginKind, dict[str, Registered]] = field(repr=False)
    _claims: dict[tuple[PluginKind, str], tuple[str, ...]] = field(default_factory=dict, repr=False)  # by several
    _files: frozenset[str] = frozenset()
    _blocked: tuple[str, ...] = ()

    def refuse_mistakes(self) -> None:
        """Hold the user to what was named one by one, while discovery puts up with everything.

        Raises PluginError when a single-file plugin is broken, UnknownNameError when a blocked plugin does not exist.
        """
        reported = [r.name for r in self.reports]
        for name in self._blocked:
            if name not in reported:
                raise UnknownNameError("plugin", name, reported, "block a name of `sensecf-bench list plugins`")
        broken = [r for r in self.reports if r.name in self._files and r.status == "broken"]
        if broken:
            reasons = "; ".join(f"plugin file {r.name} is broken: {r.reason}" for r in broken)
            raise PluginError(reasons, "; ".join(dict.fromkeys(r.fix for r in broken if r.fix)))

    def names(self, kind: PluginKind) -> list[str]:
        return sorted(self._found[kind])

    def get(self, kind: PluginKind, name: str) -> Registered:
        """Raises UnknownNameError, with the nearest known names or the plugins that quarrel over this one."""
        if name in self._found[kind]:
            return self._found[kind][name]
        if (kind, name) in self._claims:
            raise ClaimedNameError(kind, name, self._claims[kind, name])
        raise UnknownNameError(kind, name, self._found[kind], self._who_may_have_brought_it())

    def _who_may_have_brought_it(self) -> str:
        absent = [f"{r.name} is {r.status}" for r in self.reports if r.status != "ok"]
        if not absent:
            return ""
        return f"one of these plugins may have brought it ({', '.join(absent)}): see `sensecf-bench list plugins`"

    def generator(self, name: str) -> type[Generator]:
        return cast("type[Generator]", self.get("generator", name).cls)

    def classifier(self, name: str) -> type[Classifier]:
        return cast("type[Classifier]", self.get("classifier", name).cls)

    def metric(self, name: str) -> type[Metric]:
        return cast("type[Metric]", self.get("metric", name).cls)

    def dataset(self, name: str) -> type[Dataset]:
        return cast("type[Dataset]", self.get("dataset", name).cls)


@dataclass(frozen=True)
class _Source:
    name: str
    load: Callable[[], object]
    distribution: str = ""
    version: str = ""
    file: str = ""


def discover(files: Sequence[Path] = (), blocked: Sequence[str] = ()) -> Registry:
    """Load every plugin: the built-in ones, installed entry points, and single files."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    reports: list[PluginReport] = []
    brought: list[tuple[PluginKind, Registered]] = []
    for source in _sources(files):
        origin = PluginReport(source.name, "ok", source.distribution, source.version)
        if source.name in blocked:
            reports.append(replace(origin, status="blocked", reason="blocked by configuration"))
            continue
        try:
            found = _take(manager, source)
        except Unavailable as bows_out:
            reports.append(replace(origin, status="unavailable", reason=bows_out.reason, fix=bows_out.fix))
        except (Exception, SystemExit) as error:  # noqa: BLE001 a stranger's import may raise anything; the report names it
            cause = error.message if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
            fix = error.fix if isinstance(error, PluginError) else "repair or uninstall the plugin"
            reports.append(replace(origin, status="broken", reason=cause, fix=fix))
        else:
            reports.append(replace(origin, provides=tuple(f"{kind} {r.cls.name}" for kind, r in found)))
            brought.extend(found)
    found_by_kind, claims = _settle_collisions(brought)
    settled = tuple(_with_claims(report, claims) for report in reports)
    owners = {key: tuple(r.plugin for r in rivals) for key, rivals in claims.items()}
    return Registry(settled, manager, found_by_kind, owners, frozenset(map(str, files)), tuple(blocked))


def _sources(files: Sequence[Path]) -> Iterator[_Source]:
    own_version = importlib.metadata.version("sensecf-bench")
    for name, module in BUILT_IN.items():
        yield _Source(name, lambda m=module: importlib.import_module(m), "sensecf-bench", own_version)  # type: ignore[misc]
    for entry in sorted(importlib.metadata.entry_points(group=ENTRY_POINTS), key=lambda e: e.name):
        dist = entry.dist
        yield _Source(entry.name, entry.load, dist.name if dist else "", dist.version if dist else "")
    for file in {file.resolve(): file for file in reversed(files)}.values():  # one named twice is one
        yield _Source(str(file), lambda f=file: load_file(f), "file", "", str(file.resolve()))  # type: ignore[misc]


def _take(manager: pluggy.PluginManager, source: _Source) -> list[tuple[PluginKind, Registered]]:
    module = source.load()
    hooks = [name for name in vars(hookspecs) if name.startswith("sensecf_")]
    marked = [name for name, value in vars(module).items() if hasattr(value, f"{hookspecs.PROJECT}_impl")]
    misspelt = sorted(set(marked) - set(hooks))
    if misspelt:
        raise PluginError(f"no such hook: {', '.join(misspelt)}", f"the hooks are {', '.join(hooks)}")
    if not marked:
        raise PluginError("it implements no hook of sensecf-bench", "mark one with @sensecf_bench.hookimpl")
    manager.register(module, name=source.name)
    try:
        found = [pair for hook, kind in HOOKS.items() for pair in _call(manager, module, hook, kind, source)]
    except BaseException:
        manager.unregister(module)
        raise
    return found


def _call(
    manager: pluggy.PluginManager, module: object, hook: str, kind: PluginKind, source: _Source
) -> list[tuple[PluginKind, Registered]]:
    caller = getattr(manager.hook, hook)
    implementation = next((i for i in caller.get_hookimpls() if i.plugin is module), None)
    if implementation is None:
        return []
    classes = implementation.function()
    if not isinstance(classes, list | tuple):
        raise PluginError(f"hook {hook} returned {type(classes).__name__}", "return a list of classes")
    for cls in classes:
        _check(cls, kind, hook)
    origin = (source.name, source.distribution, source.version, source.file)
    return [(kind, Registered(cls, *origin)) for cls in classes]


def _check(cls: Any, kind: PluginKind, hook: str) -> None:
    """Raises PluginError for a class that would only fail once it is used."""
    if not (isinstance(cls, type) and issubclass(cls, KINDS[kind])):
        raise PluginError(f"hook {hook} returned {cls!r}, which is no {KINDS[kind].__name__} class")
    title = cls.__qualname__
    if not isinstance(getattr(cls, "name", None), str):
        raise PluginError(f"{title} has no name", "set the class attribute `name`")
    if not NAME.fullmatch(cls.name):
        raise PluginError(f"{title}: {cls.name!r} is no name", "use lower-case letters, digits, '-', '.', '@'")
    if abstract := getattr(cls, "__abstractmethods__", None):
        missing = ", ".join(f"`{name}`" for name in sorted(abstract))
        raise PluginError(f"{title} lacks {missing}", f"write {missing}")
    if issubclass(cls, Metric):
        _check_metric(cls)
    _check_options(cls)


def _check_metric(cls: type[Metric]) -> None:
    direction, unit = getattr(cls, "direction", None), getattr(cls, "unit", None)
    if direction not in DIRECTIONS:
        choice = " or ".join(map(repr, DIRECTIONS))
        raise PluginError(f"{cls.__qualname__}: direction is {direction!r}", f"set `direction` to {choice}")
    if not isinstance(unit, str):
        raise PluginError(f"{cls.__qualname__}: unit is {unit!r}", "set `unit` to text, empty where there is none")


def _check_options(cls: type[Plugin]) -> None:
    """Options must be there without being asked for: `list` shows them, and `all` takes them."""
    title = cls.__qualname__
    if not (isinstance(cls.Options, type) and issubclass(cls.Options, PluginOptions)):
        raise PluginError(f"{title}: its Options are no PluginOptions", "derive them from sensecf_bench.PluginOptions")
    try:
        cls.Options().model_dump(mode="json")
    except ValidationError as error:
        cause = describe(error, cls.Options)
        raise PluginError(f"{title}: its options have no defaults: {cause}", "give each option a default") from error
    except Exception as error:
        cause = f"{type(error).__name__}: {error}"
        raise PluginError(f"{title}: its options cannot be written as JSON: {cause}", "use plain values") from error


def _settle_collisions(
    brought: list[tuple[PluginKind, Registered]],
) -> tuple[dict[PluginKind, dict[str, Registered]], dict[tuple[PluginKind, str], list[Registered]]]:
    """Classes by kind and name, and the names that several bring: those are refused to all of them."""
    owners: dict[tuple[PluginKind, str], list[Registered]] = {}
    for kind, registered in brought:
        owners.setdefault((kind, registered.cls.name), []).append(registered)
    found: dict[PluginKind, dict[str, Registered]] = {kind: {} for kind in KINDS}
    for (kind, name), rivals in owners.items():
        if len(rivals) == 1:
            found[kind][name] = rivals[0]
    return found, {key: rivals for key, rivals in owners.items() if len(rivals) > 1}


def _with_claims(report: PluginReport, claims: Mapping[tuple[PluginKind, str], Sequence[Registered]]) -> PluginReport:
    """Name to each rival the others."""
    quarrels = []
    for (kind, name), rivals in claims.items():
        if report.name in {r.plugin for r in rivals}:
            who = " and ".join(f"{r.plugin} ({r.cls.__module__}.{r.cls.__qualname__})" for r in rivals)
            quarrels.append(f"{kind} {name!r} is claimed by {who}")
    if not quarrels:
        return report
    return replace(report, status="broken", reason="; ".join(quarrels), fix="rename or block one of them")
