"""A context from which training rows were taken away: what is left of the data, and who is asked there.

The data here hold the retained rows and nothing else. No removed row and no test row is in them, so none can reach a
fit, a scale, a prompt, a cache or a generator's process.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.augmentation.scarcity import Scarcity, retained
from sensecf_bench.contracts import Classifier, classes_of
from sensecf_bench.engine.context import Data, Explained
from sensecf_bench.errors import DataError
from sensecf_bench.queries import QueryBatch, query_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.engine.cells import Shortage


@dataclass(frozen=True, eq=False)
class ScarceData(Data):
    """All rows are training rows; `table.undesired` is the class to leave, and the other one is to be filled up.

    Labels are those of the whole table: where the line between the classes is drawn is the task, not what is scarce.
    """

    wanted: int = 0  # how many counterfactuals are asked for at most


@dataclass(frozen=True, eq=False)
class Reference(Explained):
    """The classifier that is explained, fitted on the retained rows alone."""

    def queries(self, limit: int | None = None) -> QueryBatch:
        """Retained rows of the other class, of which the classifier says the same as their label: at most as many as are
        wanted. Their order depends on the seed and on who they are, so that levels of scarcity ask the same people as far
        as they are left."""
        data = self.data
        assert isinstance(data, ScarceData)
        said = classes_of(self.model.predict_proba(data.matrix))
        agreed = (data.labels == data.table.undesired) & (said == data.table.undesired)
        mine = np.flatnonzero(agreed)
        seeds = np.array([query_seed(data.seed, data.ids[i]) for i in mine], dtype=np.uint64)
        most = data.wanted if limit is None else min(limit, data.wanted)
        return data.queries_about(mine[np.argsort(seeds, kind="stable")[:most]])


def reduced_data(data: Data, shortage: Shortage) -> ScarceData:
    """What is left of a split table under a shortage."""
    kept = retained_rows(data, Scarcity(shortage.scenario, shortage.reduction))
    positive = data.table.undesired
    filled = positive if shortage.fills == "positive" else 1 - positive
    gone = np.count_nonzero(data.labels[data.train] == filled) - np.count_nonzero(data.labels[kept] == filled)
    rows, ids, nobody = data.matrix[kept], [data.ids[i] for i in kept], np.empty(0, dtype=np.intp)
    table = replace(
        data.table,
        frame=data.table.frame.iloc[kept].reset_index(drop=True),
        outcome=data.table.outcome[kept],
        ids=tuple(data.table.ids[i] for i in kept),
        undesired=1 - filled,
    )
    return ScarceData(
        table=table,
        schema=data.table.schema.with_scales(rows),
        seed=data.seed,
        ids=tuple(ids),
        matrix=rows,
        labels=data.labels[kept],
        train=np.arange(len(kept)),
        validation=nobody,
        test=nobody,
        restricted=data.restricted,
        wanted=round(shortage.amount * gone),
    )


def retained_rows(data: Data, scarcity: Scarcity) -> NDArray[np.intp]:
    """Positions of the training rows that are left."""
    return retained(data.labels, data.train, scarcity, data.table.undesired, data.seed)


def fit_reference(data: Data, classifier: Classifier) -> Reference:
    """Fit on the retained rows. Raises DataError where a class has none."""
    for c in (0, 1):
        if not (data.labels == c).any():
            raise DataError(f"no training row of class {data.table.classes[c]!r} is left", "take fewer away")
    classifier.fit(data.schema, data.matrix, data.labels, data.seed)
    nobody = np.empty(0, dtype=np.int64)  # test rows stay out of here, so nothing is measured on them
    return Reference(data, classifier.name, classifier, nobody, {})
