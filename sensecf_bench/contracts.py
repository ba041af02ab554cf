"""What a plugin subclasses. Read this file and you know the whole game.

A `Dataset` brings a table, a `Classifier` is what is to be explained, a `Generator` proposes counterfactuals for it, and
a `Metric` scores what was proposed. Generators propose, the harness decides: every returned row is checked against the
schema, predicted again by the harness's own classifier, and scored without asking the generator anything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict

from sensecf_bench.constraints import LinearConstraint
from sensecf_bench.errors import AccessError, Unavailable
from sensecf_bench.queries import CounterfactualBatch, QueryBatch, Usage
from sensecf_bench.schema import Feature, FeatureSchema

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sensecf_bench.judged import Judged
    from sensecf_bench.queries import Classes
    from sensecf_bench.schema import Matrix

__all__ = [
    "Access",
    "Classifier",
    "CounterfactualBatch",
    "Dataset",
    "Feature",
    "FeatureSchema",
    "Generator",
    "LinearConstraint",
    "MeanMetric",
    "Metric",
    "PluginOptions",
    "QueryBatch",
    "Sums",
    "Table",
    "Task",
    "Unavailable",
    "Usage",
]

Access = Literal["label", "probability", "training-data", "gradient"]
TIERS: tuple[Access, ...] = ("label", "probability", "training-data", "gradient")  # each includes those before it
PROBABILITY_DIGITS = 12  # to which two probabilities are compared


class PluginOptions(BaseModel):
    """Base of every plugin's options: immutable, and an unknown option is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Plugin:
    """What all four kinds have in common: a name, options, and a first docstring line that `list` shows."""

    name: ClassVar[str]
    Options: ClassVar[type[PluginOptions]] = PluginOptions

    def __init__(self, options: PluginOptions | None = None) -> None:
        self.options: Any = options if options is not None else self.Options()


# -- datasets ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Table:
    """A table ready to be split. Class 1 is `classes[1]`; `undesired` says which of the two people want to leave."""

    name: str
    schema: FeatureSchema
    frame: pd.DataFrame  # raw units, one column per feature
    outcome: NDArray[Any]  # (n,) what `Dataset.labels` turns into classes 0 and 1
    ids: tuple[str, ...]  # (n,) unique
    classes: tuple[str, str]
    undesired: int
    source: str = ""
    licence: str = ""


@dataclass(frozen=True, eq=False)
class Split:
    """Positions of the training, validation and test rows of a table."""

    train: NDArray[np.intp]
    validation: NDArray[np.intp]
    test: NDArray[np.intp]


class Dataset(Plugin, ABC):
    """A table with a schema, a rule that labels it, and a way to split it."""

    argument: ClassVar[str | None] = None  # the option that ARG sets in `--datasets NAME:ARG`

    def restricted(self) -> str:
        """Why its rows may not be passed on to anybody, such as a licence; empty where they may. Asked before anything is
        loaded: a generator with a `recipient` is then refused unless the user takes responsibility, ids become positions,
        messages quote no values, and the run's folder is its owner's alone."""
        return ""

    @abstractmethod
    def load(self) -> Table:
        """Read the table. Raises DataError or SchemaError naming what is wrong and how to mend it."""

    def labels(self, table: Table, train: NDArray[np.intp]) -> Classes:
        """Classes 0 and 1 of all rows, shape `(n,)`; thresholds may look at the training rows only."""
        classes: Classes = table.outcome.astype(np.int64)
        return classes

    def split(self, table: Table, seed: int) -> Split:
        """Training, validation and test rows: by default 60 / 20 / 20, stratified by outcome."""
        from sensecf_bench.datasets.splits import stratified

        return stratified(table.outcome, seed)


# -- classifiers ---------------------------------------------------------------------------------------------------
class Classifier(Plugin, ABC):
    """A model to be explained. It sees internal matrices and does its own scaling and encoding."""

    version: ClassVar[str] = "1"
    differentiable: ClassVar[bool] = False  # whether it writes `gradient`
    weighted: ClassVar[bool] = False  # whether it writes `fit_weighted`

    @abstractmethod
    def fit(self, schema: FeatureSchema, rows: Matrix, labels: Classes, seed: int) -> None:
        """Fit on training rows of shape `(n, d)` and classes of shape `(n,)`; the same seed gives the same model."""

    def fit_weighted(self, schema: FeatureSchema, rows: Matrix, labels: Classes, weights: Matrix, seed: int) -> None:
        """The same, with row i counting as `weights[i]` > 0 rows in what is minimised, weights of shape `(n,)`. With weights
        of 1 it gives the model that `fit` gives."""
        raise NotImplementedError(f"classifier {self.name!r} takes no weights")

    @abstractmethod
    def predict_proba(self, rows: Matrix) -> Matrix:
        """Probabilities of classes 0 and 1, shape `(n, 2)`."""

    def gradient(self, rows: Matrix) -> Matrix:
        """Derivative of the probability of class 1 by each internal column, shape `(n, d)`: per raw unit for numbers,
        per level for binary and ordinal features, and 0 for categorical ones, whose codes have no order."""
        raise NotImplementedError(f"classifier {self.name!r} offers no gradients")


