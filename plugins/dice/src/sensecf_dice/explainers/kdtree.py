"""DiCE's k-d tree look-up on matrices. Imports dice_ml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from dice_ml.explainer_interfaces.dice_KD import DiceKD

from sensecf_dice.explainers.swift import Swift

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_dice.codec import Codec, Matrix
    from sensecf_dice.data import FrozenData
    from sensecf_dice.model import MemoModel


class SwiftKDTree(Swift, DiceKD):  # type: ignore[misc]  # dice_ml is untyped
    """Upstream predicts all training rows and builds the tree again for every query; here both happen once."""

    def __init__(self, data: FrozenData, model: MemoModel, codec: Codec, *, mend: bool = True) -> None:
        self._coded: dict[Any, Matrix] = {}
        super().__init__(data, model, codec, mend=mend)

    def build_KD_tree(self, data_df_copy: Any, desired_range: Any, desired_class: Any, *rest: Any) -> Any:  # noqa: N802
        built = super().build_KD_tree(data_df_copy, desired_range, desired_class, *rest)
        if desired_class not in self._coded:
            self._coded[desired_class] = self.codec.matrix(built[0])
        self._rows = self._coded[desired_class]
        return built

    def find_counterfactuals(self, data_df_copy: pd.DataFrame, *rest: Any) -> Any:
        # Upstream one-hot encodes this table to learn the names of the columns: one row knows them all.
        return super().find_counterfactuals(data_df_copy.iloc[:1], *rest)

    def vary_valid(
        self, KD_query_instance: pd.DataFrame, total_CFs: int, features_to_vary: Any, permitted_range: Any,  # noqa: N803
        query_instance: pd.DataFrame, sparsity_weight: float,
    ) -> Any:  # fmt: skip
        """The best of the 10·k nearest rows that break no rule. Mended: look further out while there are too few."""
        found = np.empty(0, dtype=np.intp)
        size = len(self.dataset_with_predictions)
        near = min(size, total_CFs * 10)
        while self.KD_tree is not None and near:
            distances, indices = self.KD_tree.query(KD_query_instance, near)
            ranked = indices[0][self._rank(distances[0], self._rows[indices[0]], query_instance, sparsity_weight)]
            found = self._admissible(ranked, features_to_vary, query_instance)[:total_CFs]
            if not self.mend or len(found) == total_CFs or near == size:
                break
            near = min(size, near * 4)
        self.final_cfs = self.dataset_with_predictions.iloc[found][self.codec.names].copy()
        return self.final_cfs, self.dataset_with_predictions.iloc[found][self.predicted_outcome_name].tolist()

    def _rank(self, distances: Matrix, rows: Matrix, query_instance: pd.DataFrame, weight: float) -> NDArray[np.intp]:
        """Positions by distance plus sparsity, each scaled to [0, 1] over these rows (`do_sparsity_check`)."""
        numeric, factual = self.codec.schema.numeric, self.codec.matrix(query_instance)
        changed = rows != factual
        changed[:, numeric] = ~np.isclose(rows[:, numeric], factual[:, numeric])
        total = _scaled(distances) + weight * _scaled(changed.sum(axis=1).astype(np.float64))
        return np.argsort(total)

    def _admissible(
        self, ranked: NDArray[np.intp], features_to_vary: Any, query_instance: pd.DataFrame
    ) -> NDArray[np.intp]:
        """Those of the ranked rows that keep what must be kept and stay in range, each row once."""
        rows, factual = self._rows[ranked], self.codec.matrix(query_instance)[0]
        good = np.ones(len(rows), dtype=bool)
        for name, column in self.codec.column_of.items():
            values, allowed = rows[:, column], self.feature_range[name]
            if name not in features_to_vary:
                good &= values == factual[column]
            if name in self.codec.levels:
                good &= np.isin(values, self.codec.codes(name, list(allowed)))
            else:  # the values are in single precision, so the range must be
                good &= (np.float32(allowed[0]) <= values) & (values <= np.float32(allowed[1]))
        _, first = np.unique(rows[good], axis=0, return_index=True)
        return ranked[good][np.sort(first)]


def _scaled(values: Matrix) -> Matrix:
    with np.errstate(invalid="ignore"):  # all alike: NaN, as upstream's, which leaves the order as it was
        scaled: Matrix = (values - values.min()) / (values.max() - values.min())
    return scaled
