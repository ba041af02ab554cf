"""How a run looks while it goes on: a live bar on a terminal, and one line a cell as it finishes."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from sensecf_bench.engine.observers import Quiet
from sensecf_bench.engine.plan import CellSpec


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


class Lines(Quiet):
    """One line a cell on standard error; what a log file gets."""

    def __init__(self) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)

    def cell_finished(self, cell: CellSpec, record: Mapping[str, Any], reused: bool) -> None:
        self.console.print(describe(cell, record, reused), markup=False)

    def warn(self, message: str) -> None:
        self.console.print(f"warning: {message}", markup=False)


class Live(Lines):
    """The same lines above a live bar: cells, shards, rate, time left."""

    def __init__(self, bar: Progress) -> None:
        self.console, self._bar = bar.console, bar
        self._cells = bar.add_task("planning", total=None)
        self._shards = bar.add_task("shards", total=None, visible=False)
        self._closed = 0

    def stage(self, name: str) -> None:
        self._bar.update(self._cells, description=name)

    def planned(self, cells: int, shards: int) -> None:
        self._bar.update(self._cells, total=cells)
        self._bar.update(self._shards, total=shards, visible=shards > 0)

    def shards_in_flight(self, done: int) -> None:
        self._bar.update(self._shards, completed=self._closed + done)

    def cell_finished(self, cell: CellSpec, record: Mapping[str, Any], reused: bool) -> None:
        super().cell_finished(cell, record, reused)
        self._bar.advance(self._cells)
        if not reused:
            self._closed += -(-record["asked"] // cell.shard_size)
            self._bar.update(self._shards, completed=self._closed)


@contextlib.contextmanager
def progress() -> Iterator[Lines]:
    """An observer for this terminal, or for a log when standard error is none."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True, highlight=False), transient=True) as bar:
        yield Live(bar)


def describe(cell: CellSpec, record: Mapping[str, Any], reused: bool) -> str:
    """What became of a cell, in one line."""
    outcomes = ", ".join(f"{count} {name.lower()}" for name, count in record["outcomes"].items() if count)
    took = "stored" if reused else f"{record['spent']['seconds']:.1f} s"
    mark = "failed" if record["status"] == "failed" else "done"
    return f"{mark:<6} {cell.title}: {outcomes} ({took})"
