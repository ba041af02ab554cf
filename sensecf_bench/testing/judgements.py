"""Judged answers made by hand, for metrics to be tried on."""

from __future__ import annotations

import numpy as np

from sensecf_bench.contracts import classes_of
from sensecf_bench.judged import Judged, Reference, Spent
from sensecf_bench.queries import Outcome
from sensecf_bench.testing import tables

CASES = ("some found", "nobody found", "everybody found", "one query", "three rows a query")
MANY = 3
PANEL = ("svm", "mlp")


def judged(case: str) -> Judged:
    """A fresh one each time, so that nobody is tried on what another left behind."""
    rows_each = {
        "some found": [1, 0, 1, 1, 0, 1],
        "nobody found": [0] * 6,
        "everybody found": [1] * 6,
        "one query": [1],
        "three rows a query": [MANY, 1, 0, MANY, 2, MANY],
    }[case]
    return _judged(np.array(rows_each))


def reordered(case: Judged, order: list[int]) -> Judged:
    """The same queries in another order, each with its rows."""
    place = np.argsort(order)
    owner = place[case.owner]
    rows = np.argsort(owner, kind="stable")
    spent = case.spent
    return Judged(
        schema=case.schema,
        factuals=case.factuals[order],
        target=case.target[order],
        outcomes=tuple(case.outcomes[i] for i in order),
        owner=owner[rows],
        rows=case.rows[rows],
        predicted=case.predicted[rows],
        panel={name: classes[rows] for name, classes in case.panel.items()},
        reference=case.reference,
        spent=Spent(*(a[order] for a in (spent.seconds, spent.calls, spent.rows, spent.tokens, spent.usd))),
    )


def _judged(rows_each: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Judged:
    """Answers that move each person part of the way to a well one: some flip, and some leave things as they are."""
    setting = tables.setting()
    data, queries = setting.explained.data, setting.queries.take(slice(len(rows_each)))
    train = data.matrix[data.train]
    well = train[data.labels[data.train] == data.target]
    owner = np.repeat(np.arange(len(rows_each)), rows_each)
    rng = np.random.default_rng(3)
    rows = queries.matrix[owner].copy()
    taken = rng.random(rows.shape) < 0.6
    rows[taken] = well[rng.integers(0, len(well), len(rows))][taken]
    predicted = classes_of(setting.explained.model.predict_proba(rows)) if len(rows) else np.empty(0, dtype=np.int64)
    n = len(rows_each)
    missed = [Outcome.ABSTAINED, Outcome.TIMEOUT, Outcome.ERROR]
    return Judged(
        schema=data.schema,
        factuals=queries.matrix.copy(),
        target=queries.target.copy(),
        outcomes=tuple(Outcome.FOUND if count else missed[i % 3] for i, count in enumerate(rows_each)),
        owner=owner,
        rows=rows,
        predicted=predicted,
        panel={name: (predicted + (rng.random(len(rows)) < 0.3)) % 2 for name in PANEL},
        reference=Reference(train.copy(), data.labels[data.train].copy()),
        spent=Spent(rng.random(n), rng.random(n), rng.random(n), np.zeros(n), np.zeros(n)),
    )
