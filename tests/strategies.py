"""Random schemas of every kind of feature, and rows that fit them, for property tests."""

import numpy as np
from hypothesis import strategies as st

from sensecf_bench.contracts import Feature, FeatureSchema

KINDS = ("continuous", "integer", "binary", "ordinal", "categorical")
WIDEST = 1e6

column_names = st.text(
    st.characters(categories=("L", "N"), include_characters=" _-/²"), min_size=1, max_size=12
).filter(lambda name: name != "query_id" and not name.startswith("cf_"))
level_names = st.text(st.characters(categories=("L", "N"), include_characters=" _-<>"), min_size=1, max_size=8)


@st.composite
def features(draw, name, kinds=KINDS):
    """One valid feature of any kind, with or without bounds, precision and restrictions."""
    kind = draw(st.sampled_from(kinds))
    entry = {"name": name, "kind": kind, "mutable": draw(st.booleans()), "unit": draw(st.sampled_from(["", "mg/dL"]))}
    if kind != "categorical":
        entry["direction"] = draw(st.sampled_from(["any", "increase", "decrease"]))
    if kind in ("continuous", "integer"):
        whole = st.integers(-1000, 1000)
        edges = sorted(draw(st.tuples(whole, whole).filter(lambda pair: pair[0] != pair[1])))
        entry["bounds"] = tuple(draw(st.sampled_from([edge, None])) for edge in edges)
        if kind == "continuous":
            entry["precision"] = draw(st.sampled_from([None, 1e-3, 0.1, 0.5, 1.0, 10.0]))
    else:
        most = 2 if kind == "binary" else 5
        entry["levels"] = tuple(draw(st.lists(level_names, min_size=2, max_size=most, unique=True)))
    return Feature(**entry)


@st.composite
def schemas(draw, most=5, kinds=KINDS):
    """A schema of up to `most` features with different names."""
    names = draw(st.lists(column_names, min_size=1, max_size=most, unique=True))
    return FeatureSchema(tuple(draw(features(name, kinds)) for name in names))


def cells(feature):
    """Internal codes of one feature's domain."""
    if feature.is_numeric:
        low = -WIDEST if feature.bounds[0] is None else feature.bounds[0]
        high = WIDEST if feature.bounds[1] is None else feature.bounds[1]
        if feature.kind == "integer":
            return st.integers(int(low), int(high)).map(float)
        return st.floats(low, high)
    return st.integers(0, len(feature.levels) - 1).map(float)


@st.composite
def matrices(draw, schema, least=1, most=6):
    """Between `least` and `most` rows within the schema, in internal coding."""
    n = draw(st.integers(least, most))
    columns = [draw(st.lists(cells(f), min_size=n, max_size=n)) for f in schema.features]
    return np.array(columns, dtype=np.float64).reshape(len(schema), n).T.copy()


@st.composite
def tables(draw, least=1, most=6):
    """A schema with scales frozen from some rows, and those rows."""
    schema = draw(schemas())
    rows = draw(matrices(schema, least, most))
    return schema.with_scales(rows), rows
