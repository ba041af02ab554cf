"""The four classifier families of the study, as scikit-learn models over the schema with fixed settings.

One thread each: the harness runs cells side by side, and results must not depend on how many cores there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.contracts import Classifier, FeatureSchema, PluginOptions
from sensecf_bench.errors import DataError
from sensecf_bench.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sensecf_bench.queries import Classes
    from sensecf_bench.schema import Matrix


MOST_FOLDS = 5
CELLS_AT_ONCE = 1 << 21  # numbers in a working array: 16 MiB
CELLS_IN_CACHE = 1 << 16  # numbers in one that is gone through several times: 512 KiB


class _Coding:
    """What a model sees of a row, `e` columns for `d` features: numbers and ranks first (standardised, where it needs
    that), then unordered levels, one column for two of them and one-hot columns for more.

    Two levels stay the number between 0 and 1 that they are, so that a model can also be asked about what lies between.
    """

    def __init__(self, schema: FeatureSchema, rows: Matrix, standardise: bool) -> None:
        from sklearn.preprocessing import StandardScaler

        self._ordered, self._nominal = np.flatnonzero(~schema.nominal), np.flatnonzero(schema.nominal)
        self._levels = [len(schema.features[j].levels) for j in self._nominal]
        self._binary = [schema.features[j].kind == "binary" for j in self._nominal]
        self._names, self._width = schema.names, len(schema)
        self._scaler = None
        if standardise and len(self._ordered):
            self._scaler = StandardScaler().fit(rows[:, self._ordered])

    def encode(self, rows: Matrix) -> Matrix:
        """From `(n, d)` to `(n, e)`. Raises ValueError for a categorical code that is no level."""
        if self._scaler is None and not len(self._nominal):
            return rows
        numbers = rows[:, self._ordered]
        if self._scaler is not None:
            numbers -= self._scaler.mean_
            numbers /= self._scaler.scale_
        if not len(self._nominal):
            return numbers
        parts = [numbers]
        for j, levels in zip(self._nominal, self._levels, strict=True):
            column = rows[:, j : j + 1]
            parts.append(column if levels == 2 else self._one_hot(column, levels, self._names[j]))
        return np.hstack(parts)

    def chain(self, slopes: Matrix) -> Matrix:
        """Derivatives by encoded columns, `(n, e)`, as derivatives by features, `(n, d)`: 0 for categorical ones."""
        by_feature, first = np.zeros((len(slopes), self._width)), len(self._ordered)
        by_feature[:, self._ordered] = slopes[:, :first] / (1.0 if self._scaler is None else self._scaler.scale_)
        for j, levels, binary in zip(self._nominal, self._levels, self._binary, strict=True):
            if binary:
                by_feature[:, j] = slopes[:, first]
            first += 1 if levels == 2 else levels
        return by_feature

    @staticmethod
    def _one_hot(column: Matrix, levels: int, name: str) -> Matrix:
        hot: Matrix = (column == np.arange(levels)).astype(np.float64)
        if not hot.any(axis=1).all():
            raise ValueError(f"feature {name!r}: a code that is none of its {levels} levels")
        return hot


class _Family(Classifier):
    """A scikit-learn estimator behind one-hot coding of levels (and standardised numbers, where it needs them)."""

    weighted = True
    standardise = False

    def estimator(self, seed: int, rarest: int) -> Any:
        """The scikit-learn estimator; `rarest` is the number of training rows in the rarer class."""
        raise NotImplementedError

    def fit(self, schema: FeatureSchema, rows: Matrix, labels: Classes, seed: int) -> None:
        self._fit(schema, rows, labels, seed)

    def fit_weighted(self, schema: FeatureSchema, rows: Matrix, labels: Classes, weights: Matrix, seed: int) -> None:
        """Rows are standardised, and a support vector machine's kernel gets its width, as without weights.

        Weights of 1 are left out: with any at all a forest draws other rows, where scikit-learn draws them by weight.
        """
        weighing = {} if (weights == 1).all() else {"sample_weight": weights}
        self._fit(schema, rows, labels, seed, **weighing)

    def _fit(self, schema: FeatureSchema, rows: Matrix, labels: Classes, seed: int, **weighing: Matrix) -> None:
        self._coding = _Coding(schema, rows, self.standardise)
        estimator = self.estimator(seed, int(np.bincount(labels).min()))
        self._model = estimator.fit(self._coding.encode(rows), labels, **weighing)

    def predict_proba(self, rows: Matrix) -> Matrix:
        probabilities: Matrix = self._model.predict_proba(self._coding.encode(rows))
        return probabilities.astype(np.float64)


class _SmoothFamily(_Family):
    """A family that knows its derivatives in closed form."""

    standardise = True
    differentiable = True

    def gradient(self, rows: Matrix) -> Matrix:
        slopes, encoded = np.empty(rows.shape), self._coding.encode(rows)
        for block in self._blocks(encoded, CELLS_AT_ONCE):
            slopes[block] = self._coding.chain(self._slopes(encoded[block]))
        return slopes

    def _blocks(self, encoded: Matrix, cells: int) -> Iterator[slice]:
        """As many rows at once as a working array of so many numbers has room for."""
        size = max(1, cells // max(self._widest(), encoded.shape[1]))
        return (slice(i, i + size) for i in range(0, len(encoded), size))

    def _slopes(self, encoded: Matrix) -> Matrix:
        """Derivative of the probability of class 1 by each encoded column, `(n, e)`."""
        raise NotImplementedError

    def _widest(self) -> int:
        """How many numbers a row takes in the widest working array."""
        raise NotImplementedError


class SupportVectorMachine(_SmoothFamily):
    """Support vector machine, RBF kernel, standardised features, Platt-calibrated by cross-validation in 5 folds.

    Fewer folds where the rarer class has fewer than 5 training rows; with a single one it cannot be calibrated. `C` is the
    inverse of the penalty.
    """

    name = "svm"

    class Options(PluginOptions):
        C: float = 1.0

    def estimator(self, seed: int, rarest: int) -> Any:
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.model_selection import StratifiedKFold
        from sklearn.svm import SVC

        if rarest < 2:
            raise DataError(
                "the svm needs two training rows of each class to be calibrated", "leave it out with --classifiers"
            )
        folds = StratifiedKFold(min(MOST_FOLDS, rarest), shuffle=True, random_state=seed)
        return CalibratedClassifierCV(SVC(C=self.options.C), method="sigmoid", cv=folds, ensemble=False)

    def predict_proba(self, rows: Matrix) -> Matrix:
        """What scikit-learn's own method gives, but for the last digits, without what that one spends on checks: ten times as
        fast for a single row. What is said of a row does not depend, to the bit, on who else is asked about."""
        _refuse_what_is_no_number(rows)
        probability, encoded = np.empty(len(rows)), self._coding.encode(rows)
        for block in self._blocks(encoded, CELLS_IN_CACHE):
            probability[block] = self._probability(self._kernel(encoded[block]))
        return np.stack([1 - probability, probability], axis=1)

    def _slopes(self, encoded: Matrix) -> Matrix:
        """With f(x) = Σᵢ αᵢ exp(-γ|x - sᵢ|²) + b and Platt's p = 1 / (1 + exp(a f + c)):
        ∂p/∂x = -a p (1 - p) · -2γ Σᵢ αᵢ kᵢ(x) (x - sᵢ)."""
        machine, platt = self._parts()
        kernel = self._kernel(encoded)
        weights = kernel * machine.dual_coef_[0]
        total = weights.sum(axis=1, keepdims=True)
        of_decision = -2 * machine._gamma * (total * encoded - weights @ machine.support_vectors_)
        p = self._probability(kernel)[:, None]
        slopes: Matrix = -platt.a_ * p * (1 - p) * of_decision
        return slopes

    def _kernel(self, encoded: Matrix) -> Matrix:
        """exp(-γ|x - sᵢ|²) of each row and support vector."""
        from scipy.spatial.distance import cdist

        machine, _ = self._parts()
        # Pair by pair: a product of matrices would be faster for many rows, and round by how many there are.
        kernel: Matrix = cdist(encoded, machine.support_vectors_, "sqeuclidean")
        kernel *= -machine._gamma
        return np.exp(kernel, out=kernel)

    def _probability(self, kernel: Matrix) -> Matrix:
        from scipy.special import expit

        machine, platt = self._parts()
        decision = (kernel * machine.dual_coef_[0]).sum(axis=1) + machine.intercept_[0]
        probability: Matrix = expit(-(platt.a_ * decision + platt.b_))
        return probability

    def _parts(self) -> tuple[Any, Any]:
        """The support vector machine and its sigmoid."""
        calibrated = self._model.calibrated_classifiers_[0]
        return calibrated.estimator, calibrated.calibrators[0]

    def _widest(self) -> int:
        return len(self._parts()[0].support_vectors_)


class RandomForest(_Family):
    """Random forest, 100 trees grown to the end, scikit-learn's defaults otherwise."""

    name = "random-forest"

    class Options(PluginOptions):
        trees: int = 100

    def estimator(self, seed: int, rarest: int) -> Any:
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(self.options.trees, random_state=seed, n_jobs=1)

    def predict_proba(self, rows: Matrix) -> Matrix:
        """What scikit-learn's own method gives, to the bit, without what that one spends on checks and on handing out
        jobs: ten times as fast for a single row, which is how some generators ask."""
        _refuse_what_is_no_number(rows)
        with np.errstate(over="ignore"):  # what is too large for a tree's numbers is larger than any of its splits
            seen = np.ascontiguousarray(self._coding.encode(rows), dtype=np.float32)
        total = np.zeros((len(rows), self._model.n_classes_))
        for tree in self._model.estimators_:
            total += tree.tree_.predict(seen)
        total /= len(self._model.estimators_)
        return total


