"""What is asked of a generator and what may come back: queries, answers, and the one outcome each query ends with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.schema import QUERY_ID, FeatureSchema

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sensecf_bench.schema import Matrix

    Classes = NDArray[np.int64]

LONGEST_RATIONALE = 2_000  # characters that are kept of one


class Outcome(str, Enum):
    """Every query ends with exactly one of these, so that all generators share one denominator."""

    __str__ = str.__str__  # as a StrEnum, which older interpreters do not have

    FOUND = "FOUND"  # at least one admitted row
    ABSTAINED = "ABSTAINED"  # the generator left the query out
    UNPARSABLE = "UNPARSABLE"  # a language model answered, and nobody could read it
    REJECTED = "REJECTED"  # rows came back, and none was admitted
    ERROR = "ERROR"  # the generator raised, crashed, or broke the protocol
    TIMEOUT = "TIMEOUT"  # the deadline passed first


def query_seed(run_seed: int, query_id: str) -> int:
    """The seed of one query, in [0, 2^32): a function of the run's seed and the query's id alone, so that neither the
    order of the queries nor the way they are sharded can change an answer."""
    digest = hashlib.sha256(f"{run_seed}\x1f{query_id}".encode()).digest()
    return int.from_bytes(digest[:4], "little")


@dataclass(frozen=True)
class Query:
    """One person to be moved from class `current` to class `target`; `row` is in raw units, by feature name."""

    id: str
    row: Mapping[str, Any]
    current: int
    target: int
    seed: int


@dataclass(frozen=True, eq=False)
class QueryBatch:
    """Queries that travel together. Iterate it for `Query` objects, or take `frame` or `matrix` for all rows at once."""

    schema: FeatureSchema
    ids: tuple[str, ...]
    matrix: Matrix  # (n, d), internal coding
    current: Classes  # (n,)
    target: Classes  # (n,)
    seeds: NDArray[np.uint64]  # (n,)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def frame(self) -> pd.DataFrame:
        """The factual rows in raw units, indexed by query id; a fresh copy at each call."""
        import pandas as pd

        frame = self.schema.decode(self.matrix)
        frame.index = pd.Index(list(self.ids), name=QUERY_ID)
        return frame

    def __iter__(self) -> Iterator[Query]:
        rows = self.schema.decode(self.matrix).to_dict("records")
        for i, row in enumerate(rows):
            named = {str(name): value for name, value in row.items()}
            yield Query(self.ids[i], named, int(self.current[i]), int(self.target[i]), int(self.seeds[i]))

    def take(self, positions: slice | list[int]) -> QueryBatch:
        """The queries at these positions, in that order."""
        chosen = list(range(len(self)))[positions] if isinstance(positions, slice) else positions
        return QueryBatch(
            self.schema,
            tuple(self.ids[i] for i in chosen),
            self.matrix[chosen],
            self.current[chosen],
            self.target[chosen],
            self.seeds[chosen],
        )


@dataclass(frozen=True)
class Usage:
    """What one answer of a paid or local language model took."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0


@dataclass(frozen=True, eq=False)
class CounterfactualBatch:
    """The long form of an answer, for generators that have more to say than rows.

    `rows` holds a row per counterfactual with a `query_id` column, best first within a query; `unparsable` keeps, by
    query id, the text of answers that could not be read; `usage` counts tokens and money by query id.

    `rationales` says why, by query id: a text for each row of that query, in the order of its rows, "" where there is
    none. A query may be left out. They are stored and shown as the generator's own words, and never scored.
    """

    rows: pd.DataFrame | None
    unparsable: Mapping[str, str] = field(default_factory=dict)
    usage: Mapping[str, Usage] = field(default_factory=dict)
    rationales: Mapping[str, Sequence[str]] = field(default_factory=dict)


def texts_of(rationales: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Rationales as plain lists, none much longer than is kept. Raises ValueError for what is no list of texts."""
    if not isinstance(rationales, Mapping):
        raise ValueError(f"rationales are lists of texts by query id, not {type(rationales).__name__}")
    return {str(query_id): _texts(texts) for query_id, texts in rationales.items()}


def _texts(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, (str, bytes, Mapping)) or not isinstance(texts, Iterable):
        raise ValueError(
            f"a query's rationales are a list with a text for each of its rows, not {type(texts).__name__}"
        )
    listed = list(texts)
    for text in listed:
        if not isinstance(text, str):
            raise ValueError(f"a rationale is {type(text).__name__}, not text")
    return [str(text[: LONGEST_RATIONALE + 1]) for text in listed]
