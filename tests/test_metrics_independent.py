"""Distances and neighbours against scipy and scikit-learn, by coordinates that owe nothing to the schema."""

import dataclasses
import math

import numpy as np

from sensecf_bench.contracts import Feature, FeatureSchema
from sensecf_bench.judged import Judged, Reference, Spent
from sensecf_bench.metrics import sensecf_metrics
from sensecf_bench.queries import Outcome

BUILT_IN = {cls.name: cls for cls in sensecf_metrics()}
FEATURES = (
    Feature(name="age", kind="integer"),
    Feature(name="glucose", kind="continuous", precision=1.0),
    Feature(name="sex", kind="binary", levels=("f", "m")),
    Feature(name="stage", kind="ordinal", levels=("low", "mid", "high")),
    Feature(name="drug", kind="categorical", levels=("a", "b", "c")),
)


def random_case(n=200, seed=1):
    rng = np.random.default_rng(seed)
    training, factuals, rows = (
        np.column_stack(
            [
                rng.integers(18, 91, m),
                rng.uniform(40, 400, m),
                rng.integers(0, 2, m),
                rng.integers(0, 3, m),
                rng.integers(0, 3, m),
            ]
        ).astype(float)
        for m in (300, n, n)
    )
    ones = np.ones(n, dtype=np.int64)
    return Judged(
        schema=FeatureSchema(FEATURES).with_scales(training),
        factuals=factuals,
        target=ones,
        outcomes=(Outcome.FOUND,) * n,
        owner=np.arange(n),
        rows=rows,
        predicted=ones,
        panel={},
        reference=Reference(training, rng.integers(0, 2, 300)),
        spent=Spent(*np.ones((5, n))),
    )


def coordinates(matrix, training):
    """Numbers and ranks min-max scaled, unordered levels one-hot, by scikit-learn and without the schema's help."""
    from sklearn.preprocessing import MinMaxScaler, OneHotEncoder

    ordered, unordered = [0, 1, 3], [2, 4]
    scaled = MinMaxScaler().fit(training[:, ordered]).transform(matrix[:, ordered])
    levels = OneHotEncoder(categories=[[0.0, 1.0], [0.0, 1.0, 2.0]], sparse_output=False)
    return scaled, levels.fit_transform(matrix[:, unordered])


def test_distances_agree_with_scipy():
    from scipy.spatial.distance import cityblock, euclidean

    case = random_case()
    numbers, levels = zip(*(coordinates(m, case.reference.rows) for m in (case.factuals, case.rows)), strict=True)
    gower = [
        (cityblock(numbers[0][i], numbers[1][i]) + 0.5 * cityblock(levels[0][i], levels[1][i])) / 5 for i in range(200)
    ]
    # A changed level moves two one-hot columns, each by 1/√2 of what it should add to a squared distance of 1.
    l2 = [
        math.hypot(euclidean(numbers[0][i], numbers[1][i]), euclidean(levels[0][i], levels[1][i]) / math.sqrt(2))
        for i in range(200)
    ]
    np.testing.assert_allclose(BUILT_IN["distance"]().values(case), gower, rtol=1e-12)
    np.testing.assert_allclose(BUILT_IN["distance-l2"]().values(case), l2, rtol=1e-12)


def test_knn_agrees_with_a_sorted_table_of_all_distances():
    from scipy.spatial.distance import cdist

    case = random_case()
    own = case.reference.rows[case.reference.labels == 1]
    points = [np.hstack([a, 0.5 * b]) for a, b in (coordinates(m, case.reference.rows) for m in (case.rows, own))]
    nearest = np.sort(cdist(*points, metric="cityblock"), axis=1)[:, :5].mean(axis=1) / 5
    np.testing.assert_allclose(BUILT_IN["plausibility-knn"]().values(case), nearest, rtol=1e-9)


def test_lof_agrees_with_scikit_learn():
    from sklearn.neighbors import LocalOutlierFactor

    case = random_case(n=2000)
    far = case.rows.copy()
    far[:20, 1] += 2000
    far[20:, 1] += np.linspace(0, 400, 1980)  # from within to well outside, so that the threshold itself is tried
    case = dataclasses.replace(case, rows=far)
    training, points = (
        np.hstack([a, 0.5 * b]) for a, b in (coordinates(m, case.reference.rows) for m in (case.reference.rows, far))
    )

    def inliers(metric):
        model = LocalOutlierFactor(n_neighbors=20, metric=metric, novelty=True).fit(training)
        return model.predict(points) == 1

    ours = BUILT_IN["plausibility-lof"]().values(case)
    np.testing.assert_array_equal(ours, inliers("manhattan"))
    assert (ours != inliers("euclidean")).any()
    assert not ours[:20].any() and 0.2 < ours[20:].mean() < 0.99
