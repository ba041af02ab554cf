"""Generators that follow, or would like to follow, the explained classifier's derivatives."""

import numpy as np

from sensecf_bench import Generator, hookimpl

STEPS = 40


class UpTheSlope(Generator):
    """Walks up the slope of the target class's probability in coordinates scaled by the training ranges."""

    name = "up-the-slope"
    access = "gradient"
    batch_size = None

    def generate(self, queries):
        schema, rows = queries.schema, queries.matrix.copy()
        span, (low, high) = schema.scales.span, schema.hard_bounds
        moves = schema.mutable & schema.numeric
        for _ in range(STEPS):
            slopes = np.where(moves, self.task.gradient(rows) * span, 0.0)
            largest = np.abs(slopes).max(axis=1, keepdims=True)
            rows = np.clip(rows + 0.02 * span * slopes / np.where(largest == 0, 1, largest), low, high)
        return schema.decode(rows).assign(query_id=list(queries.ids))


class AsksAboveItsTier(UpTheSlope):
    """Declares less than it asks for."""

    name = "asks-above-its-tier"
    access = "training-data"


@hookimpl
def sensecf_generators():
    return [UpTheSlope, AsksAboveItsTier]
