"""From what a user names on the command line to the classes that are checked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

from sensecf_bench.contracts import KINDS, Generator
from sensecf_bench.engine.environments import environment_for
from sensecf_bench.errors import EXIT_CELLS_FAILED, NothingRan, PluginError, UnknownNameError
from sensecf_bench.registry import PluginReport, Registry, discover
from sensecf_bench.testing.subject import Subject, named, subject


class BrokenPluginError(PluginError):
    """The plugin that was to be checked cannot even be loaded."""

    exit_code = EXIT_CELLS_FAILED


def look_up(what: str) -> list[Subject]:
    """The subjects that a plugin, a file or a component's name stands for.

    Raises UnknownNameError, BrokenPluginError, or NothingRan for a plugin that has nothing to check.
    """
    file = Path(what)
    if file.suffix == ".py" or file.is_file():
        registry = discover([file])
        return _brought_by(str(file), registry)
    registry = discover()
    if what in [report.name for report in registry.reports]:
        return _brought_by(what, registry)
    try:
        return named(what, registry)
    except UnknownNameError as error:
        plugins = [report.name for report in registry.reports]
        error.fix = f"name one of these, a .py file, or a plugin: {', '.join(plugins)}"
        error.args = (f"{error.message}\n  fix: {error.fix}",)
        raise


def elsewhere(subject: Subject, python: Path | None) -> Subject:
    """The same generator under another interpreter. Raises Unavailable or ConfigError when that does not meet its needs."""
    if python is None or subject.kind != "generator":
        return subject
    environment = environment_for(cast("type[Generator]", subject.cls), python)
    return subject if environment is None else replace(subject, python=environment.python)


def _brought_by(plugin: str, registry: Registry) -> list[Subject]:
    (report,) = [r for r in registry.reports if r.name == plugin]
    _refuse(report)
    found = [
        subject(kind, registered)
        for kind in KINDS
        for name in registry.names(kind)
        if (registered := registry.get(kind, name)).plugin == plugin
    ]
    if not found:
        raise NothingRan(f"plugin {plugin!r} brings nothing to check", "return classes from one of its hooks")
    return found


def _refuse(report: PluginReport) -> None:
    if report.status == "broken":
        raise BrokenPluginError(f"plugin {report.name} is broken: {report.reason}", report.fix)
    if report.status != "ok":
        raise NothingRan(f"plugin {report.name} is {report.status}: {report.reason}", report.fix)
