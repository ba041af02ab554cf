"""What a generator says of its own counterfactuals: counted, and a few kept to be quoted. Nothing in here is scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sensecf_bench.engine.shards import RATIONALE
from sensecf_bench.prompting.values import number_text
from sensecf_bench.schema import QUERY_ID

if TYPE_CHECKING:
    import pandas as pd

    from sensecf_bench.schema import Feature, FeatureSchema, Matrix

MOST_EXAMPLES = 3


@dataclass(frozen=True)
class Change:
    """A feature that a row changes by more than its precision; the values as text in raw units."""

    feature: str
    unit: str
    before: str
    after: str


@dataclass(frozen=True)
class Example:
    """A valid counterfactual of one query, and the generator's own words about it."""

    query: str
    changes: tuple[Change, ...]
    rationale: str


@dataclass(frozen=True)
class Said:
    """What was said in one cell. `withheld` is why no row of it may be shown; there are no examples then."""

    rows: int
    with_rationale: int
    withheld: str
    examples: tuple[Example, ...]


def said(queries: pd.DataFrame, rows: pd.DataFrame, schema: FeatureSchema, restricted: str) -> Said:
    """What the stored tables of a cell hold of rationales; `restricted` is why its rows may not be passed on, if so."""
    spoken = int((rows[RATIONALE] != "").sum())
    return Said(len(rows), spoken, restricted, () if restricted else _examples(queries, rows, schema))


def _examples(queries: pd.DataFrame, rows: pd.DataFrame, schema: FeatureSchema) -> tuple[Example, ...]:
    """The first queries by id that have an admitted row in the target class with a rationale, each by its best such row."""
    target = rows[QUERY_ID].map(dict(zip(queries[QUERY_ID], queries["cf_target"], strict=True)))
    valid = rows[(rows["cf_reason"] == "") & (rows["cf_predicted"] == target) & (rows[RATIONALE] != "")]
    chosen = valid.sort_values([QUERY_ID, "cf_rank"]).drop_duplicates(QUERY_ID).head(MOST_EXAMPLES)
    factuals = queries.set_index(QUERY_ID).loc[chosen[QUERY_ID]]
    before, after = schema.encode(factuals), schema.encode(chosen)
    return tuple(
        Example(query, _changes(schema, *pair), rationale)
        for query, rationale, *pair in zip(chosen[QUERY_ID], chosen[RATIONALE], before, after, strict=True)
    )


def _changes(schema: FeatureSchema, before: Matrix, after: Matrix) -> tuple[Change, ...]:
    changed = schema.changed(after[None], before[None])[0]
    return tuple(
        Change(f.name, f.unit, _text(f, before[j]), _text(f, after[j]))
        for j, f in enumerate(schema.features)
        if changed[j]
    )


def _text(feature: Feature, code: float) -> str:
    return str(number_text(feature, code)) if feature.is_numeric else feature.levels[int(code)]
