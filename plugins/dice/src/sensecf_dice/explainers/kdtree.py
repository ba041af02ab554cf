"""DiCE's k-d tree look-up on matrices. Imports dice_ml."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from dice_ml.explainer_interfaces.dice_KD import DiceKD

from sensecf_dice.explainers.swift import Swift

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.schema import Mask
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

    def found(
        self,
        factual: Matrix,
        wanted: int,
        features_to_vary: list[str],
        sparsity_weight: float = 1.0,
        posthoc_sparsity_param: float | None = 0.1,
        posthoc_sparsity_algorithm: str = "linear",
    ) -> Matrix:
        """Follows `DiceKD._generate_counterfactuals` and what it calls."""
        cast = self._cast(factual)
        self.model.scores(cast)  # not needed, but upstream asks, and calls are counted
        self.build_KD_tree(self.data_interface.data_df, None, self.target_cf_class, self.predicted_outcome_name)
        rows = self._rows[self._nearest(cast, wanted, features_to_vary, sparsity_weight)]
        if len(rows) and posthoc_sparsity_param:
            types = self.data_interface.types
            rows = self.sparse(rows, factual, types, posthoc_sparsity_param, posthoc_sparsity_algorithm)
        return self._rounded(rows)

    def _nearest(self, cast: Matrix, wanted: int, features_to_vary: list[str], weight: float) -> NDArray[np.intp]:
        """The best of the 10·k nearest rows that break no rule. Mended: look further out while there are too few."""
        found = np.empty(0, dtype=np.intp)
        _, tree, _ = self._trees[self.target_cf_class]
        size = len(self._rows)
        near = min(size, wanted * 10)
        admissible = self._admissible(cast[0], features_to_vary)
        if not admissible.any():
            return found
        dummied = self._dummied(cast)
        while near:
            distances, indices = tree.query(dummied, near)
            ranked = indices[0][self._rank(distances[0], self._rows[indices[0]], cast, weight)]
            good = ranked[admissible[ranked]]
            _, first = np.unique(self._rows[good], axis=0, return_index=True)
            found = good[np.sort(first)][:wanted]
            if not self.mend or len(found) == wanted or near == size:
                break
            near = min(size, near * 4)
        return found

    def _rank(self, distances: Matrix, rows: Matrix, cast: Matrix, weight: float) -> NDArray[np.intp]:
        """Positions by distance plus sparsity, each scaled to [0, 1] over these rows (`do_sparsity_check`)."""
        numeric = self.codec.schema.numeric
        changed = rows != cast
        changed[:, numeric] = ~np.isclose(rows[:, numeric], cast[:, numeric])
        total = _scaled(distances) + weight * _scaled(changed.sum(axis=1).astype(np.float64))
        return np.argsort(total)

    def _admissible(self, cast: Matrix, features_to_vary: list[str]) -> Mask:
        """Which rows keep what must be kept and stay in range."""
        good = np.ones(len(self._rows), dtype=bool)
        for name, column in self.codec.column_of.items():
            values, allowed = self._rows[:, column], self.feature_range[name]
            if name not in features_to_vary:
                good &= values == cast[column]
            if name in self.codec.levels:
                good &= np.isin(values, self.codec.codes(name, list(allowed)))
            else:  # the values are in single precision, so the range must be
                good &= (np.float32(allowed[0]) <= values) & (values <= np.float32(allowed[1]))
        return good


def _scaled(values: Matrix) -> Matrix:
    with np.errstate(invalid="ignore"):  # all alike: NaN, as upstream's, which leaves the order as it was
        scaled: Matrix = (values - values.min()) / (values.max() - values.min())
    return scaled
