"""Few-shot examples: training rows of the unwanted class with a counterfactual that the classifier confirms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.prompting.values import as_written, decoded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.schema import FeatureSchema, Mask, Matrix

    Classes = NDArray[np.int64]
    Predict = Callable[[Matrix], Classes]

LOOKED_AT = 4  # people for each example wanted; the sparsest are shown, because examples teach how much to change


@dataclass(frozen=True, eq=False)
class Shot:
    """An example: a training row and a counterfactual of it, both in raw units and as a prompt writes them."""

    factual: Mapping[str, Any]
    counterfactual: Mapping[str, Any]


def choose_shots(
    schema: FeatureSchema,
    train_matrix: Matrix,
    train_classes_predicted: Classes,
    predict: Predict,
    target: int,
    n: int,
    seed: int,
) -> tuple[Shot, ...]:
    """Up to `n` examples from training rows of shape `(m, d)`; the same arguments give the same examples.

    Random people predicted otherwise than `target` are looked at. Each takes over values from the nearest row predicted
    as `target` (Gower distance) where the schema lets them, largest difference first, until the classifier says
    `target` and the schema's constraints are kept; then what is not needed is given back, smallest difference first. Whoever gets nowhere is passed over. The
    examples with the fewest changes are returned, so people near the boundary are shown more often than others. Costs
    at most `LOOKED_AT · n · (d + 1)` calls of `predict`.
    """
    donors = train_matrix[train_classes_predicted == target]
    people = np.flatnonzero(train_classes_predicted != target)
    if not len(donors):
        return ()
    found: list[tuple[int, float, Shot]] = []
    for i in np.random.default_rng(seed).permutation(people)[: n * LOOKED_AT]:
        # The example is worked out on the values as they will be written, so that what is shown is what was confirmed.
        factual = as_written(schema, train_matrix[i])
        reached = _counterfactual(schema, factual, donors, predict, target)
        if reached is not None:
            gaps = schema.gaps(reached[None], factual[None])[0]
            shot = Shot(decoded(schema, factual), decoded(schema, reached))
            found.append((int(np.count_nonzero(gaps)), float(gaps.sum()), shot))
    return tuple(shot for _, _, shot in sorted(found, key=lambda entry: entry[:2])[:n])


def _counterfactual(
    schema: FeatureSchema, factual: Matrix, donors: Matrix, predict: Predict, target: int
) -> Matrix | None:
    gaps = schema.gaps(donors, np.broadcast_to(factual, donors.shape))
    nearest = int(np.argmin(gaps.sum(axis=1)))
    donor = as_written(schema, donors[nearest])
    order = np.argsort(-gaps[nearest], kind="stable")
    order = order[_may_be_taken(schema, factual, donor)[order]]
    steps = np.repeat(factual[None], len(order) + 1, axis=0)
    for k, j in enumerate(order, start=1):
        steps[k:, j] = donor[j]
    reached = (predict(steps) == target) & schema.keeps(steps)
    if reached[0] or not reached.any():
        return None
    first = int(np.argmax(reached))
    row: Matrix = steps[first]
    taken = list(order[:first][::-1])
    while taken:
        without = np.repeat(row[None], len(taken), axis=0)
        without[np.arange(len(taken)), taken] = factual[taken]
        spare = (predict(without) == target) & schema.keeps(without)
        if not spare.any():
            break
        smallest = int(np.argmax(spare))
        row = without[smallest]
        taken.pop(smallest)
    return row


def _may_be_taken(schema: FeatureSchema, factual: Matrix, donor: Matrix) -> Mask:
    """Which values of the donor change something, shape `(d,)`, and neither an immutable feature, a direction nor a bound."""
    low, high = schema.hard_bounds
    rises = np.array([f.direction != "decrease" for f in schema.features]) & (donor > factual)
    falls = np.array([f.direction != "increase" for f in schema.features]) & (donor < factual)
    allowed: Mask = schema.mutable & (rises | falls) & (donor >= low) & (donor <= high)
    allowed &= schema.changed(donor[None], factual[None])[0]
    return allowed
