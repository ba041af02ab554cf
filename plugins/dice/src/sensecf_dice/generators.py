"""The three generators: one query in, up to k rows out."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import random
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from sensecf_bench import Generator, PluginOptions, QueryBatch, Task, Unavailable
from sensecf_dice.codec import OUTCOME, Codec
from sensecf_dice.rules import Rules

if TYPE_CHECKING:
    import pandas as pd

    from sensecf_dice.codec import Matrix

NOTHING_FOUND = "No counterfactuals found"


class DiceOptions(PluginOptions):
    """Options of all three methods."""

    stock: bool = Field(
        False, description="DiCE as it comes: its own classes, its defaults, none of the schema's rules"
    )

    @model_validator(mode="after")
    def _stock_stands_alone(self) -> Self:
        others = sorted(self.model_fields_set - {"stock"})
        if self.stock and others:
            raise ValueError(f"stock=true takes DiCE's own defaults: leave out {', '.join(others)}")
        return self


class PosthocOptions(DiceOptions):
    """Options of the methods that end with DiCE's post-hoc search for sparsity."""

    posthoc_sparsity_algorithm: Literal["binary", "linear"] = Field(
        "binary", description="how a changed number is moved back towards the query after the search"
    )
    posthoc_sparsity_param: float = Field(
        0.1, ge=0, le=1, description="only changes within this quantile of the deviations are moved back; 0 for none"
    )


class _Dice(Generator):
    """What the three methods share."""

    access = "training-data"
    batch_size = 1
    method: ClassVar[Literal["random", "genetic", "kdtree"]]

    def available(self) -> None:
        if importlib.util.find_spec("dice_ml") is None:
            raise Unavailable("dice_ml is not installed", 'pip install "dice-ml>=0.12,<0.13"')

    def fit(self, task: Task) -> None:
        super().fit(task)
        self._codec = Codec(task.schema)
        self._rules = Rules(self._codec, task.train_matrix, sampled=self.method == "random")
        rows = self._codec.frame(task.train_matrix)
        rows[OUTCOME] = task.train_labels
        data: dict[str, Any] = {
            "dataframe": rows,
            "continuous_features": self._codec.numeric,
            "outcome_name": OUTCOME,
        }
        if self.options.stock:
            import dice_ml

            from sensecf_dice.model import FrameClassifier

            model = dice_ml.Model(model=FrameClassifier(self._codec, task.predict_proba), backend="sklearn")
            self._explainer = dice_ml.Dice(dice_ml.Data(**data), model, method=self.method)
            return
        from sensecf_dice.data import FrozenData
        from sensecf_dice.model import MemoModel

        self._model = MemoModel(self._codec, task.predict_proba, decisive=True)
        self._explainer = self.explainer(
            FrozenData({**data, "continuous_features_precision": self._rules.decimals}), self._model
        )
        self._explainer.prepare(task.target)

    def explainer(self, data: Any, model: Any) -> Any:
        """The subclass of dice_ml's explainer; imports dice_ml."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """Settings of the method for `generate_counterfactuals`."""
        return {}

    def generate(self, queries: QueryBatch) -> pd.DataFrame | None:
        answers, ids = [], []
        answer = self._stock_answer if self.options.stock else self._answer
        for i, query_id in enumerate(queries.ids):
            rows = answer(queries.matrix[i], int(queries.target[i]), int(queries.seeds[i]))
            if rows is not None:
                answers.append(rows[: self.task.k])
                ids += [query_id] * len(answers[-1])
        if not ids:
            return None
        frame = self.task.schema.decode(np.vstack(answers))
        frame.insert(0, "query_id", ids)
        return frame

    def _answer(self, factual: Matrix, target: int, seed: int) -> Matrix | None:
        """DiCE's rows for one query under the schema's rules, shape `(<= k, d)`."""
        if not self._rules.knows(factual):
            return None
        ask = self._rules.ask(factual)
        if not ask.features_to_vary:
            return None
        self._model.forget()
        with _quiet(), _seeded(seed):
            rows = self._explainer.answer(
                factual,
                self.task.k,
                desired_class=target,
                features_to_vary=ask.features_to_vary,
                permitted_range=ask.permitted_range,
                **self.settings(),
            )
        return None if rows is None else self._rules.settle(rows, factual)

    def _stock_answer(self, factual: Matrix, target: int, seed: int) -> Matrix | None:
        from raiutils.exceptions import UserConfigValidationException

        with _quiet(), _seeded(seed):
            try:
                explained = self._explainer.generate_counterfactuals(
                    self._codec.frame(factual.reshape(1, -1)), self.task.k, desired_class=target
                )
            except UserConfigValidationException as error:
                if not str(error).startswith(NOTHING_FOUND):
                    raise
                return None
        example = explained.cf_examples_list[0]
        sparse = example.final_cfs_df_sparse
        return self._codec.matrix(example.final_cfs_df if sparse is None else sparse)


class DiceRandom(_Dice):
    """DiCE, random sampling: vary one more random feature of 1000 copies at a time until enough of them flip."""

    name = "dice-random"
    method = "random"
    preload = ("dice_ml", "dice_ml.explainer_interfaces.dice_random", "sensecf_dice.explainers")

    class Options(PosthocOptions):
        sample_size: int = Field(1000, ge=1, description="copies of the query that are changed at random")

    def explainer(self, data: Any, model: Any) -> Any:
        from sensecf_dice.explainers import SwiftRandom

        return SwiftRandom(data, model, self._codec)

    def settings(self) -> dict[str, Any]:
        return self.options.model_dump(exclude={"stock"})  # type: ignore[no-any-return]


class DiceGenetic(_Dice):
    """DiCE, genetic search: breed the nearest training rows of the target class towards the query."""

    name = "dice-genetic"
    method = "genetic"
    preload = ("dice_ml", "dice_ml.explainer_interfaces.dice_genetic", "sensecf_dice.explainers")

    class Options(DiceOptions):
        initialization: Literal["kdtree", "random"] = Field(
            "kdtree", description="where the first population comes from"
        )
        maxiterations: int = Field(500, ge=1, description="most generations")
        proximity_weight: float = Field(0.2, ge=0, description="weight of the distance to the query in the loss")
        sparsity_weight: float = Field(0.2, ge=0, description="weight of the number of changes in the loss")
        most_starts: int = Field(
            1000, ge=1, description="random starting points tried before the population stays small"
        )

    def explainer(self, data: Any, model: Any) -> Any:
        from sensecf_dice.explainers import SwiftGenetic

        return SwiftGenetic(data, model, self._codec, most_starts=self.options.most_starts)

    def settings(self) -> dict[str, Any]:
        return self.options.model_dump(exclude={"stock", "most_starts"})  # type: ignore[no-any-return]


class DiceKDTree(_Dice):
    """DiCE, k-d tree: the nearest training rows that the classifier puts in the target class."""

    name = "dice-kdtree"
    method = "kdtree"
    preload = ("dice_ml", "dice_ml.explainer_interfaces.dice_KD", "sensecf_dice.explainers")

    class Options(PosthocOptions):
        sparsity_weight: float = Field(1.0, ge=0, description="weight of the number of changes when rows are ranked")

    def explainer(self, data: Any, model: Any) -> Any:
        from sensecf_dice.explainers import SwiftKDTree

        return SwiftKDTree(data, model, self._codec)

    def settings(self) -> dict[str, Any]:
        return self.options.model_dump(exclude={"stock"})  # type: ignore[no-any-return]


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """DiCE draws from the global generators: seed both for one query, and leave them as they were found."""
    states = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without DiCE's progress bar, its prints, and pandas' warnings about its code."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield
