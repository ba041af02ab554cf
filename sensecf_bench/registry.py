"""Discovery: which plugins are there, what each brought, and why one is not usable.

Plugins are loaded one by one, each is checked, and each hook is called alone, so that a broken plugin becomes a report
line with its name and never costs the others anything. What is not built in is rehearsed in another process first.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pluggy

from sensecf_bench import hookspecs
from sensecf_bench.contracts import KINDS, Classifier, Dataset, Generator, Metric, Plugin, PluginKind
from sensecf_bench.discovery.inspection import DIRECTIONS, HOOKS, take
from sensecf_bench.discovery.rehearsal import rehearse
from sensecf_bench.discovery.sources import BUILT_IN, ENTRY_POINTS, Source, built_in, strangers
from sensecf_bench.discovery.verdicts import Status, Verdict, verdict_of
from sensecf_bench.errors import ClaimedNameError, PluginError, UnknownNameError
from sensecf_bench.leftovers import contained
from sensecf_bench.quiet import hushed

__all__ = [
    "BUILT_IN",
    "DIRECTIONS",
    "ENTRY_POINTS",
    "HOOKS",
    "PluginReport",
    "Registered",
    "Registry",
    "Status",
    "discover",
]


BLOCKED = Verdict("blocked", "blocked by configuration")


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
    warnings: tuple[str, ...] = ()


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


def discover(files: Sequence[Path] = (), blocked: Sequence[str] = (), folder: Path | None = None) -> Registry:
    """Load every plugin: the built-in ones, installed entry points, single files, and the files of a folder.

    Raises ConfigError when the folder is none; whatever is wrong with a plugin is in its report.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    reports: list[PluginReport] = []
    brought: list[tuple[PluginKind, Registered]] = []

    def enter(source: Source, verdict: Verdict) -> None:
        report, found = _loaded(manager, source, verdict)
        reports.append(report)
        brought.extend(found)

    for source in built_in():
        enter(source, BLOCKED if source.name in blocked else Verdict())
    others = list(strangers(files, folder))
    wanted = [source for source in others if source.name not in blocked]
    rehearsed = iter(rehearse(wanted, lambda module, source: take(manager, module, source.name)))
    for source in others:
        enter(source, BLOCKED if source.name in blocked else next(rehearsed))
    found_by_kind, claims = _settle_collisions(brought)
    settled = tuple(_with_claims(report, claims) for report in reports)
    owners = {key: tuple(r.plugin for r in rivals) for key, rivals in claims.items()}
    return Registry(settled, manager, found_by_kind, owners, frozenset(map(str, files)), tuple(blocked))


def _loaded(
    manager: pluggy.PluginManager, source: Source, verdict: Verdict
) -> tuple[PluginReport, list[tuple[PluginKind, Registered]]]:
    """Load what came through its rehearsal into this process; its report, and what it brought."""
    found: list[tuple[PluginKind, Registered]] = []
    if verdict.status == "ok":
        origin = (source.name, source.distribution, source.version, source.file)
        try:
            with hushed(), contained() if verdict.leaves else contextlib.nullcontext():
                classes = take(manager, source.load(), source.name)
            found = [(kind, Registered(cls, *origin)) for kind, cls in classes]
        except (Exception, SystemExit) as error:  # noqa: BLE001 a stranger's import may raise anything; the report names it
            verdict = replace(verdict_of(error, source), warnings=verdict.warnings)
    report = PluginReport(
        source.name,
        verdict.status,
        source.distribution,
        source.version,
        tuple(f"{kind} {r.cls.name}" for kind, r in found),
        verdict.reason,
        verdict.fix,
        verdict.warnings,
    )
    return report, found


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
