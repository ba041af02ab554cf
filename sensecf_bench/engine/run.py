"""A run from its plan to what is reported: contexts described, cells carried out and scored, augmentation assessed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from sensecf_bench.engine.carried import Carried, CellResult, TimeSpent
from sensecf_bench.engine.cells import CellSpec, ContextSpec
from sensecf_bench.engine.executors import Crew, prepare, results_of
from sensecf_bench.engine.generating import Workshop, generate, nothing_to_ask
from sensecf_bench.engine.nursery import Nursery
from sensecf_bench.engine.observers import Observer
from sensecf_bench.engine.plan import Plan
from sensecf_bench.engine.processes import usable_cores
from sensecf_bench.engine.restricted import keep_to_owner
from sensecf_bench.engine.score import ScoreJob, score_context
from sensecf_bench.engine.store import RunStore, StoredCell, load_cell, stored_cells
from sensecf_bench.engine.worker import ContextReport, describe_context
from sensecf_bench.errors import BenchError, ConfigError, RunFolderError

__all__ = ["Carried", "CellResult", "TimeSpent", "carry_out", "rescore", "score_cells"]


def carry_out(plan: Plan, out: Path, observer: Observer) -> Carried:
    """Run whatever of the plan is not stored yet, then score everything. Finished work survives any interruption.

    Raises RunFolderError, DataError or SchemaError before anything is generated.
    """
    started = time.monotonic()
    carried = Carried(plan, TimeSpent(jobs=plan.config.jobs or usable_cores()))
    store = RunStore(out)
    store.open(plan.config)
    try:
        keep_to_owner(out, plan.contexts)
        prepare()
        with Nursery(plan.preload) as nursery, Crew(carried.time.jobs) as crew:
            observer.stage("fitting classifiers")
            _describe_contexts(carried, crew)
            scarce = plan.augmentation.cells if plan.augmentation else ()
            results = generate((*plan.cells, *scarce), carried, Workshop(crew, nursery, store, observer))
            _sort_out(results, carried)
            observer.stage("scoring")
            score_cells(carried, crew)
            _assess(carried, crew, out, observer)
    finally:
        for warning in store.warnings:
            observer.warn(warning)
        store.close()
    carried.time.wall = time.monotonic() - started
    return carried


def rescore(plan: Plan, out: Path, observer: Observer) -> Carried:
    """Score the cells of a plan that are stored, without generating anything; one that is not stored has failed. Arms of
    augmentation that have not been assessed are.

    Raises RunFolderError for a corrupt cell, and for answers that were made for other data.
    """
    carried = Carried(plan, TimeSpent(jobs=plan.config.jobs or usable_cores()))
    scarce = plan.augmentation.cells if plan.augmentation else ()
    with Crew(carried.time.jobs) as crew:
        observer.stage("fitting classifiers")
        _describe_contexts(carried, crew)
        kept = stored_cells(out)
        results = []
        for cell in (*plan.cells, *scarce):
            why = nothing_to_ask(carried.contexts[cell.context.key])
            stored = None if why else _kept(kept, cell, carried.contexts[cell.context.key], out)
            results.append(CellResult(cell, stored, why or ("" if stored else "not stored: repeat the run")))
        _sort_out(results, carried)
        observer.stage("scoring")
        score_cells(carried, crew)
        _assess(carried, crew, out, observer)
    return carried


def _sort_out(results: Sequence[CellResult], carried: Carried) -> None:
    carried.results = [r for r in results if r.cell.context.scarcity is None]
    carried.scarce = [r for r in results if r.cell.context.scarcity is not None]


def _assess(carried: Carried, crew: Crew, out: Path, observer: Observer) -> None:
    if carried.plan.augmentation is None:
        return
    from sensecf_bench.engine.augmenting import augment

    carried.assessed = augment(carried, crew, out, observer)


def _kept(
    kept: dict[str, StoredCell], cell: CellSpec, context: ContextReport | Exception, out: Path
) -> StoredCell | None:
    """The stored cell: the one of this very version, or the latest of its name. Raises RunFolderError when its answers
    were made for other data."""
    assert isinstance(context, ContextReport)
    stored = load_cell(out / "cells" / cell.folder(cell.key(context.fingerprint))) or kept.get(cell.name)
    if stored is not None and stored.record["data"] != context.fingerprint:
        raise RunFolderError(
            f"{cell.title}: the dataset is not the one its answers were made for", "run again in another --out"
        )
    return stored


def score_cells(carried: Carried, crew: Crew) -> None:
    """Score every stored cell, context by context."""
    jobs = []
    for context in carried.plan.contexts:
        folders = tuple(r.stored.folder for r in carried.results if r.stored and r.cell.context.key == context.key)
        plan = carried.plan
        if folders:
            jobs.append(ScoreJob(context, folders, plan.metrics, plan.panel, plan.config.resamples))
    started = time.monotonic()
    for job, scores in results_of(crew.carry_out(score_context, jobs)):
        carried.scores[job.context.key] = scores
        carried.time.classifier += scores.classifier_seconds
        carried.time.judge += scores.predict_seconds
    carried.time.scoring = time.monotonic() - started


def _describe_contexts(carried: Carried, crew: Crew) -> None:
    started = time.monotonic()
    jobs = [(context, carried.plan.config.asked) for context in carried.plan.contexts]
    for (context, _), report in crew.carry_out(_describe, jobs):
        if isinstance(report, BenchError):
            raise report
        carried.contexts[context.key] = report
        if isinstance(report, ContextReport):
            carried.time.classifier += report.seconds
    _refuse_namesakes(carried)
    _describe_scarce_contexts(carried, crew)
    carried.time.contexts = time.monotonic() - started


def _describe_scarce_contexts(carried: Carried, crew: Crew) -> None:
    """One that cannot be described is reported with its cells: there may be too little left of a small table, or a seed
    of the grid may split it badly."""
    contexts = carried.plan.augmentation.contexts if carried.plan.augmentation else ()
    for context, report in crew.carry_out(_describe_scarce, contexts):
        carried.contexts[context.key] = report
        if isinstance(report, ContextReport):
            carried.time.classifier += report.seconds


def _refuse_namesakes(carried: Carried) -> None:
    """Two datasets of one name would be one row of the leaderboard."""
    owners: dict[str, str] = {}
    for context in carried.plan.contexts:
        report = carried.contexts[context.key]
        if (
            isinstance(report, ContextReport)
            and owners.setdefault(report.dataset, context.dataset.key) != context.dataset.key
        ):
            raise ConfigError(f"two datasets are called {report.dataset!r}", "give each table a `name` of its own")


def _describe(job: tuple[ContextSpec, int]) -> ContextReport:
    return describe_context(*job)


def _describe_scarce(context: ContextSpec) -> ContextReport:
    return describe_context(context, None)
