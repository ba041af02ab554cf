"""sensecf-bench: a benchmark of counterfactual generators for clinical and wearable data.

This is what plugin authors import, and nothing else. Names are loaded on first use, so that the command line can answer
without loading numpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sensecf_bench.contracts import (
        Classifier,
        CounterfactualBatch,
        Dataset,
        Feature,
        FeatureSchema,
        Generator,
        LinearConstraint,
        MeanMetric,
        Metric,
        PluginOptions,
        QueryBatch,
        Table,
        Task,
        Unavailable,
        Usage,
    )
    from sensecf_bench.hookspecs import hookimpl
    from sensecf_bench.queries import Query

__all__ = [
    "Classifier",
    "CounterfactualBatch",
    "Dataset",
    "Feature",
    "FeatureSchema",
    "Generator",
    "LinearConstraint",
    "MeanMetric",
    "Metric",
    "PluginOptions",
    "Query",
    "QueryBatch",
    "Table",
    "Task",
    "Unavailable",
    "Usage",
    "hookimpl",
]
_ELSEWHERE = {"hookimpl": "sensecf_bench.hookspecs", "Query": "sensecf_bench.queries"}


def __getattr__(name: str) -> Any:
    import importlib

    if name == "__version__":
        import importlib.metadata

        return importlib.metadata.version("sensecf-bench")
    if name not in __all__:
        raise AttributeError(f"module 'sensecf_bench' has no attribute {name!r}")
    return getattr(importlib.import_module(_ELSEWHERE.get(name, "sensecf_bench.contracts")), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
