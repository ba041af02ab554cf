"""`sensecf-bench list`: what is there, and why something is not."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

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
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List generators, classifiers, metrics, datasets or plugins."""
    from sensecf_bench.registry import discover

    registry = discover(plugin or ())
    entries = _plugins(registry) if what is What.plugins else _entries(cast("PluginKind", what.value[:-1]), registry)
    if as_json:
        typer.echo(json.dumps(entries, indent=1))
        return
    width = max((len(e["name"]) for e in entries), default=0)
    for entry in entries:
        typer.echo(f"{entry['name']:<{width}}  {_line(entry)}".rstrip())
    for report in registry.reports:
        if what is not What.plugins and report.status in ("broken", "unavailable"):
            typer.echo(f"plugin {report.name} is {report.status}: {report.reason} ({report.fix})", err=True)


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
    cls = registry.generator(name)
    facts: dict[str, Any] = {"access": cls.access, "needs": [], "available": True}
    try:
        facts["needs"] = sorted(cls.needs)
        cls().available()
    except Unavailable as bows_out:
        facts |= {"available": False, "reason": bows_out.reason, "fix": bows_out.fix}
    except (Exception, SystemExit) as error:  # noqa: BLE001 a stranger's class may raise anything; its line says so
        cause = f"{type(error).__name__}: {error}"
        facts |= {"available": False, "reason": f"broken: {cause}", "fix": "report it to the plugin's author"}
    return facts


def _plugins(registry: Registry) -> list[dict[str, Any]]:
    return [
        {
            "name": r.name,
            "status": r.status,
            "distribution": r.distribution,
            "version": r.version,
            "provides": list(r.provides),
            "reason": r.reason,
            "fix": r.fix,
        }
        for r in registry.reports
    ]


def _line(entry: dict[str, Any]) -> str:
    if "status" in entry:
        origin = f"{entry['distribution']} {entry['version']}".strip()
        detail = f"{entry['reason']} ({entry['fix']})" if entry["reason"] else f"{len(entry['provides'])} registered"
        return f"{entry['status']:<11} {origin}: {detail}"
    if entry.get("available", True):
        return str(entry["description"])
    word = "" if entry["reason"].startswith("broken: ") else "unavailable: "
    return f"{entry['description']} [{word}{entry['reason']}; {entry['fix']}]"
