"""Who is told how a run gets on: the terminal, and the plugins that asked to be. All in the main process."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from sensecf_bench.engine.cells import CellSpec

if TYPE_CHECKING:
    from sensecf_bench.registry import Registry


class Observer(Protocol):
    """Told of stages by name, of cells as they start and finish, of shards still in flight, and of how many arms of
    augmentation have been retrained."""

    def stage(self, name: str) -> None: ...
    def planned(self, cells: int, shards: int) -> None: ...
    def cell_started(self, cell: CellSpec) -> None: ...
    def shards_in_flight(self, done: int) -> None: ...
    def cell_finished(self, cell: CellSpec, record: Mapping[str, Any], reused: bool) -> None: ...
    def retrained(self, done: int, arms: int) -> None: ...
    def warn(self, message: str) -> None: ...


class Quiet:
    """An observer that says nothing; a base for those that want to hear of little."""

    def stage(self, name: str) -> None: ...
    def planned(self, cells: int, shards: int) -> None: ...
    def cell_started(self, cell: CellSpec) -> None: ...
    def shards_in_flight(self, done: int) -> None: ...
    def cell_finished(self, cell: CellSpec, record: Mapping[str, Any], reused: bool) -> None: ...
    def retrained(self, done: int, arms: int) -> None: ...
    def warn(self, message: str) -> None: ...


class WithPlugins:
    """Passes everything on to an observer, and cells to the plugins' hooks, each called alone."""

    def __init__(self, observer: Observer, registry: Registry) -> None:
        self._observer, self._registry = observer, registry
        self.stage: Callable[[str], None] = observer.stage
        self.planned: Callable[[int, int], None] = observer.planned
        self.shards_in_flight: Callable[[int], None] = observer.shards_in_flight
        self.retrained: Callable[[int, int], None] = observer.retrained
        self.warn: Callable[[str], None] = observer.warn

    def cell_started(self, cell: CellSpec) -> None:
        self._observer.cell_started(cell)
        c = cell.context
        named = {"dataset": c.dataset.name, "classifier": c.classifier.name, "seed": c.seed}
        scarce = {"scarcity": c.scarcity.label} if c.scarcity else {}
        self._tell("sensecf_cell_started", cell={**named, "generator": cell.generator.name, **scarce})

    def cell_finished(self, cell: CellSpec, record: Mapping[str, Any], reused: bool) -> None:
        self._observer.cell_finished(cell, record, reused)
        self._tell("sensecf_cell_finished", record=record)

    def run_finished(self, summary: Mapping[str, Any]) -> None:
        self._tell("sensecf_run_finished", summary=summary)

    def _tell(self, hook: str, **news: object) -> None:
        """Call a hook of every plugin that has it, each with a copy: what they do to it stays with them."""
        for implementation in getattr(self._registry.manager.hook, hook).get_hookimpls():
            try:
                implementation.function(**{name: copy.deepcopy(news[name]) for name in implementation.argnames})
            except Exception as error:  # noqa: BLE001 a plugin that only listens must not stop the run; it is named
                self.warn(f"plugin {implementation.plugin_name}: {hook} raised {type(error).__name__}: {error}")
