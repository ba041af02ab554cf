"""NICEx as the harness knows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from sensecf_bench import Generator, PluginOptions, QueryBatch, Task

if TYPE_CHECKING:
    import pandas as pd


class NiceReference(Generator):
    """NICE as its authors' package NICEx answers, blind to what a person cannot change (Brughmans et al. 2023)."""

    name = "nice-reference"
    access = "training-data"
    requirements = ("NICEx==0.2.3", "numpy<2", "pandas<2", "scikit-learn", "scipy")

    expected_failures: ClassVar[Mapping[str, str]] = {
        "keeps-the-rules": "NICEx knows nothing that a person cannot change",
        "leaves-the-immutable-alone": "NICEx knows nothing that a person cannot change",
    }

    class Options(PluginOptions):
        """`optimization` is NICEx's reward; with `justified` neighbours are rows that the classifier gets right."""

        optimization: Literal["none", "sparsity", "proximity"] = "sparsity"
        justified: bool = True

    def fit(self, task: Task) -> None:
        super().fit(task)
        from nice import NICE

        predicted = task.predict(task.train_matrix)
        goals = predicted == task.target
        if self.options.justified:
            goals &= task.train_labels == predicted
        self._has_goals = bool(goals.any())  # without one NICEx raises
        self._nice: Any = NICE(
            predict_fn=task.predict_proba,
            X_train=task.train_matrix.copy(),
            y_train=task.train_labels,
            cat_feat=[int(j) for j in np.flatnonzero(task.schema.nominal)],
            optimization=self.options.optimization,
            justified_cf=self.options.justified,
        )

    def generate(self, queries: QueryBatch) -> pd.DataFrame | None:
        if not len(queries) or not self._has_goals:
            return None
        rows = np.vstack([self._nice.explain(row[None].copy()) for row in queries.matrix])
        frame = queries.schema.decode(rows)
        frame.insert(0, "query_id", list(queries.ids))
        return frame
