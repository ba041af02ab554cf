"""Plugins for people: a line each, with what it brought, and below it what is wrong or remarkable."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from sensecf_bench.registry import PluginReport

WIDEST_NAME = 40  # a file's path may be longer
UNBROKEN = 1_000_000  # lines that go to a program or a file stay whole
COLOURS = {"ok": "green", "broken": "red", "unavailable": "yellow", "blocked": "blue"}


def show_plugins(reports: Sequence[PluginReport]) -> None:
    """Write the table to standard output, as wide as the terminal."""
    names = min(max((len(r.name) for r in reports), default=0), WIDEST_NAME)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else UNBROKEN
    for report in reports:
        status = typer.style(f"{report.status:<11}", fg=COLOURS[report.status])
        typer.echo(f"{status}  {report.name:<{names}}  {_origin(report)}".rstrip())
        for line in _details(report):
            typer.echo(
                textwrap.fill(
                    line, max(width, 40), initial_indent="    ", subsequent_indent="      ", break_on_hyphens=False
                )
            )


def _origin(report: PluginReport) -> str:
    return f"{report.distribution} {report.version}".strip()


def _details(report: PluginReport) -> Iterator[str]:
    by_kind: dict[str, list[str]] = {}
    for item in report.provides:
        kind, _, name = item.partition(" ")
        by_kind.setdefault(kind, []).append(name)
    for kind, names in by_kind.items():
        yield f"{kind}{'s' if len(names) > 1 else ''}: {', '.join(names)}"
    if report.reason:
        yield f"reason: {report.reason}"
    if report.fix:
        yield f"fix: {report.fix}"
    for warning in report.warnings:
        yield f"warning: {warning}"
