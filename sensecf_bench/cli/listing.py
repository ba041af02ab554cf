"""`sensecf-bench list`: what is there, and why something is not."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from sensecf_bench.cli.plugin_table import show_plugins
from sensecf_bench.errors import Unavailable

if TYPE_CHECKING:
    from sensecf_bench.contracts import PluginKind
    from sensecf_bench.registry import Registry


class What(StrEnum):
    generators = "generators"
    classifiers = "classifiers"
    metrics = "metrics"
    datasets = "datasets"
    plugins = "plugins"


def list_(
    what: Annotated[What, typer.Argument(help="What to list.")],
    plugin: Annotated[list[Path] | None, typer.Option(help="A single-file plugin to load.")] = None,
    plugins_dir: Annotated[Path | None, typer.Option(help="A folder of single-file plugins.")] = None,
    block: Annotated[list[str] | None, typer.Option(help="A plugin not to load.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="A YAML file of a run: plugins, plugins_dir and blocked are taken from it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List generators, classifiers, metrics, datasets or plugins."""
    from sensecf_bench.quiet import hushed
    from sensecf_bench.registry import discover

    files, folder, blocked = tuple(plugin or ()), plugins_dir, tuple(block or ())
    if config is not None:
        from sensecf_bench.engine.config import build_config

        given = {"plugins": plugin or None, "plugins_dir": plugins_dir, "blocked": block or None}
        settings = build_config(given, config)
        files, folder, blocked = settings.plugins, settings.plugins_dir, settings.blocked
    registry = discover(files, blocked, folder)
    with hushed():  # classes are asked for their options and whether they are available
        entries = (
            _plugins(registry) if what is What.plugins else _entries(cast("PluginKind", what.value[:-1]), registry)
        )
    if as_json:
        typer.echo(json.dumps(entries, indent=1))
    elif what is What.plugins:
        show_plugins(registry.reports)
    else:
        width = max((len(e["name"]) for e in entries), default=0)
        for entry in entries:
            typer.echo(f"{entry['name']:<{width}}  {_line(entry)}".rstrip())
    for report in registry.reports:
        if what is not What.plugins and report.status in ("broken", "unavailable"):
            cure = f" ({report.fix})" if report.fix else ""
            typer.echo(f"plugin {report.name} is {report.status}: {report.reason}{cure}", err=True)


def _entries(kind: PluginKind, registry: Registry) -> list[dict[str, Any]]:
    entries = []
    for name in registry.names(kind):
        registered = registry.get(kind, name)
        entry: dict[str, Any] = {
            "name": name,
            "description": (registered.cls.__doc__ or "").strip().partition("\n")[0],
            "plugin": registered.plugin,
            "options": registered.cls.Options().model_dump(mode="json"),
        }
        if kind == "generator":
            entry |= _generator_facts(name, registry)
        elif kind == "metric":
            metric = registry.metric(name)
            entry |= {"direction": metric.direction, "unit": metric.unit, "version": metric.version}
        entries.append(entry)
    return entries


def _generator_facts(name: str, registry: Registry) -> dict[str, Any]:
    from sensecf_bench.engine.environments import built_for

    cls = registry.generator(name)
    facts: dict[str, Any] = {"access": cls.access, "needs": [], "available": True}
    try:
        facts["needs"] = sorted(cls.needs)
        python = built_for(cls, registry.get("generator", name).file)
        if python is not None:
            facts["environment"] = str(python)
        else:
            cls().available()
    except Unavailable as bows_out:
        facts |= {"available": False, "reason": bows_out.reason, "fix": bows_out.fix}
    except (Exception, SystemExit) as error:  # noqa: BLE001 a stranger's class may raise anything; its line says so
        cause = f"{type(error).__name__}: {error}"
        facts |= {"available": False, "reason": f"broken: {cause}", "fix": "report it to the plugin's author"}
    return facts


def _plugins(registry: Registry) -> list[dict[str, Any]]:
    return [asdict(report) for report in registry.reports]


def _line(entry: dict[str, Any]) -> str:
    if entry.get("available", True):
        return str(entry["description"])
    word = "" if entry["reason"].startswith("broken: ") else "unavailable: "
    return f"{entry['description']} [{word}{entry['reason']}; {entry['fix']}]"
