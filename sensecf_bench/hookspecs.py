"""The hooks a plugin may implement, under the entry-point group `sensecf_bench`.

Hooks return classes, so that a plugin can be tested without a host. The harness calls them one plugin at a time: a hook
that raises becomes a line in `sensecf-bench list plugins` and never takes another plugin with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from sensecf_bench.contracts import Classifier, Dataset, Generator, Metric

PROJECT = "sensecf_bench"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def sensecf_generators() -> list[type[Generator]]:  # type: ignore[empty-body]
    """Called once at discovery: return the generator classes this plugin brings."""


@hookspec
def sensecf_classifiers() -> list[type[Classifier]]:  # type: ignore[empty-body]
    """Called once at discovery: return the classifier classes this plugin brings."""


@hookspec
def sensecf_metrics() -> list[type[Metric]]:  # type: ignore[empty-body]
    """Called once at discovery: return the metric classes this plugin brings."""


@hookspec
def sensecf_datasets() -> list[type[Dataset]]:  # type: ignore[empty-body]
    """Called once at discovery: return the dataset classes this plugin brings."""


@hookspec
def sensecf_cell_started(cell: Mapping[str, Any]) -> None:
    """Called in the main process when the first shard of a cell is sent out; `cell` names what is being run, and as
    `scarcity` which training rows were taken away, if any were."""


@hookspec
def sensecf_cell_finished(record: Mapping[str, Any]) -> None:
    """Called in the main process when a cell's record has been stored."""


@hookspec
def sensecf_run_finished(summary: Mapping[str, Any]) -> None:
    """Called once in the main process after `results.json` has been written, with its contents."""
