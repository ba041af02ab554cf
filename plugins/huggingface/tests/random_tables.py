"""Schemas with features of every kind, names and bounds out of the way among them, and rows that they allow."""

import numpy as np
from hypothesis import strategies as st

from sensecf_bench import Feature, FeatureSchema

NAMES = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=10) | st.sampled_from(
    [
        'say "no"',
        "back\\slash",
        "β²",
        "new\nline",
        "</s>",
        "<|eot_id|>",
        "[INST]",
        "{",
        '"}],"',
        "é\u0301",
        "\U0001f600",
        "a\0b",
    ]
)
PRECISIONS = st.sampled_from([None, 1e-300, 1e-12, 1e-7, 1e-3, 0.1, 0.25, 0.5, 1.0, 3.0, 10.0, 1e6])
EDGES = st.integers(-1000, 1000).map(float) | st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1e-9, -1e15, 1e30])


@st.composite
def features(draw, name):
    kind = draw(st.sampled_from(["continuous", "integer", "binary", "ordinal", "categorical"]))
    entry = {"name": name, "kind": kind, "mutable": draw(st.integers(0, 3)) > 0}
    if kind != "categorical":
        entry["direction"] = draw(st.sampled_from(["any", "increase", "decrease"]))
    if kind in ("continuous", "integer"):
        edges = EDGES.filter(lambda edge: abs(edge) < 2**53) if kind == "integer" else EDGES
        low, high = sorted(draw(st.lists(edges, min_size=2, max_size=2, unique=True)))
        if kind == "integer":  # without a whole number between the bounds every row would break them
            high = max(high, float(np.ceil(low)))
        entry["bounds"] = (draw(st.sampled_from([low, None])), draw(st.sampled_from([high, None])))
        entry["precision"] = draw(PRECISIONS) if kind == "continuous" else None
    else:
        most = 2 if kind == "binary" else 4
        entry["levels"] = tuple(draw(st.lists(NAMES, min_size=2, max_size=most, unique=True)))
    return Feature(**entry)


def cell(feature):
    """A code within the feature's domain, at its ends more often than chance has it."""
    if not feature.is_numeric:
        return st.integers(0, len(feature.levels) - 1).map(float)
    low = -1e6 if feature.bounds[0] is None else feature.bounds[0]
    high = max(1e6, low) if feature.bounds[1] is None else feature.bounds[1]
    low = min(low, high)
    if feature.kind == "integer":
        first, last = int(np.ceil(low)), int(np.floor(high))
        return st.one_of(st.sampled_from([first, last]), *[st.integers(first, last)] * 3).map(float)
    return st.one_of(st.sampled_from([low, high]), *[st.floats(low, high)] * 3)


def middle(matrix):
    """Training rows that half of the others lie beyond."""
    return np.quantile(matrix, [0.25, 0.75], axis=0, method="nearest")


@st.composite
def tables(draw, rows):
    names = draw(
        st.lists(
            NAMES.filter(lambda n: n != "query_id" and not n.startswith("cf_")), min_size=2, max_size=5, unique=True
        )
    )
    schema = FeatureSchema(tuple(draw(features(name)) for name in names))
    matrix = np.array([[draw(cell(f)) for f in schema.features] for _ in range(rows)])
    seen = draw(st.sampled_from([None, matrix[:1], middle(matrix), matrix]))  # with one, all who differ lie beyond it
    return (schema if seen is None else schema.with_scales(seen)), matrix