# -- generators ----------------------------------------------------------------------------------------------------
class Purse(Protocol):
    """What a run may spend, shared by all its processes."""

    def reserve(self, usd: float) -> int:
        """Put aside what a call may cost at most, before it is made. Raises OverBudgetError when that is not left."""

    def settle(self, ticket: int, usd: float) -> None:
        """Replace what was put aside by what the call did cost; 0 if it was never made."""


@dataclass(frozen=True, eq=False)
class Task:
    """What a generator may know of one classifier on one dataset. There are no test labels in here.

    `seconds_per_query` is the time a query may take. A generator may write to two folders only: `scratch`, which goes
    when it does, and `cache`, which outlives the run, for what is dear and can be found again by its content.
    `predictor` and `differentiator` are what `predict_proba` and `gradient` ask, which see to access first.
    """

    schema: FeatureSchema
    classes: tuple[str, str]
    target: int  # the class that people want to be in
    seed: int
    k: int
    seconds_per_query: float
    scratch: Path
    access: Access
    predictor: Callable[[Matrix], Matrix] = field(repr=False)
    _train: Matrix = field(repr=False)
    _train_labels: Classes = field(repr=False)
    differentiator: Callable[[Matrix], Matrix] | None = field(default=None, repr=False)
    cache: Path = field(default_factory=Path)
    purse: Purse | None = None  # what may be spent; None is no limit

    @property
    def train_matrix(self) -> Matrix:
        """Training rows in internal coding, shape `(n, d)`; needs access "training-data"."""
        self._need("training-data", "the training rows")
        return self._train

    @property
    def train(self) -> pd.DataFrame:
        """Training rows in raw units, a fresh copy; needs access "training-data"."""
        return self.schema.decode(self.train_matrix)

    @property
    def train_labels(self) -> Classes:
        """True classes of the training rows, shape `(n,)`; needs access "training-data"."""
        self._need("training-data", "the training labels")
        return self._train_labels

    def predict_proba(self, rows: pd.DataFrame | Matrix) -> Matrix:
        """The explained classifier's probabilities of classes 0 and 1, shape `(n, 2)`; needs access "probability".

        `rows` is a DataFrame in raw units or a matrix in internal coding. Every call and row is counted.
        """
        self._need("probability", "probabilities")
        return self.predictor(self._matrix(rows))

    def predict(self, rows: pd.DataFrame | Matrix) -> Classes:
        """The explained classifier's classes, shape `(n,)`. Every call and row is counted."""
        return classes_of(self.predictor(self._matrix(rows)))

    def gradient(self, rows: pd.DataFrame | Matrix) -> Matrix:
        """Derivative of the probability of the class `target` by each internal column, shape `(n, d)`; see
        `Classifier.gradient`. Needs access "gradient". Every call and row is counted, as predictions are."""
        self._need("gradient", "gradients")
        if self.differentiator is None:
            raise AccessError("the explained classifier offers no gradients", "explain one that does")
        slopes = self.differentiator(self._matrix(rows))
        return slopes if self.target == 1 else -slopes

    def _matrix(self, rows: pd.DataFrame | Matrix) -> Matrix:
        return rows if isinstance(rows, np.ndarray) else self.schema.encode(rows)

    def _need(self, tier: Access, what: str) -> None:
        if TIERS.index(self.access) < TIERS.index(tier):
            raise AccessError(
                f"a generator with access {self.access!r} asked for {what}", f"declare `access = {tier!r}` on its class"
            )


def classes_of(probabilities: Matrix) -> Classes:
    """The class a classifier decides for: the more probable one, class 0 on a tie."""
    winner: Classes = np.argmax(probabilities, axis=1).astype(np.int64)
    return winner


def settled(probability: Matrix) -> Matrix:
    """The same probabilities to `PROBABILITY_DIGITS` digits, of any shape.

    A classifier that has learnt nothing says the same of everybody, up to rounding; ranking people by that rounding would be
    an AUC of anything. These are ties, and its AUC is a half.
    """
    fraction, exponent = np.frexp(probability)
    kept: Matrix = np.ldexp(np.round(fraction, PROBABILITY_DIGITS), exponent)
    return kept


