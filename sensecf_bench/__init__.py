"""sensecf-bench: a benchmark of counterfactual generators for clinical and wearable data.

This is what plugin authors import, and nothing else.
"""

from importlib.metadata import version

from sensecf_bench.contracts import (
    Classifier,
    CounterfactualBatch,
    Dataset,
    Feature,
    FeatureSchema,
    Generator,
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

__version__ = version("sensecf-bench")

__all__ = [
    "Classifier",
    "CounterfactualBatch",
    "Dataset",
    "Feature",
    "FeatureSchema",
    "Generator",
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
