"""Whether a counterfactual lies where training rows lie, all features taken together."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.metrics.rowwise import RowMetric, fitted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.judged import Judged
    from sensecf_bench.schema import FeatureSchema, Matrix

LOF_NEIGHBOURS = 20
NEIGHBOURS = 5


class PlausibilityLOF(RowMetric):
    """Share of counterfactuals that the local outlier factor finds no outlier among the training rows.

    1(LOF₂₀(x*) ≤ 1.5) in Gower's distance (Breunig, Kriegel, Ng and Sander 2000; scikit-learn's threshold). Fitted on the
    distinct training rows: more than 20 equal rows would have infinite density, and whoever stands beside them would be
    called an outlier (Breunig et al. meet it with "k-distinct" distances). With n ≤ 20 distinct rows, n − 1 neighbours;
    undefined with fewer than two.
    """

    name = "plausibility-lof"
    direction = "higher"
    unit = "share"
    is_share = True
    of_factuals = True

    def of_rows(self, judged: Judged, part: slice) -> Matrix | NDArray[np.bool_]:
        schema, reference = judged.schema, judged.reference
        model = fitted(reference, "lof", partial(_local_outlier_factor, schema, reference.rows))
        rows = judged.rows[part]
        if model is None:
            return np.full(len(rows), np.nan)
        inlier: NDArray[np.bool_] = model.predict(schema.embed(rows)) == 1
        return inlier


class PlausibilityKNN(RowMetric):
    """Mean Gower distance from a counterfactual to the 5 nearest training rows of the target class.

    (1/5) Σ distance(x*, t) over the 5 training rows t nearest to x* whose true label is the target class (all of them
    where there are fewer): the yNN idea of Pawelczyk et al. 2021 (CARLA) as a distance. A copied training row counts
    itself, at 0. Undefined where no training row is labelled with the target class.
    """

    name = "plausibility-knn"
    direction = "lower"
    unit = "Gower distance"
    of_factuals = True

    def of_rows(self, judged: Judged, part: slice) -> Matrix:
        schema, reference = judged.schema, judged.reference
        targets = judged.target[judged.owner[part]]
        points = schema.embed(judged.rows[part])
        mean = np.full(len(points), np.nan)
        for target in np.unique(targets):
            fit = partial(_nearest, schema, reference.rows[reference.labels == target])
            model = fitted(reference, f"knn-{target}", fit)
            if model is None:
                continue
            gaps, _ = model.kneighbors(points[targets == target])
            mean[targets == target] = gaps.mean(axis=1) / len(schema)
        return mean


def _local_outlier_factor(schema: FeatureSchema, rows: Matrix) -> Any:
    from sklearn.neighbors import LocalOutlierFactor

    distinct = np.unique(rows, axis=0)
    if len(distinct) < 2:
        return None
    neighbours = min(LOF_NEIGHBOURS, len(distinct) - 1)
    model = LocalOutlierFactor(n_neighbors=neighbours, metric="manhattan", novelty=True)
    return model.fit(schema.embed(distinct))


def _nearest(schema: FeatureSchema, rows: Matrix) -> Any:
    from sklearn.neighbors import NearestNeighbors

    if not len(rows):
        return None
    return NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(rows)), metric="manhattan").fit(schema.embed(rows))
