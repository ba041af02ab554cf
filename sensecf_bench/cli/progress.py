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

from sensecf_bench.engine.cells import CellSpec
from sensecf_bench.engine.observers import Quiet


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


class Lines(Quiet):
    """One line a new cell on standard error, and one for all that were stored; what a log file gets."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self.stored = 0

    def stage(self, name: str) -> None:
        if name == "scoring" and self.stored:
            self.console.print("1 cell was" if self.stored == 1 else f"{self.stored} cells were", "stored already")

    def cell_finished(self, cell: CellSpec, record: Mapping[str, Any], reused: bool) -> None:
        if reused:
            self.stored += 1
        else:
            self.console.print(describe(cell, record), markup=False)

    def warn(self, message: str) -> None:
        self.console.print(f"warning: {message}", markup=False)


class Live(Lines):
    """The same lines above a live bar: cells, shards, rate, time left."""

    def __init__(self, bar: Progress) -> None:
        super().__init__(bar.console)
        self._bar = bar
        self._cells = bar.add_task("planning", total=None)
        self._shards = bar.add_task("shards", total=None, visible=False)
        self._missing = self._in_flight = self._closed = 0

    def stage(self, name: str) -> None:
        super().stage(name)
        self._bar.update(self._cells, description=name)
        if name == "scoring":
            self._bar.update(self._shards, completed=self._missing)

    def planned(self, cells: int, shards: int) -> None:
        self._missing = shards
        self._bar.update(self._cells, total=cells)
        self._bar.update(self._shards, total=shards, visible=shards > 0)

    def shards_in_flight(self, done: int) -> None:
        if self.stored:  # taken up again: how many shards of a closed cell were new, only its last count says
            self._closed += max(0, self._in_flight - done)
        self._in_flight = done
        self._bar.update(self._shards, completed=min(self._missing, self._closed + done))

    def cell_finished(self, cell: CellSpec, record: Mapping[str, Any], reused: bool) -> None:
        super().cell_finished(cell, record, reused)
        self._bar.advance(self._cells)
        if not self.stored:
            self._closed += -(-record["asked"] // cell.shard_size)

    def retrained(self, done: int, arms: int) -> None:
        self._bar.update(self._cells, completed=done, total=arms)


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


def describe(cell: CellSpec, record: Mapping[str, Any]) -> str:
    """What became of a cell, in one line."""
    outcomes = ", ".join(f"{count} {name.lower()}" for name, count in record["outcomes"].items() if count)
    mark = "failed" if record["status"] == "failed" else "done"
    return f"{mark:<6} {cell.title}: {outcomes} ({record['spent']['seconds']:.1f} s)"
