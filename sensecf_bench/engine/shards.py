"""A finished shard on disk, and the two tables that a cell's shards become.

A shard is written often and read once, so it is one small file: the hash of its bytes, then a message as on the pipe.
The tables are Parquet in raw units, for people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.admission import Reason
from sensecf_bench.contracts import classes_of
from sensecf_bench.engine.sealed import read_sealed, write_sealed
from sensecf_bench.engine.wire import Message
from sensecf_bench.schema import QUERY_ID, FeatureSchema

if TYPE_CHECKING:
    import pandas as pd

    from sensecf_bench.engine.answers import Ledger
    from sensecf_bench.schema import Matrix

    Judge = Callable[[Matrix], Matrix]  # the explained classifier's probabilities

NOT_PREDICTED = -1
RATIONALE = "cf_rationale"


def shard_path(folder: Path, number: int) -> Path:
    return folder / f"shard-{number:04d}.bin"


def write_shard(folder: Path, number: int, ledger: Ledger, judge: Judge, fit: Mapping[str, Any]) -> None:
    """Predict the admitted rows with the harness's own classifier, and store the shard with what fitting took."""
    write_sealed(shard_path(folder, number), _message(ledger, judge, fit))


def read_shard(folder: Path, number: int) -> Message:
    """Raises CorruptError naming the file."""
    return read_sealed(shard_path(folder, number))


def tables(shards: Sequence[Message]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The queries of a cell with what became of them, and the rows that came back, both in raw units."""
    schema = FeatureSchema.from_json(shards[0].content)
    return _query_table(schema, shards), _row_table(schema, shards)


def _message(ledger: Ledger, judge: Judge, fit: Mapping[str, Any]) -> Message:
    queries, d = ledger.queries, len(ledger.queries.schema)
    matrix = np.vstack([np.empty((0, d)), *(rows.matrix for _, rows in ledger.answers)])
    rank = np.concatenate([np.empty(0, dtype=np.int64), *(rows.rank for _, rows in ledger.answers)])
    owners = [asked.ids[i] for asked, rows in ledger.answers for i in rows.owner]
    reasons = [str(reason) for _, rows in ledger.answers for reason in rows.reasons]
    target = dict(zip(queries.ids, queries.target, strict=True))
    predicted, probability = _predict(matrix, reasons, np.array([target[i] for i in owners], dtype=np.int64), judge)
    content = {
        **queries.schema.to_json(),
        "fit": dict(fit),
        "ids": list(queries.ids),
        "entries": [asdict(ledger.entries[query_id]) for query_id in queries.ids],
        "owners": owners,
        "reasons": reasons,
        "details": [detail for _, rows in ledger.answers for detail in rows.details],
        "rationales": [text for _, rows in ledger.answers for text in rows.rationales],
    }
    arrays = {
        "factuals": queries.matrix,
        "current": queries.current,
        "target": queries.target,
        "rows": matrix,
        "rank": rank,
        "predicted": predicted,
        "probability": probability,
    }
    return Message("shard", content, arrays)


def _predict(matrix: Matrix, reasons: Sequence[str], target: Any, judge: Judge) -> tuple[Any, Matrix]:
    """Class, and probability of the target class, of every admitted row."""
    predicted = np.full(len(matrix), NOT_PREDICTED, dtype=np.int64)
    probability = np.full(len(matrix), np.nan)
    admitted = np.array([reason == Reason.ADMITTED for reason in reasons], dtype=bool)
    if admitted.any():
        probabilities = judge(matrix[admitted])
        predicted[admitted] = classes_of(probabilities)
        probability[admitted] = probabilities[np.arange(len(probabilities)), target[admitted]]
    return predicted, probability


def _query_table(schema: FeatureSchema, shards: Sequence[Message]) -> pd.DataFrame:
    import pandas as pd

    features = schema.decode(_stacked(shards, "factuals"))
    ids = pd.DataFrame({QUERY_ID: pd.Series(_listed(shards, "ids"), dtype="str")})
    classes = pd.DataFrame({"cf_current": _stacked(shards, "current"), "cf_target": _stacked(shards, "target")})
    entries = pd.DataFrame(_listed(shards, "entries")).add_prefix("cf_")
    return pd.concat([ids, features, classes, entries], axis=1)


def _row_table(schema: FeatureSchema, shards: Sequence[Message]) -> pd.DataFrame:
    """Numbers are floats throughout, and what could not be read is left empty. Where no row has a rationale there is no
    column of them: the tables of a generator that gives none are the same bytes as before there were any."""
    import pandas as pd

    matrix = _stacked(shards, "rows")
    columns: dict[str, Any] = {QUERY_ID: pd.Series(_listed(shards, "owners"), dtype="str")}
    for j, feature in enumerate(schema.features):
        values = matrix[:, j]
        if not feature.is_numeric:
            values = pd.Series([feature.levels[int(v)] if np.isfinite(v) else None for v in values], dtype="str")
        columns[feature.name] = values
    columns["cf_rank"] = _stacked(shards, "rank")
    columns["cf_reason"] = pd.Series(_listed(shards, "reasons"), dtype="str")
    columns["cf_detail"] = pd.Series(_listed(shards, "details"), dtype="str")
    columns["cf_predicted"] = _stacked(shards, "predicted")
    columns["cf_probability"] = _stacked(shards, "probability")
    rationales = [text for shard in shards for text in _rationales(shard)]
    if any(rationales):
        columns[RATIONALE] = pd.Series(rationales, dtype="str")
    return pd.DataFrame(columns)


def _rationales(shard: Message) -> list[str]:
    """Of each row; an unfinished run may hold shards from before there were any."""
    found: list[str] = shard.content.get("rationales", [""] * len(shard.content["owners"]))
    return found


def _stacked(shards: Sequence[Message], name: str) -> Any:
    return np.concatenate([shard.arrays[name] for shard in shards])


def _listed(shards: Sequence[Message], name: str) -> list[Any]:
    return [item for shard in shards for item in shard.content[name]]
