"""The four classifier families of the study, as scikit-learn pipelines over the schema with fixed settings.

One thread each: the harness runs cells side by side, and results must not depend on how many cores there are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.contracts import Classifier, FeatureSchema, PluginOptions
from sensecf_bench.errors import DataError
from sensecf_bench.hookspecs import hookimpl

if TYPE_CHECKING:
    from sensecf_bench.queries import Classes
    from sensecf_bench.schema import Matrix


MOST_FOLDS = 5


class _Pipeline(Classifier):
    """A scikit-learn estimator behind one-hot coding of levels (and standardised numbers, where it needs them)."""

    standardise = False

    def estimator(self, seed: int, rarest: int) -> Any:
        """The scikit-learn estimator; `rarest` is the number of training rows in the rarer class."""
        raise NotImplementedError

    def fit(self, schema: FeatureSchema, rows: Matrix, labels: Classes, seed: int) -> None:
        from sklearn.compose import ColumnTransformer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import OneHotEncoder, StandardScaler

        ordered, nominal = np.flatnonzero(~schema.nominal), np.flatnonzero(schema.nominal)
        levels = [np.arange(len(schema.features[j].levels), dtype=np.float64) for j in nominal]
        steps: list[tuple[str, Any, Any]] = []
        if len(ordered):
            steps.append(("ordered", StandardScaler() if self.standardise else "passthrough", ordered))
        if len(nominal):
            one_hot = OneHotEncoder(categories=levels, drop="if_binary", sparse_output=False)
            steps.append(("nominal", one_hot, nominal))
        plain = not self.standardise and not len(nominal)
        coding = [] if plain else [ColumnTransformer(steps)]
        self._model = make_pipeline(*coding, self.estimator(seed, int(np.bincount(labels).min()))).fit(rows, labels)

    def predict_proba(self, rows: Matrix) -> Matrix:
        probabilities: Matrix = self._model.predict_proba(rows)
        return probabilities.astype(np.float64)


class SupportVectorMachine(_Pipeline):
    """Support vector machine, RBF kernel, standardised features, Platt-calibrated by cross-validation in 5 folds.

    Fewer folds where the rarer class has fewer than 5 training rows; with a single one it cannot be calibrated.
    """

    name = "svm"
    standardise = True

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


class RandomForest(_Pipeline):
    """Random forest, 100 trees grown to the end, scikit-learn's defaults otherwise."""

    name = "random-forest"

    class Options(PluginOptions):
        trees: int = 100

    def estimator(self, seed: int, rarest: int) -> Any:
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(self.options.trees, random_state=seed, n_jobs=1)


class GradientBoosting(_Pipeline):
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


class NeuralNetwork(_Pipeline):
    """Neural network, two hidden layers of 64 and 32 units, standardised features, L2 penalty 0.01, Adam."""

    name = "mlp"
    standardise = True

    class Options(PluginOptions):
        hidden: tuple[int, ...] = (64, 32)
        penalty: float = 1e-2

    def estimator(self, seed: int, rarest: int) -> Any:
        from sklearn.neural_network import MLPClassifier

        return MLPClassifier(self.options.hidden, alpha=self.options.penalty, max_iter=1000, random_state=seed)


@hookimpl
def sensecf_classifiers() -> list[type[Classifier]]:
    return [SupportVectorMachine, RandomForest, GradientBoosting, NeuralNetwork]
