"""The built-in metrics, one idea a file, registered through the same hook as a stranger's."""

from __future__ import annotations

from sensecf_bench.contracts import Metric
from sensecf_bench.hookspecs import hookimpl
from sensecf_bench.metrics.actionability import Actionability
from sensecf_bench.metrics.copying import Copying
from sensecf_bench.metrics.cost import CostCalls, CostRows, CostSeconds, CostTokens, CostUSD
from sensecf_bench.metrics.coverage import Coverage
from sensecf_bench.metrics.cross_validity import CrossValidity
from sensecf_bench.metrics.distance import Distance, DistanceL2
from sensecf_bench.metrics.diversity import Diversity
from sensecf_bench.metrics.feature_entropy import FeatureEntropy
from sensecf_bench.metrics.neighbours import PlausibilityKNN, PlausibilityLOF
from sensecf_bench.metrics.plausibility import Plausibility
from sensecf_bench.metrics.sparsity import Sparsity, SparsityShare
from sensecf_bench.metrics.validity import FlipRate, Validity


@hookimpl
def sensecf_metrics() -> list[type[Metric]]:
    return [
        Coverage,
        Validity,
        FlipRate,
        CrossValidity,
        Sparsity,
        SparsityShare,
        Distance,
        DistanceL2,
        Plausibility,
        PlausibilityLOF,
        PlausibilityKNN,
        Actionability,
        Diversity,
        FeatureEntropy,
        Copying,
        CostSeconds,
        CostCalls,
        CostRows,
        CostTokens,
        CostUSD,
    ]
