"""Tasks and queries made by hand, so that tests can choose schema, rows and classifier freely."""

import numpy as np

from sensecf_bench import Feature, FeatureSchema
from sensecf_bench.testing import hand_made
from sensecf_bench.testing.hand_made import Counted, answers_of, task_of

__all__ = ["Counted", "answers_of", "queries_of", "schema_of", "task_of"]


def schema_of(levels, rows, **changes):
    """A schema with a number for each 0 in `levels`; `changes` gives one feature (`f2={...}`) other settings."""
    features = [
        Feature(
            **{"name": f"f{j}"}
            | ({"kind": "categorical", "levels": tuple("abcdefgh"[:n])} if n else {"kind": "continuous"})
            | changes.get(f"f{j}", {})
        )
        for j, n in enumerate(levels)
    ]
    return FeatureSchema(tuple(features)).with_scales(rows)


def queries_of(schema, asked, predict_proba):
    """Every row is asked to become the class it is not."""
    return hand_made.queries_of(schema, asked, predict_proba(asked).argmax(axis=1) if len(asked) else NOBODY)


NOBODY = np.empty(0, dtype=np.int64)
