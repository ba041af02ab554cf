"""DiCE's genetic search on matrices. Imports dice_ml."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
from dice_ml.explainer_interfaces.dice_genetic import DiceGenetic

from sensecf_dice.explainers.swift import Swift

if TYPE_CHECKING:
    from sensecf_dice.codec import Codec, Matrix
    from sensecf_dice.data import FrozenData
    from sensecf_dice.model import MemoModel


class SwiftGenetic(Swift, DiceGenetic):  # type: ignore[misc]  # dice_ml is untyped
    """Upstream decodes every row cell by cell through a scikit-learn label encoder before each prediction; here codes
    are looked up in arrays. A random start is given up after `most_starts` draws instead of never."""

    def __init__(
        self, data: FrozenData, model: MemoModel, codec: Codec, *, mend: bool = True, most_starts: int = 1000
    ) -> None:
        super().__init__(data, model, codec, mend=mend)
        self.most_starts = most_starts
        self._levels = {name: np.asarray(encoder.classes_) for name, encoder in self.labelencoder.items()}
        self._codes = {name: codec.codes(name, levels.tolist()) for name, levels in self._levels.items()}
        self._labels = {
            name: dict(zip(levels.tolist(), range(len(levels)), strict=True)) for name, levels in self._levels.items()
        }
        self._encoded: dict[Any, Matrix] = {}
        self._type = np.result_type(*data.types.values(), *([np.int64] if self._levels else []))

    def found(
        self,
        factual: Matrix,
        wanted: int,
        features_to_vary: list[str],
        initialization: str = "kdtree",
        maxiterations: int = 500,
        proximity_weight: float = 0.2,
        sparsity_weight: float = 0.2,
    ) -> Matrix:
        """Follows `DiceGenetic._generate_counterfactuals`, whose search `super()` runs."""
        self.population_size, self.start_time = 10 * wanted, 0.0
        cast = self._cast(factual)
        self.x1 = self._encode(cast)[0].astype(self._type)
        self.test_pred = self.predict_fn_scores(self.x1)
        self.do_param_initializations(
            wanted, initialization, None, self.target_cf_class, self.x1, self._dummied(cast), "DiverseCF",
            features_to_vary, None, "hinge_loss", "dpp_style:inverse_dist", "inverse_mad",
            proximity_weight, sparsity_weight, 5.0, 0.1, False,
        )  # fmt: skip
        if not len(self.cfs):  # no starting point flips the class
            return np.empty((0, len(self.codec.names)))
        self.find_counterfactuals(self.x1, None, self.target_cf_class, features_to_vary, maxiterations, 1e-2, False)
        rows = np.array(self.final_cfs).reshape(len(self.final_cfs), len(self.codec.names))
        return self._rounded(self._rows(rows))

    # -- coding ------------------------------------------------------------------------------------------------------
    def _rows(self, labelled: Any) -> Matrix:
        """DiCE's label-encoded rows (or one row) in the schema's coding."""
        labelled = np.atleast_2d(labelled)
        rows = np.empty(labelled.shape)
        for j, name in enumerate(self.codec.names):
            column = labelled[:, j]
            rows[:, self.codec.column_of[name]] = (
                self._codes[name][column.astype(np.int32)] if name in self._codes else column
            )
        return rows

    def _encode(self, rows: Matrix) -> Matrix:
        """Rows in the schema's coding, label-encoded."""
        labelled = rows[:, self.codec.columns]
        for j, name in enumerate(self.codec.names):
            if name in self._codes:
                labelled[:, j] = (labelled[:, [j]] == self._codes[name]).argmax(axis=1)
        return labelled

    def get_valid_feature_range(self, normalized: bool = False) -> dict[str, Any]:
        labels = self._labels
        return {
            name: np.array([labels[name][level] for level in allowed]) if name in labels else list(allowed)
            for name, allowed in self.feature_range.items()
        }

    def label_decode(self, labelled_input: Any) -> dict[str, Any]:
        return {}  # upstream makes tables of the query and the answer at the end, see `found`

    def label_decode_cfs(self, cfs_arr: Any) -> None:
        return None

    def decode_to_original_labels(self, *tables: Any) -> Any:
        return tables

    def predict_fn_scores(self, input_instance: Any) -> Matrix:
        return self.model.scores(self._rows(input_instance))

    def predict_fn(self, input_instance: Any) -> Any:
        return np.argmax(self.predict_fn_scores(input_instance), axis=1)

    def _predict_fn_custom(self, input_instance: Any, desired_class: Any) -> Any:
        scores = self.predict_fn_scores(input_instance)
        wanted = int(desired_class)
        return np.where(scores[:, wanted] == scores.max(axis=1), wanted, np.argmax(scores, axis=1))

    # -- starting population -------------------------------------------------------------------------------------------
    def do_cf_initializations(
        self, total_CFs: int, initialization: str, algorithm: str, features_to_vary: Any, desired_range: Any,  # noqa: N803
        desired_class: Any, query_instance: Any, dummied: Matrix, verbose: bool,
    ) -> None:  # fmt: skip
        self.total_CFs, self.features_to_vary = total_CFs, features_to_vary
        rest = query_instance, desired_class, desired_range
        if initialization == "random":
            self.cfs = self.do_random_init(self.population_size, features_to_vary, *rest)
            return
        table, tree, _ = self.build_KD_tree(
            self.data_interface.data_df, desired_range, desired_class, self.predicted_outcome_name
        )
        if tree is None:
            self.cfs = self.do_random_init(self.population_size, features_to_vary, *rest)
            return
        if desired_class not in self._encoded:
            self._encoded[desired_class] = self._encode(self.codec.matrix(table))
        if not self.mend:
            # Upstream appends the query's missing one-hot columns at the end, out of line with the tree's columns.
            numbers, levels = np.split(dummied[0], [len(self.codec.numeric)])
            dummied = np.concatenate([numbers, levels[levels == 1], levels[levels == 0]])[None]
        near = tree.query(dummied, min(len(table), self.population_size * total_CFs))[1][0]
        self.do_KD_init(features_to_vary, query_instance, self._encoded[desired_class][near], *rest[1:])

    def do_random_init(
        self, num_inits: int, features_to_vary: Any, query_instance: Any, desired_class: Any, desired_range: Any
    ) -> Matrix:
        """Random rows of the target class, asked in blocks that cannot draw more rows than are needed."""
        precisions = self.data_interface.get_decimal_precisions()
        found: list[Matrix] = []
        drawn = 0
        while len(found) < num_inits and drawn < self.most_starts:
            block = np.array(
                [self._start(features_to_vary, query_instance, precisions) for _ in range(num_inits - len(found))]
            )
            drawn += len(block)
            scores = self.predict_fn_scores(block)
            found.extend(row for row, score in zip(block, scores, strict=True) if self.is_cf_valid(score))
        return np.array(found).reshape(len(found), len(self.codec.names))

    def _start(self, features_to_vary: Any, query_instance: Any, precisions: list[int]) -> Matrix:
        start = np.array(query_instance, dtype=np.float64)
        for j, name in enumerate(self.codec.names):
            if name in features_to_vary:
                allowed = self.feature_range[name]
                if name in self._codes:
                    start[j] = np.random.choice(allowed)
                else:
                    start[j] = np.round(np.random.uniform(allowed[0], allowed[1]), precisions[j])
        return start

    def do_KD_init(  # noqa: N802
        self, features_to_vary: Any, query_instance: Any, cfs: Matrix, desired_class: Any, desired_range: Any
    ) -> None:
        """The nearest training rows of the target class, with the query's values where theirs are not allowed."""
        near = cfs[: self.population_size].copy()
        for j, name in enumerate(self.codec.names):
            if name not in features_to_vary:
                near[:, j] = query_instance[j]
        varied = [(j, name) for j, name in enumerate(self.codec.names) if name in features_to_vary]
        bad = {(i, j) for j, name in varied for i in np.flatnonzero(~self._allowed(name, near[:, j]))}
        for i, j in sorted(bad):  # row by row, as upstream draws
            name = self.codec.names[j]
            allowed = self.feature_range[name]
            if self._allowed(name, np.array([query_instance[j]]))[0]:
                near[i, j] = query_instance[j]
            elif name in self._codes:
                near[i, j] = np.random.choice(allowed)
            else:
                near[i, j] = np.random.uniform(allowed[0], allowed[1])
        if len(near) < self.population_size and not self.mend:
            # Upstream leaves a row of zeros here, whatever a zero may mean to an immutable feature.
            near = np.vstack([near, np.zeros((1, near.shape[1]))])
        population = np.unique(near, axis=0)
        if len(population) != self.population_size:
            missing = self.population_size - len(population)
            more = self.do_random_init(missing, features_to_vary, query_instance, desired_class, desired_range)
            population = np.concatenate([population, more])
        else:
            population = near
        self.cfs = self._filled(population)

    def _allowed(self, name: str, values: Any) -> Any:
        allowed = self.feature_range[name]
        if name in self._codes:
            return np.isin(values, allowed)
        return (allowed[0] <= values) & (values <= allowed[1])

    def _filled(self, population: Matrix) -> Matrix:
        """A population cut short by `most_starts` is filled up with copies, which the search drops by itself."""
        if not len(population):
            return population
        filled: Matrix = population[np.arange(max(len(population), self.population_size)) % len(population)]
        return filled

    # -- search ------------------------------------------------------------------------------------------------------
    def find_counterfactuals(
        self, query_instance: Any, desired_range: Any, desired_class: Any, features_to_vary: Any, maxiterations: int,
        *rest: Any,
    ) -> Any:  # fmt: skip
        """Upstream's search; a population shrunk to one row ends it, where upstream fails for want of two parents."""
        self.cfs = self._filled(self.cfs)
        states = random.getstate(), np.random.get_state()
        self._generations, self._population = 0, self.population_size
        try:
            return super().find_counterfactuals(
                query_instance, desired_range, desired_class, features_to_vary, maxiterations, *rest
            )
        except ValueError:
            if self._population > 1:
                raise
        # Go the same way again, which asks the classifier nothing new, and stop one generation sooner.
        random.setstate(states[0])
        np.random.set_state(states[1])
        return super().find_counterfactuals(
            query_instance, desired_range, desired_class, features_to_vary, self._generations - 1, *rest
        )

    def compute_loss(self, cfs: Any, desired_range: Any, desired_class: Any) -> Any:
        self._generations += 1
        self._population = len(cfs)
        return super().compute_loss(cfs, desired_range, desired_class)

    def mate(self, k1: Any, k2: Any, features_to_vary: Any, query_instance: Any) -> Matrix:
        """Upstream's draws, gene by gene, over look-ups made once per search."""
        child = np.array(k1, dtype=np.float64)
        for j, name in enumerate(self.codec.names):
            draw = random.random()
            if draw < 0.40:
                continue
            if draw < 0.80:
                child[j] = k2[j]
            elif name not in features_to_vary:
                child[j] = query_instance[j]
            elif name in self._codes:
                child[j] = np.random.choice(self.feature_range[name])
            else:
                low = self.feature_range[name][0]
                child[j] = np.random.uniform(low, low)  # upstream's bounds, see the README
        return child
