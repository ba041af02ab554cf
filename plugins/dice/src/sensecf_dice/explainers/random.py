"""DiCE's random sampling on matrices. Imports dice_ml."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
from dice_ml.explainer_interfaces.dice_random import DiceRandom

from sensecf_dice.explainers.swift import Swift

if TYPE_CHECKING:
    from sensecf_dice.codec import Matrix


class SwiftRandom(Swift, DiceRandom):  # type: ignore[misc]  # dice_ml is untyped
    """Upstream writes 1000 cells one at a time into a DataFrame for every round; here a round is one assignment."""

    def prepare(self, target: int) -> None:
        """Random sampling needs no tree."""

    def found(
        self,
        factual: Matrix,
        wanted: int,
        features_to_vary: list[str],
        posthoc_sparsity_param: float = 0.1,
        posthoc_sparsity_algorithm: str = "linear",
        sample_size: int = 1000,
        random_seed: int | None = None,
    ) -> Matrix:
        """Follows `DiceRandom._generate_counterfactuals` draw by draw."""
        self.features_to_vary = features_to_vary
        self.model.scores(factual[None])  # not needed, but upstream asks, and calls are counted
        rows = self._search(factual[None], wanted, sample_size, random_seed)
        if not len(rows) or not posthoc_sparsity_param:
            return rows
        types = {
            name: np.dtype(int if self.codec.feature(name).kind == "integer" else float) for name in self.codec.numeric
        }
        return self.sparse(rows, factual, types, posthoc_sparsity_param, posthoc_sparsity_algorithm)

    def _search(self, factual: Matrix, wanted: int, size: int, seed: int | None) -> Matrix:
        """Change one more randomly chosen feature of each of `size` copies of the query until enough of them flip."""
        samples = self._samples(factual, size, seed)
        columns = np.array([self.codec.column_of[name] for name in self.features_to_vary])
        candidates = np.repeat(factual, size, axis=0)
        everyone = np.arange(size)
        found: dict[bytes, Matrix] = {}
        for changes in range(1, len(columns) + 1):
            chosen = columns[np.random.choice(len(columns), size)]
            candidates[everyone, chosen] = samples[everyone, chosen]
            of_one = self.model.scores(candidates)[:, 1]
            valid = of_one >= self.stopping_threshold if self.target_cf_class else of_one <= self.stopping_threshold
            for i in np.flatnonzero(valid):
                found.setdefault(candidates[i].tobytes(), candidates[i].copy())
            # Upstream's rule: at least two rounds, so that sparsity does not come from the first round alone.
            if valid.any() and changes >= 2 and len(found) >= wanted:
                break
        rows = np.array(list(found.values())).reshape(len(found), factual.shape[1])
        return rows[np.random.choice(len(rows), wanted, replace=False)] if len(rows) > wanted else rows

    def _samples(self, factual: Matrix, size: int, seed: int | None) -> Matrix:
        """`size` values for each feature that varies, all drawn at once per feature."""
        if seed is not None:
            random.seed(seed)
        samples = np.repeat(factual, size, axis=0)
        precisions = self.data_interface.get_decimal_precisions(output_type="dict")
        varies = set(self.features_to_vary)
        for name in self.codec.names:
            if name not in varies:
                continue
            allowed = self.feature_range[name]
            if name in self.codec.levels:
                if seed is not None:
                    random.seed(seed)
                drawn = random.choices(self.codec.codes(name, allowed).tolist(), k=size)
            else:
                drawn = self.get_continuous_samples(allowed[0], allowed[1], precisions[name], size=size, seed=seed)
            samples[:, self.codec.column_of[name]] = drawn
        return samples

    def get_continuous_samples(
        self, low: Any, high: Any, precision: int, size: int = 1000, seed: int | None = None
    ) -> Any:
        if seed is not None:
            np.random.seed(seed)
        if precision == 0:
            return np.random.randint(low, high + 1, size).astype(np.float64)
        return np.round(np.random.uniform(low, high + 10**-precision, size), precision)
