"""What a classifier must do, tried on the easy table and in the calling process, as a worker would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.contracts import Classifier, classes_of
from sensecf_bench.testing import tables
from sensecf_bench.testing.subject import made
from sensecf_bench.testing.verdicts import CheckFailed, NotChecked, require

if TYPE_CHECKING:
    from sensecf_bench.engine.context import Data
    from sensecf_bench.schema import Matrix
    from sensecf_bench.testing.bench import Bench
    from sensecf_bench.testing.subject import Subject

ROUNDING = 1e-5  # single precision sums in another order
STEP = 1e-3  # of a feature's range, for differences
SLACK = 0.02
PLACES = 5  # rows at which gradients are compared
HEAVY = 20.0  # a weight that no model can overlook


def learns_all_kinds(subject: Subject, bench: Bench) -> None:
    """It is fitted to features of all five kinds, and predicts."""
    try:
        _fitted(subject).predict_proba(_test_rows())
    except Exception as error:
        seen = f"{type(error).__name__}: {error}"
        cure = "encode by `schema.features`: levels come as codes 0, 1, 2, …"
        raise CheckFailed("a model of a table with all five kinds of feature", seen, cure) from error


def gives_probabilities(subject: Subject, bench: Bench) -> None:
    """Predictions have shape (n, 2), lie in [0, 1], and add up to 1."""
    predicted = np.asarray(_working(subject)[1])
    rows = len(_test_rows())
    cure = "return the probabilities of classes 0 and 1 as two columns"
    require(predicted.shape == (rows, 2), f"shape ({rows}, 2)", f"{predicted.shape}", cure)
    inside = np.isfinite(predicted).all() and (predicted >= 0).all() and (predicted <= 1).all()
    require(inside, "probabilities in [0, 1]", f"from {predicted.min()} to {predicted.max()}", cure)
    off = float(np.abs(predicted.sum(axis=1) - 1).max())
    require(off <= ROUNDING, "rows that add up to 1", f"a row that is {off:.3g} off", cure)


def same_seed_same_model(subject: Subject, bench: Bench) -> None:
    """Fitted twice under one seed it predicts the same, however the global random generators stand."""
    state = np.random.get_state()
    try:
        np.random.seed(1)
        one = _predictions(subject)
        np.random.seed(2)
        other = _predictions(subject)
    finally:
        np.random.set_state(state)
    cure = "hand `seed` to everything that draws random numbers"
    require(np.array_equal(one, other), "the same predictions", f"{_most(one, other):.3g} apart", cure)


def one_row_is_as_many(subject: Subject, bench: Bench) -> None:
    """A row is predicted alone as among others."""
    model, rows = _usable(subject), _test_rows()
    together = model.predict_proba(rows.copy())
    alone = np.vstack([model.predict_proba(row[None].copy()) for row in rows])
    cure = "let nothing about the batch into a prediction: scale with what `fit` saw"
    require(np.allclose(together, alone, atol=ROUNDING), "the same alone", f"{_most(together, alone):.3g} apart", cure)


def order_of_rows_does_not_matter(subject: Subject, bench: Bench) -> None:
    """Rows in another order get the same predictions."""
    model, rows = _usable(subject), _test_rows()
    there, back = model.predict_proba(rows.copy()), model.predict_proba(rows[::-1].copy())[::-1]
    cure = "predict each row by itself, and keep nothing from one call to the next"
    require(np.allclose(there, back, atol=ROUNDING), "the same predictions", f"{_most(there, back):.3g} apart", cure)


def leaves_its_rows_alone(subject: Subject, bench: Bench) -> None:
    """Neither fitting nor predicting changes the rows or labels it is given."""
    data = _data()
    rows, labels, asked = data.matrix[data.train].copy(), data.labels[data.train].copy(), _test_rows()
    model = _made(subject)
    _usable(subject)
    model.fit(data.schema, rows, labels, tables.SEED)
    model.predict_proba(asked)
    altered = [
        name
        for name, now, was in (
            ("the training rows", rows, data.matrix[data.train]),
            ("the labels", labels, data.labels[data.train]),
            ("the rows to predict", asked, _test_rows()),
        )
        if not np.array_equal(now, was)
    ]
    require(not altered, "its input untouched", f"it changed {', '.join(altered)}", "work on a copy: `.copy()`")


def beats_the_base_rate(subject: Subject, bench: Bench) -> None:
    """On an easy table it is right more often than the more frequent class is."""
    data, predicted = _data(), _predictions(subject)
    truth = data.labels[data.test]
    right, base = float((classes_of(predicted) == truth).mean()), float(max(truth.mean(), 1 - truth.mean()))
    cure = "see that column 1 is the probability of class 1, and that it learns at all"
    require(right > base, f"an accuracy above the base rate of {base:.2f}", f"{right:.2f}", cure)


def gradient_is_the_slope(subject: Subject, bench: Bench) -> None:
    """If it is differentiable: its gradient is the slope of the probability of class 1, and 0 for categorical columns."""
    if not getattr(subject.cls, "differentiable", False):
        raise NotChecked("it is not differentiable")
    model, rows, schema = _usable(subject), _test_rows()[:PLACES], _data().schema
    gradient = np.asarray(model.gradient(rows.copy()))
    require(gradient.shape == rows.shape, f"shape {rows.shape}", f"{gradient.shape}", "return a derivative per column")
    span = schema.frozen_scales().span
    for j, feature in enumerate(schema.features):
        if feature.kind == "categorical":
            cure = "set those columns to 0: their codes have no order"
            require(not gradient[:, j].any(), f"0 for categorical {feature.name!r}", f"{gradient[:, j].tolist()}", cure)
            continue
        step = np.zeros(rows.shape[1])
        step[j] = STEP * span[j]
        slope = (model.predict_proba(rows + step)[:, 1] - model.predict_proba(rows - step)[:, 1]) / (2 * STEP)
        gap = np.abs(gradient[:, j] * span[j] - slope)
        at = int(gap.argmax())
        require(
            gap[at] <= SLACK + SLACK * abs(slope[at]),
            f"slope {slope[at] / span[j]:.4g} for {feature.name!r}, as differences give it",
            f"{gradient[at, j]:.4g}",
            "differentiate the probability of class 1 by the raw column, per raw unit or level",
        )


def weights_count(subject: Subject, bench: Bench) -> None:
    """If it takes weights: with weights of 1 it is the model that it is without, and other weights make another."""
    if not getattr(subject.cls, "weighted", False):
        raise NotChecked("it takes no weights")
    without, labels = _predictions(subject), _data().labels[_data().train]
    ones, heavy = (_weighted(subject, np.where(labels == 1, weight, 1.0)) for weight in (1.0, HEAVY))
    cure = "hand the weights to what is fitted, and let nothing else hang on there being any"
    require(np.allclose(ones, without, atol=ROUNDING), "the same with 1s", f"{_most(ones, without):.3g} apart", cure)
    seen = "the same predictions"
    require(not np.allclose(heavy, without, atol=ROUNDING), f"another model with class 1 at {HEAVY:g}", seen, cure)


# -- what the checks share ---------------------------------------------------------------------------------------------
def _data() -> Data:
    return tables.setting().explained.data


def _test_rows() -> Matrix:
    data = _data()
    return data.matrix[data.test].copy()


def _made(subject: Subject) -> Classifier:
    classifier: Classifier = made(subject)
    return classifier


def _fitted(subject: Subject) -> Classifier:
    data, model = _data(), _made(subject)
    model.fit(data.schema, data.matrix[data.train].copy(), data.labels[data.train].copy(), tables.SEED)
    return model


def _weighted(subject: Subject, weights: Matrix) -> Matrix:
    data, model = _data(), _made(subject)
    model.fit_weighted(
        data.schema, data.matrix[data.train].copy(), data.labels[data.train].copy(), weights, tables.SEED
    )
    return model.predict_proba(_test_rows())


def _working(subject: Subject) -> tuple[Classifier, Any]:
    """A fitted model and what it says of the test rows."""
    try:
        model = _fitted(subject)
        return model, model.predict_proba(_test_rows())
    except Exception as error:
        raise NotChecked("it does not get that far: see learns-all-kinds") from error


def _usable(subject: Subject) -> Classifier:
    model, predicted = _working(subject)
    if np.shape(predicted) != (len(_test_rows()), 2):
        raise NotChecked("it does not get that far: see gives-probabilities")
    return model


def _predictions(subject: Subject) -> Any:
    return _usable(subject).predict_proba(_test_rows())


def _most(one: Matrix, other: Matrix) -> float:
    return float(np.abs(one - other).max())
