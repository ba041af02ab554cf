"""From a stored cell back to what metrics are computed from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.judged import Judged, Reference, Spent
from sensecf_bench.queries import Outcome
from sensecf_bench.schema import QUERY_ID

if TYPE_CHECKING:
    import pandas as pd

    from sensecf_bench.engine.context import Data
    from sensecf_bench.queries import Classes
    from sensecf_bench.schema import Matrix


Panel = Callable[["Matrix"], Mapping[str, "Classes"]]  # what classifiers of the other families say of rows


def judge(queries: pd.DataFrame, rows: pd.DataFrame, reference: Reference, panel: Panel, data: Data) -> Judged:
    """Line up a cell's tables by query id, and ask the panel about the admitted rows."""
    admitted = rows[rows["cf_reason"] == ""]
    position = {query_id: i for i, query_id in enumerate(queries[QUERY_ID])}
    owner = np.array([position[i] for i in admitted[QUERY_ID]], dtype=np.intp)
    matrix = data.schema.encode(admitted)
    return Judged(
        schema=data.schema,
        factuals=data.schema.encode(queries),
        target=queries["cf_target"].to_numpy(np.int64),
        outcomes=tuple(Outcome(o) for o in queries["cf_outcome"]),
        owner=owner,
        rows=matrix,
        predicted=admitted["cf_predicted"].to_numpy(np.int64),
        panel=panel(matrix),
        reference=reference,
        spent=Spent(
            seconds=queries["cf_seconds"].to_numpy(np.float64),
            calls=queries["cf_calls"].to_numpy(np.float64),
            rows=queries["cf_rows"].to_numpy(np.float64),
            tokens=(queries["cf_prompt_tokens"] + queries["cf_completion_tokens"]).to_numpy(np.float64),
            usd=queries["cf_usd"].to_numpy(np.float64),
        ),
    )


def as_if_factuals_were_answers(judged: Judged) -> Judged:
    """The same queries answered by their own rows: how plausible the people are to whom answers are compared."""
    n = len(judged)
    return Judged(
        schema=judged.schema,
        factuals=judged.factuals,
        target=judged.target,
        outcomes=(Outcome.FOUND,) * n,
        owner=np.arange(n),
        rows=judged.factuals,
        predicted=1 - judged.target,
        panel={},
        reference=judged.reference,
        spent=judged.spent,
    )
