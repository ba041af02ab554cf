"""What the three explainers share: trees built once per class, and a post-hoc search that ends and keeps the flip.

The searches are upstream's (dice_ml 0.12, MIT licence, Mothilal, Sharma, Tan 2020); `super()` runs them wherever the
bookkeeping around a step could be replaced without replacing the step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_dice.explainers.cells import Cells

if TYPE_CHECKING:
    import pandas as pd

    from sensecf_dice.codec import Codec, Matrix
    from sensecf_dice.data import FrozenData
    from sensecf_dice.model import MemoModel

MOST_HALVINGS = 100  # a halving search over double-precision numbers cannot need more


class _EndlessError(Exception):
    """The halving search goes round in circles."""


class Swift:
    """Mixed in before an explainer of dice_ml.

    With `mend`, errors of the search are put right, so that answers may differ from upstream's: each is marked in the
    code and listed in the README. Without, answers are upstream's.
    """

    data_interface: FrozenData
    model: MemoModel

    def __init__(self, data: FrozenData, model: MemoModel, codec: Codec, *, mend: bool = True) -> None:
        self.codec, self.mend = codec, mend
        self._trees: dict[Any, Any] = {}
        self._trials: list[tuple[Any, bool]] | None = None
        self._trial_at: tuple[Cells, Any, str] | None = None
        super().__init__(data, model)  # type: ignore[call-arg]

    def prepare(self, target: int) -> None:
        """Do what depends on the training rows and the target class alone."""
        self.build_KD_tree(self.data_interface.data_df.copy(), None, target, self.predicted_outcome_name)  # type: ignore[attr-defined]

    def build_KD_tree(self, data_df_copy: Any, desired_range: Any, desired_class: Any, *rest: Any) -> Any:  # noqa: N802
        if desired_class not in self._trees:
            built = super().build_KD_tree(data_df_copy, desired_range, desired_class, *rest)  # type: ignore[misc]
            self._trees[desired_class] = built
        return self._trees[desired_class]

    # -- post-hoc search ---------------------------------------------------------------------------------------------
    def do_posthoc_sparsity_enhancement(
        self, final_cfs_sparse: pd.DataFrame | None, query_instance: pd.DataFrame, *settings: Any
    ) -> pd.DataFrame | None:
        if final_cfs_sparse is None:
            return None
        cells = Cells(final_cfs_sparse, self.codec)
        super().do_posthoc_sparsity_enhancement(cells, query_instance, *settings)  # type: ignore[misc]
        return cells.frame()

    def predict_fn_for_sparsity(self, input_instance: Matrix) -> Matrix:
        scores = self.model.scores(input_instance)
        if self._trials is not None and self._trial_at is not None:
            if len(self._trials) >= MOST_HALVINGS:
                raise _EndlessError
            cells, label, feature = self._trial_at
            self._trials.append((cells.at[label, feature], bool(self.is_cf_valid(scores))))  # type: ignore[attr-defined]
        return scores

    def do_linear_search(
        self, diff: Any, decimal_prec: Any, query_instance: Any, cf_ix: Any, feature: str, cells: Cells,
        current_pred_orig: Any, limit_steps_ls: int,
    ) -> Cells:  # fmt: skip
        """Upstream's steps towards the query, asked in growing blocks instead of one by one."""
        if not self.is_cf_valid(current_pred_orig):  # type: ignore[attr-defined]
            return cells
        goal, change, cast = query_instance[feature].iat[0], 10 ** -decimal_prec[feature], cells.cast[feature]
        value, old_diff, steps, block = cells.at[cf_ix, feature], diff, 0, 4
        while True:
            values: list[Any] = []
            while abs(diff) > 10e-4 and diff * old_diff > 0 and steps < limit_steps_ls and len(values) < block:
                value = cast(value + np.sign(diff) * change)
                values.append(value)
                old_diff, diff = diff, goal - value
                steps += 1
            if not values:
                return cells
            scores = self.model.scores(cells.stepped(cf_ix, feature, values))
            valid = [bool(self.is_cf_valid(row)) for row in scores]  # type: ignore[attr-defined]
            good = valid.index(False) if False in valid else len(values)
            if good:
                cells.at[cf_ix, feature] = values[good - 1]
            if good < len(values):
                return cells
            block *= 4

    def do_binary_search(
        self,
        diff: Any,
        decimal_prec: Any,
        query_instance: Any,
        cf_ix: Any,
        feature: str,
        cells: Cells,
        current_pred: Any,
    ) -> Cells:
        """Upstream's halving search, without asking about values that are the query's already, and with an end.

        Upstream keeps the value it tried last, in the target class or not. Mended: the last one in the target class.
        """
        start, goal = cells.at[cf_ix, feature], query_instance[feature].iat[0]
        if type(goal)(start) == goal:
            return cells
        self._trials, self._trial_at = [], (cells, cf_ix, feature)
        endless = False
        try:
            super().do_binary_search(diff, decimal_prec, query_instance, cf_ix, feature, cells, current_pred)  # type: ignore[misc]
        except _EndlessError:
            endless = True
        trials, self._trials = self._trials, None
        if endless or (self.mend and not trials[-1][1]):
            cells.at[cf_ix, feature] = next((value for value, valid in reversed(trials) if valid), start)
        return cells
