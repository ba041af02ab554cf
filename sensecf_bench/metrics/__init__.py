"""The built-in metrics, one a file, registered through the same hook as a stranger's."""

from __future__ import annotations

from sensecf_bench.contracts import Metric
from sensecf_bench.hookspecs import hookimpl


@hookimpl
def sensecf_metrics() -> list[type[Metric]]:
    return []
