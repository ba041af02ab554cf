"""The five scores of a retrained classifier on test rows, also under weights, for many predictions at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.contracts import ratio, settled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.schema import Mask, Matrix

SCORES = ("accuracy", "precision", "recall", "f1", "auc")
CUT = 0.5  # a row is called positive above it


def scores(truth: Mask, probability: Matrix) -> dict[str, float | None]:
    """Accuracy, precision, recall, F1 and area under the ROC curve of `(m,)` probabilities of the positive class.

    As scikit-learn has them with `zero_division=0`, AUC of `settled` probabilities; None where a score is not defined: AUC
    without rows of both classes, and all of them without a row.
    """
    values = weighted_scores(truth, probability[None], np.ones((len(truth), 1)))[0, :, 0]
    return {name: float(value) if np.isfinite(value) else None for name, value in zip(SCORES, values, strict=True)}


def weighted_scores(truth: Mask, probabilities: Matrix, weights: Matrix) -> Matrix:
    """The scores of each of `(v, m)` probabilities under each of `(m, n)` weightings of the rows, shape `(v, 5, n)`.

    In the order of `SCORES`; NaN where a score is not defined.
    """
    truth = np.asarray(truth, dtype=bool)
    called = probabilities > CUT
    total, positive = weights.sum(axis=0), weights[truth].sum(axis=0)
    hits = (called & truth).astype(np.float64) @ weights
    claims = called.astype(np.float64) @ weights
    values = np.empty((len(probabilities), len(SCORES), weights.shape[1]))
    values[:, 0] = ratio(total - claims - positive + 2 * hits, np.broadcast_to(total, hits.shape))
    values[:, 1] = _or_zero(hits, claims)
    values[:, 2] = _or_zero(hits, np.broadcast_to(positive, hits.shape))
    values[:, 3] = _or_zero(2 * hits, claims + positive)
    values[:, 1:4, total == 0] = np.nan
    ours, theirs = weights[truth], weights[~truth]
    pairs = positive * theirs.sum(axis=0)
    for v, probability in enumerate(settled(probabilities)):
        values[v, 4] = ratio(_won(probability[truth], probability[~truth], ours, theirs), pairs)
    return values


def _or_zero(numerator: Matrix, denominator: Matrix) -> Matrix:
    return np.divide(numerator, denominator, out=np.zeros(numerator.shape), where=denominator != 0)


def _won(positive: Matrix, negative: Matrix, ours: Matrix, theirs: Matrix) -> Matrix:
    """The weight of pairs in which the positive row has the higher probability, half where they tie: Mann and Whitney's
    U, by sorting once for all weightings."""
    order: NDArray[np.intp] = np.argsort(negative, kind="stable")
    below = np.zeros((len(negative) + 1, theirs.shape[1]))
    np.cumsum(theirs[order], axis=0, out=below[1:])
    first, last = (np.searchsorted(negative[order], positive, side) for side in ("left", "right"))
    won: Matrix = np.einsum("pn,pn->n", ours, below[first] + below[last]) / 2
    return won