class GradientBoosting(_Family):
    """XGBoost, 100 trees of depth 6, learning rate 0.3 (the library's defaults), histogram method."""

    name = "xgboost"

    class Options(PluginOptions):
        trees: int = 100
        depth: int = 6
        learning_rate: float = 0.3

    def estimator(self, seed: int, rarest: int) -> Any:
        from xgboost import XGBClassifier

        return XGBClassifier(
            n_estimators=self.options.trees,
            max_depth=self.options.depth,
            learning_rate=self.options.learning_rate,
            tree_method="hist",
            random_state=seed,
            n_jobs=1,
        )

    def predict_proba(self, rows: Matrix) -> Matrix:
        """What xgboost's own method gives, to the bit, without the global settings that one writes and reads around each
        call: these take longer than a few rows do."""
        booster = self._model.get_booster()
        probability: Matrix = booster.inplace_predict(self._coding.encode(rows), validate_features=False)
        return np.stack([1.0 - probability, probability], axis=1).astype(np.float64)


class NeuralNetwork(_SmoothFamily):
    """Neural network, two hidden layers of 64 and 32 units, standardised features, L2 penalty 0.01, Adam."""

    name = "mlp"

    class Options(PluginOptions):
        hidden: tuple[int, ...] = (64, 32)
        penalty: float = 1e-2

    def estimator(self, seed: int, rarest: int) -> Any:
        from sklearn.neural_network import MLPClassifier

        return MLPClassifier(self.options.hidden, alpha=self.options.penalty, max_iter=1000, random_state=seed)

    def predict_proba(self, rows: Matrix) -> Matrix:
        """What scikit-learn's own method gives, to the bit, without what that one spends on checks."""
        _refuse_what_is_no_number(rows)
        probability = self._probability(self._signals(self._coding.encode(rows)))
        return np.stack([1 - probability, probability], axis=1)

    def _signals(self, encoded: Matrix) -> list[Matrix]:
        """What goes into each layer, the rows themselves first."""
        signals = [encoded]
        for weight, shift in zip(self._model.coefs_[:-1], self._model.intercepts_[:-1], strict=True):
            signal = signals[-1] @ weight
            signal += shift
            signals.append(np.maximum(signal, 0, out=signal))
        return signals

    def _probability(self, signals: list[Matrix]) -> Matrix:
        from scipy.special import expit

        probability: Matrix = expit(signals[-1] @ self._model.coefs_[-1] + self._model.intercepts_[-1])[:, 0]
        return probability

    def _slopes(self, encoded: Matrix) -> Matrix:
        """Back-propagation through rectified units and the logistic output; a unit at its kink counts as off."""
        weights, signals = self._model.coefs_, self._signals(encoded)
        p = self._probability(signals)[:, None]
        slopes: Matrix = p * (1 - p) * weights[-1].T
        for weight, signal in zip(weights[-2::-1], signals[:0:-1], strict=True):
            slopes = (slopes * (signal > 0)) @ weight.T
        return slopes

    def _widest(self) -> int:
        hidden: tuple[int, ...] = self.options.hidden
        return max((1, *hidden))


def _refuse_what_is_no_number(rows: Matrix) -> None:
    if not np.isfinite(rows).all():
        raise ValueError("a row to predict has a value that is not a finite number")


@hookimpl
def sensecf_classifiers() -> list[type[Classifier]]:
    return [SupportVectorMachine, RandomForest, GradientBoosting, NeuralNetwork]
