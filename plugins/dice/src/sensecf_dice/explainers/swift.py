"""What the three explainers share: trees built once per class, and a post-hoc search that ends and keeps the flip.

The searches are upstream's (dice_ml 0.12, MIT licence, Mothilal, Sharma, Tan 2020); `super()` runs them wherever the
bookkeeping around a step could be replaced without replacing the step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_dice.explainers.cells import Cells, Number

if TYPE_CHECKING:
    from sensecf_dice.codec import Codec, Matrix
    from sensecf_dice.data import FrozenData
    from sensecf_dice.model import MemoModel

MOST_HALVINGS = 100  # a halving search over double-precision numbers cannot need more


class _EndlessError(Exception):
    """The halving search goes round in circles."""


class Swift:
    """Mixed in before an explainer of dice_ml. It is asked with `answer`: one query and its rows are matrices all the
    way, where `generate_counterfactuals` makes dozens of small DataFrames, which take longer than the search itself.

    With `mend`, errors of the search are put right, so that answers may differ from upstream's: each is marked in the
    code and listed in the README. Without, answers are upstream's.
    """

    data_interface: FrozenData
    model: MemoModel
    found: Callable[..., Matrix]  # the method itself, asked once range, class and threshold are set

    def __init__(self, data: FrozenData, model: MemoModel, codec: Codec, *, mend: bool = True) -> None:
        self.codec, self.mend = codec, mend
        self._trees: dict[Any, Any] = {}
        self._trials: list[tuple[Any, bool]] | None = None
        self._trial_at: tuple[Cells, Any, str] | None = None
        super().__init__(data, model)  # type: ignore[call-arg]
        self.num_output_nodes = 2
        categories = {name: data.data_df[name].cat.categories for name in codec.levelled}
        self._dummies = [(name, codec.codes(name, levels.tolist())) for name, levels in categories.items()]

    def answer(
        self, factual: Matrix, wanted: int, *, desired_class: int, features_to_vary: list[str],
        permitted_range: dict[str, list[Any]], **settings: Any,
    ) -> Matrix | None:  # fmt: skip
        """Up to `wanted` rows `(n, d)` for one query `(d,)`, in the schema's coding; None where nothing is found."""
        self.feature_range, _ = self.data_interface.get_features_range(permitted_range)
        self.stopping_threshold, self.target_cf_class = 0.5, desired_class
        rows = self.found(factual, wanted, features_to_vary, **settings)
        return rows if len(rows) else None

    # -- the query as DiCE's data types have it ----------------------------------------------------------------------
    def _numbers(self, factual: Matrix) -> dict[str, Number]:
        types = self.data_interface.types
        return {name: Number((types[name].type(factual[self.codec.column_of[name]]),)) for name in self.codec.numeric}

    def _cast(self, factual: Matrix) -> Matrix:
        """The query in the schema's coding after what the data types do to it, shape `(1, d)`."""
        row = factual.copy()
        for name, number in self._numbers(factual).items():
            row[self.codec.column_of[name]] = number.iat[0]
        return row.reshape(1, -1)

    def _dummied(self, cast: Matrix) -> Matrix:
        """A cast query as the trees have their rows: numbers, then a column for each level, shape `(1, e)`."""
        numbers = cast[:, self.codec.columns[: len(self.codec.numeric)]]
        return np.hstack([numbers, *(cast[:, [self.codec.column_of[n]]] == codes for n, codes in self._dummies)])

    def _rounded(self, rows: Matrix) -> Matrix:
        """Rows as `round_to_precision` leaves them."""
        rounded = rows.copy()
        for name, places in zip(self.codec.numeric, self.data_interface.get_decimal_precisions(), strict=False):
            column = self.codec.column_of[name]
            rounded[:, column] = np.round(rows[:, column], places)
        return rounded

    def prepare(self, target: int) -> None:
        """Do what depends on the training rows and the target class alone."""
        self.build_KD_tree(self.data_interface.data_df, None, target, self.predicted_outcome_name)  # type: ignore[attr-defined]

    def build_KD_tree(self, data_df_copy: Any, desired_range: Any, desired_class: Any, *rest: Any) -> Any:  # noqa: N802
        if desired_class not in self._trees:
            built = super().build_KD_tree(data_df_copy.copy(), desired_range, desired_class, *rest)  # type: ignore[misc]
            self._trees[desired_class] = built
        return self._trees[desired_class]

    # -- post-hoc search ---------------------------------------------------------------------------------------------
    def sparse(
        self, rows: Matrix, factual: Matrix, types: Mapping[str, np.dtype[Any]], quantile: float, algorithm: str,
        most_steps: int = 10000,
    ) -> Matrix:  # fmt: skip
        """Rows moved back towards the query by upstream's post-hoc search; `types` are those of their columns."""
        cells = Cells(rows, self.codec, types)
        self.do_posthoc_sparsity_enhancement(cells, self._numbers(factual), quantile, algorithm, most_steps)  # type: ignore[attr-defined]
        return cells.rows()

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
