"""Scoring: a pure function of what is stored, the dataset, and the panel of classifiers.

One job scores all cells of a context, so that the reference models (LOF, neighbours, panel) are fitted once for all.
"""

from __future__ import annotations

import time
import warnings
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.contracts import Metric, Sums, classes_of
from sensecf_bench.engine.files import CorruptError
from sensecf_bench.engine.judge import as_if_factuals_were_answers, judge
from sensecf_bench.engine.rationales import Said, said
from sensecf_bench.engine.store import load_cell
from sensecf_bench.engine.worker import data_for, explained_for
from sensecf_bench.errors import RunFolderError
from sensecf_bench.judged import Judged, Reference
from sensecf_bench.metrics.bootstrap import Estimate, estimates
from sensecf_bench.schema import QUERY_ID

if TYPE_CHECKING:
    from sensecf_bench.engine.cells import Component, ContextSpec
    from sensecf_bench.engine.context import Explained
    from sensecf_bench.queries import Classes
    from sensecf_bench.schema import Matrix

_references: OrderedDict[str, Reference] = OrderedDict()


@dataclass(frozen=True)
class ScoreJob:
    """The finished cells of one context, and what to score them with."""

    context: ContextSpec
    folders: tuple[Path, ...]
    metrics: tuple[Component, ...]
    panel: tuple[Component, ...]
    resamples: int


@dataclass(frozen=True, eq=False)
class CellScore:
    """A cell's estimates, and the sums they came from, for pooling with other cells."""

    folder: Path
    ids: tuple[str, ...]  # of the queries, in the order of the sums
    estimates: Mapping[str, Estimate]
    sums: Mapping[str, Sums]
    errors: Mapping[str, str]  # metrics that raised, and what
    said: Said | None = None  # its own words about its rows; they enter no estimate


@dataclass(frozen=True)
class ContextScore:
    """All scores of a context, and those of its factual rows where a metric means something for them."""

    cells: tuple[CellScore, ...]
    factuals: Mapping[str, Estimate]
    classifier_seconds: float  # fitting the panel
    predict_seconds: float  # asking it
    panel_failure: str  # why there is no panel


def score_context(job: ScoreJob) -> ContextScore:
    """Raises RunFolderError when a stored cell is missing or corrupt."""
    data = data_for(job.context)
    reference = _reference(job.context)
    panel = _Panel(job)
    metrics: list[Metric] = [c.make() for c in job.metrics]
    cells: list[CellScore] = []
    factuals: dict[str, Estimate] = {}
    for folder in job.folders:
        try:
            cell = load_cell(folder)
        except CorruptError as error:
            raise RunFolderError(
                f"{folder.name}: {error}", "run again: the cell is set aside and recomputed"
            ) from error
        if cell is None:
            raise RunFolderError(f"{folder.name} has no record", "run again to finish it")
        queries, rows = cell.queries(), cell.rows()
        judged = judge(queries, rows, reference, panel, data)
        ids = tuple(queries[QUERY_ID])
        words = said(queries, rows, data.schema, data.restricted)
        cells.append(replace(_score(folder, ids, judged, metrics, job.resamples), said=words))
        if not factuals:
            own = [m for m in metrics if m.of_factuals]
            factuals = dict(_score(folder, ids, as_if_factuals_were_answers(judged), own, job.resamples).estimates)
    return ContextScore(tuple(cells), factuals, panel.fit_seconds, panel.predict_seconds, panel.failure)


class _Panel:
    """The classifiers of the other families, fitted on the same rows, with what they took. All of them or none: a
    smaller panel would be another measure."""

    def __init__(self, job: ScoreJob) -> None:
        started = time.monotonic()
        others = [c for c in job.panel if c.name != job.context.classifier.name]
        self.failure = ""
        self._members: list[Explained] = []
        try:
            self._members = [explained_for(replace(job.context, classifier=c)) for c in others]
        except Exception as error:  # noqa: BLE001 whatever keeps a family from being fitted here must not cost the run
            self.failure = f"{type(error).__name__}: {error}"
        self.fit_seconds = time.monotonic() - started
        self.predict_seconds = 0.0

    def __call__(self, rows: Matrix) -> dict[str, Classes]:
        started = time.monotonic()
        nobody = np.empty(0, dtype=np.int64)
        said = {m.name: classes_of(m.model.predict_proba(rows)) if len(rows) else nobody for m in self._members}
        self.predict_seconds += time.monotonic() - started
        return said


def _score(folder: Path, ids: tuple[str, ...], judged: Judged, metrics: Sequence[Metric], resamples: int) -> CellScore:
    sums: dict[str, Sums] = {}
    errors: dict[str, str] = {}
    for metric in metrics:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found_sums = metric.sums(judged)
                metric.value(found_sums.parts.sum(axis=0))
            sums[metric.name] = found_sums
        except Exception as error:  # noqa: BLE001 a stranger's metric may raise anything; it is shown, and costs itself
            errors[metric.name] = f"{type(error).__name__}: {error}"
    measured = [(m, sums[m.name]) for m in metrics if m.name in sums]
    found = dict(estimates(measured, np.array(ids), resamples=resamples)) if ids else {}
    for metric in metrics:
        if metric.name not in found:
            found[metric.name] = Estimate(None, None, None, 0, 0, len(ids))
    return CellScore(folder, ids, {m.name: found[m.name] for m in metrics}, sums, errors)


def _reference(spec: ContextSpec) -> Reference:
    if spec.data_key not in _references:
        data = data_for(spec)
        _references[spec.data_key] = Reference(data.matrix[data.train], data.labels[data.train])
        while len(_references) > 4:
            _references.popitem(last=False)
    return _references[spec.data_key]
