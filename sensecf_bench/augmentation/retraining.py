"""A classifier trained anew on what an arm offers, and what it then says of the test rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.augmentation.material import Impossible, Material
from sensecf_bench.errors import BenchError

if TYPE_CHECKING:
    from sensecf_bench.contracts import Classifier
    from sensecf_bench.schema import Matrix


def retrained(classifier: Classifier, material: Material, test_rows: Matrix, seed: int, positive: int) -> Matrix:
    """Fit a fresh classifier and return its probability of class `positive` on the test rows, shape `(m,)`.

    Raises Impossible, with the reason, for material of one class, weights that the classifier cannot take, rows that
    it refuses to be fitted to, and predictions that are no probabilities.
    """
    if len(np.unique(material.labels)) < 2:
        raise Impossible("there are training rows of one class only")
    if material.weights is not None and not classifier.weighted:
        raise Impossible(f"classifier {classifier.name!r} takes no weights")
    try:
        if material.weights is None:
            classifier.fit(material.schema, material.rows, material.labels, seed)
        else:
            classifier.fit_weighted(material.schema, material.rows, material.labels, material.weights, seed)
    except BenchError as error:
        raise Impossible(error.message, error.fix) from error
    except Exception as error:  # a classifier may be anybody's
        what = f"classifier {classifier.name!r} cannot be fitted: {type(error).__name__}: {error}"
        raise Impossible(what) from error
    probabilities = np.asarray(classifier.predict_proba(test_rows), dtype=np.float64)
    if probabilities.shape != (len(test_rows), 2) or not np.isfinite(probabilities).all():
        raise Impossible(f"classifier {classifier.name!r} did not return two finite probabilities for each test row")
    of_positive: Matrix = probabilities[:, positive]
    return of_positive
