"""Discovery: which plugins are there, what each brought, and why one is not usable.

Entry points are loaded one by one, each is checked, and each hook is called alone, so that a broken plugin becomes a
report line with its name and never costs the others anything.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, cast

import pluggy

from sensecf_bench import hookspecs
from sensecf_bench.contracts import KINDS, Classifier, Dataset, Generator, Metric, Plugin, PluginKind
from sensecf_bench.errors import PluginError, Unavailable, UnknownNameError

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

    def names(self, kind: PluginKind) -> list[str]:
        return sorted(self._found[kind])

    def get(self, kind: PluginKind, name: str) -> Registered:
        """Raises UnknownNameError, with the nearest known names."""
        try:
            return self._found[kind][name]
        except KeyError:
            broken = [r.name for r in self.reports if r.status == "broken"]
            fix = f"a broken plugin may have brought it ({', '.join(broken)}): see `sensecf-bench list plugins`"
            raise UnknownNameError(kind, name, self._found[kind], fix if broken else "") from None

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
    return Registry(*_settle_collisions(reports, brought, manager))


def find_class(where: tuple[str, str, str]) -> type[Plugin]:
    """Find a registered class again, in another process. The inverse of `Registered.where`."""
    file, module_name, qualified = where
    found: Any = load_file(Path(file)) if file else importlib.import_module(module_name)
    for part in qualified.split("."):
        found = getattr(found, part)
    return cast("type[Plugin]", found)


def load_file(path: Path) -> ModuleType:
    """Import a single-file plugin under a module name of its own. Raises PluginError when there is no such file."""
    path = path.resolve()
    name = f"sensecf_bench_plugin_{path.stem}"
    if name in sys.modules and getattr(sys.modules[name], "__file__", None) == str(path):
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise PluginError(f"plugin file {path} is not a Python file that can be read", "give the path of a .py file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _sources(files: Sequence[Path]) -> Iterator[_Source]:
    own_version = importlib.metadata.version("sensecf-bench")
    for name, module in BUILT_IN.items():
        yield _Source(name, lambda m=module: importlib.import_module(m), "sensecf-bench", own_version)  # type: ignore[misc]
    for entry in sorted(importlib.metadata.entry_points(group=ENTRY_POINTS), key=lambda e: e.name):
        dist = entry.dist
        yield _Source(entry.name, entry.load, dist.name if dist else "", dist.version if dist else "")
    for file in files:
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
    found = []
    for cls in classes:
        if not (isinstance(cls, type) and issubclass(cls, KINDS[kind])):
            raise PluginError(f"hook {hook} returned {cls!r}, which is no {KINDS[kind].__name__} class")
        if not isinstance(getattr(cls, "name", None), str):
            raise PluginError(f"{cls.__qualname__} has no name", "set the class attribute `name`")
        if not NAME.fullmatch(cls.name):
            raise PluginError(
                f"{cls.__qualname__}: {cls.name!r} is no name", "use lower-case letters, digits, '-', '.', '@'"
            )
        found.append((kind, Registered(cls, source.name, source.distribution, source.version, source.file)))
    return found


def _settle_collisions(
    reports: list[PluginReport], brought: list[tuple[PluginKind, Registered]], manager: pluggy.PluginManager
) -> tuple[tuple[PluginReport, ...], pluggy.PluginManager, dict[PluginKind, dict[str, Registered]]]:
    """A name that two plugins bring is refused to both, and each report names the other."""
    owners: dict[tuple[PluginKind, str], list[Registered]] = {}
    for kind, registered in brought:
        owners.setdefault((kind, registered.cls.name), []).append(registered)
    found: dict[PluginKind, dict[str, Registered]] = {kind: {} for kind in KINDS}
    for (kind, name), rivals in owners.items():
        if len(rivals) == 1:
            found[kind][name] = rivals[0]
            continue
        who = " and ".join(f"{r.plugin} ({r.cls.__module__}.{r.cls.__qualname__})" for r in rivals)
        reports = [
            replace(
                r, status="broken", reason=f"{kind} {name!r} is claimed by {who}", fix="rename or block one of them"
            )
            if r.name in {rival.plugin for rival in rivals}
            else r
            for r in reports
        ]
    return tuple(reports), manager, found