class Generator(Plugin, ABC):
    """A method that proposes counterfactuals.

    A minimal generator sets `name` and writes `generate`; the harness calls it in a process of its own.
    """

    access: ClassVar[Access] = "probability"
    needs: ClassVar[frozenset[str]] = frozenset()  # of "network", "paid", "gpu", "weights"
    requirements: ClassVar[tuple[str, ...]] = ()  # of the environment it runs in, as pip reads them: "NICEx==0.2.3"
    lane: ClassVar[Literal["cpu", "gpu", "io"]] = "cpu"  # what it waits for; "io" is asked about all people at once
    batch_size: ClassVar[int | None] = 1  # queries in one call of `generate`; None takes a whole shard
    named_options: ClassVar[tuple[str, ...]] = ()  # options that stand beside its name even at their defaults
    preload: ClassVar[tuple[str, ...]] = ()  # modules worth importing once rather than in every process
    sentinel: ClassVar[bool] = False  # a calibration row of the table, never ranked
    dear: ClassVar[str] = ""  # why it is costly, if it is: then it has but a part of an augmentation grid, or none

    def available(self) -> None:
        """Raise `Unavailable(reason, fix)` when this generator cannot run here. Called before anything runs."""

    def recipient(self) -> str:
        """The host that people's rows are sent to; empty when they do not leave this machine."""
        return ""

    def price(self, schema: FeatureSchema, queries: int, k: int) -> float:
        """What answering so many queries may cost, in US dollars; an estimate, made before anything runs."""
        return 0.0

    def fit(self, task: Task) -> None:
        """Prepare for one classifier on one dataset. Heavy imports belong here."""
        self.task = task

    @abstractmethod
    def generate(self, queries: QueryBatch) -> pd.DataFrame | CounterfactualBatch | None:
        """Propose up to `task.k` rows a query, best first: a DataFrame in raw units with a `query_id` column.

        A query left out is an abstention; None abstains from all. Use `query.seed` for anything random, so that order
        and sharding cannot change an answer.
        """


# -- metrics -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, eq=False)
class Sums:
    """What a metric knows of each query, so that any total over queries can be turned into its value.

    `parts` has shape `(n, m)` and is zero where a query was not scored; the harness adds rows up (with bootstrap
    weights) and hands totals of shape `(..., m)` to `Metric.value`.
    """

    parts: Matrix
    eligible: NDArray[np.bool_]  # (n,) queries the metric speaks about
    scored: NDArray[np.bool_]  # (n,) those of them that got a value


class Metric(Plugin, ABC):
    """A number computed from what was stored, as a function of sums over queries."""

    version: ClassVar[str] = "1"
    direction: ClassVar[Literal["higher", "lower", "none"]]
    unit: ClassVar[str]
    is_share: ClassVar[bool] = False  # a mean of values in [0, 1]
    timing: ClassVar[bool] = False  # depends on the machine, so two equal runs may differ
    of_factuals: ClassVar[bool] = False  # also means something for the factual rows themselves

    @abstractmethod
    def sums(self, judged: Judged) -> Sums:
        """The parts of every query asked."""

    @abstractmethod
    def value(self, totals: Matrix) -> Matrix:
        """Turn totals of shape `(..., m)` into values of shape `(...)`; NaN where there is nothing to divide by."""


class MeanMetric(Metric):
    """A metric that is the mean of one value per eligible query."""

    @abstractmethod
    def values(self, judged: Judged) -> Matrix:
        """A value per query, shape `(n,)`; NaN where the query is not eligible or has no value."""

    def eligible(self, judged: Judged) -> NDArray[np.bool_]:
        """Queries the metric speaks about, shape `(n,)`; by default those with an admitted counterfactual."""
        return judged.found

    def sums(self, judged: Judged) -> Sums:
        values, eligible = self.values(judged), self.eligible(judged)
        scored = eligible & np.isfinite(values)
        return Sums(np.column_stack([np.where(scored, values, 0.0), scored.astype(np.float64)]), eligible, scored)

    def value(self, totals: Matrix) -> Matrix:
        return ratio(totals[..., 0], totals[..., 1])


def ratio(numerator: Matrix, denominator: Matrix) -> Matrix:
    """Numerator over denominator, NaN where the denominator is 0."""
    result = np.full(np.shape(numerator), np.nan)
    np.divide(numerator, denominator, out=result, where=np.asarray(denominator) != 0)
    return result


PluginKind = Literal["generator", "classifier", "metric", "dataset"]
KINDS: Mapping[PluginKind, type[Plugin]] = {
    "generator": Generator,
    "classifier": Classifier,
    "metric": Metric,
    "dataset": Dataset,
}
