"""What anybody could do without a counterfactual: ways of filling up a scarce class that generators must beat.

Each adds, to every class in `missing`, as many rows as it lacks (or as few as there are), and raises Impossible where
it cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.augmentation.material import Impossible, Material, Reduced
from sensecf_bench.augmentation.smote import smote

if TYPE_CHECKING:
    from sensecf_bench.schema import Matrix

DUPLICATION = 1  # what tells its draws from those of scarcity under the same seed


def duplication(reduced: Reduced) -> Material:
    """Repeat the retained rows of the class evenly: each ⌊missing / n⌋ times, and a random part of them once more."""
    parts = []
    for c, missing in _to_fill(reduced):
        rows = reduced.of_class(c)
        times, over = divmod(missing, len(rows))
        chosen = np.random.default_rng((reduced.seed, c, DUPLICATION)).permutation(len(rows))[:over]
        parts.append((c, np.vstack([np.tile(rows, (times, 1)), rows[np.sort(chosen)]])))
    return _added(reduced, parts)


def class_weights(reduced: Reduced) -> Material:
    """Let a retained row of the class count as 1 + missing / n rows: in theory the same as repeating it so often."""
    weights = np.ones(len(reduced.rows))
    to_fill = list(_to_fill(reduced))
    if not to_fill:
        return reduced.as_is
    for c, missing in to_fill:
        ours = reduced.labels == c
        weights[ours] += missing / ours.sum()
    return Material(reduced.schema, reduced.rows, reduced.labels, weights)


def synthetic_minority(reduced: Reduced) -> Material:
    """SMOTE, or SMOTENC and SMOTEN where some or all features have no order: see `smote`."""
    return _added(reduced, [(c, smote(reduced, c, missing)) for c, missing in _to_fill(reduced)])


def flipped_neighbours(reduced: Reduced) -> Material:
    """Add retained rows of the other class with the label turned: those nearest to a retained row of the class.

    Nearest by Gower distance; of equals, the earlier. No more than the other class has rows.
    """
    parts = []
    for c, missing in _to_fill(reduced):
        others = reduced.of_class(1 - c)
        gaps = _gaps_to_nearest(reduced, others, reduced.of_class(c))
        parts.append((c, others[np.argsort(gaps, kind="stable")[:missing]]))
    return _added(reduced, parts)


CONTROLS: Mapping[str, Callable[[Reduced], Material]] = MappingProxyType(
    {
        "duplication": duplication,
        "class-weights": class_weights,
        "smote": synthetic_minority,
        "flipped-neighbours": flipped_neighbours,
    }
)


def _to_fill(reduced: Reduced) -> Iterator[tuple[int, int]]:
    """Each class that lacks rows, and how many; Impossible where either class has no row at all."""
    there = np.bincount(reduced.labels, minlength=2)
    for c in (0, 1):
        if not there[c]:
            raise Impossible(f"no training row of class {c} is left")
    for c, missing in sorted(reduced.missing.items()):
        if missing:
            yield c, missing


def _added(reduced: Reduced, parts: list[tuple[int, Matrix]]) -> Material:
    if not parts:
        return reduced.as_is
    labels = np.concatenate([np.full(len(rows), c, dtype=np.int64) for c, rows in parts])
    return reduced.with_rows(np.vstack([rows for _, rows in parts]), labels)


def _gaps_to_nearest(reduced: Reduced, rows: Matrix, among: Matrix) -> Matrix:
    from sklearn.neighbors import NearestNeighbors

    model = NearestNeighbors(n_neighbors=1, metric="manhattan").fit(reduced.schema.embed(among))
    gaps: Matrix = model.kneighbors(reduced.schema.embed(rows))[0][:, 0]
    return gaps
