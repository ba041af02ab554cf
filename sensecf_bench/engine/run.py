"""A run from its plan to its stored cells: contexts described, parts sent out, shards gathered into records."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path

from sensecf_bench.engine.cells import CellSpec, ContextSpec
from sensecf_bench.engine.executors import Crew, prepare, results_of
from sensecf_bench.engine.means import Means, means_of
from sensecf_bench.engine.nursery import Nursery
from sensecf_bench.engine.observers import Observer
from sensecf_bench.engine.plan import Plan
from sensecf_bench.engine.processes import usable_cores
from sensecf_bench.engine.restricted import keep_to_owner
from sensecf_bench.engine.score import ContextScore, ScoreJob, score_context
from sensecf_bench.engine.shards import shard_path
from sensecf_bench.engine.store import Identity, RunStore, StoredCell, load_cell, stored_cells
from sensecf_bench.engine.worker import ContextReport, Part, PartReport, describe_context, run_part
from sensecf_bench.errors import BenchError, ConfigError, RunFolderError


@dataclass(frozen=True)
class CellResult:
    """A planned cell and what became of it; `stored` is None where it could not be carried out, for `reason`."""

    cell: CellSpec
    stored: StoredCell | None
    reason: str = ""


@dataclass
class TimeSpent:
    """Seconds of the run: `wall`, `contexts`, `generating` and `scoring` on the clock, the others summed over its workers."""

    jobs: int = 1
    wall: float = 0.0
    contexts: float = 0.0
    generating: float = 0.0
    classifier: float = 0.0
    fit: float = 0.0
    generate: float = 0.0
    judge: float = 0.0
    worker_total: float = 0.0
    scoring: float = 0.0

    def add(self, report: PartReport) -> None:
        self.classifier += report.classifier
        self.fit += report.fit
        self.generate += report.generate
        self.judge += report.judge
        self.worker_total += report.total


@dataclass(eq=False)
class Carried:
    """All that a run carried out, ready to be reported."""

    plan: Plan
    time: TimeSpent
    results: list[CellResult] = field(default_factory=list)
    scores: dict[str, ContextScore] = field(default_factory=dict)  # by context key
    contexts: dict[str, ContextReport | Exception] = field(default_factory=dict)  # by context key


@dataclass(eq=False)
class _Pending:
    """A cell whose shards are still coming in."""

    cell: CellSpec
    identity: Identity
    folder: Path
    shards: int
    missing: tuple[int, ...]
    waiting: int = 0  # parts not yet back
    failure: str = ""


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
            _generate(carried, crew, nursery, store, observer)
            observer.stage("scoring")
            score_cells(carried, crew)
    finally:
        for warning in store.warnings:
            observer.warn(warning)
        store.close()
    carried.time.wall = time.monotonic() - started
    return carried


def rescore(plan: Plan, out: Path, observer: Observer) -> Carried:
    """Score the cells of a plan that are stored, without generating anything; one that is not stored has failed.

    Raises RunFolderError for a corrupt cell, and for answers that were made for other data.
    """
    carried = Carried(plan, TimeSpent(jobs=plan.config.jobs or usable_cores()))
    with Crew(carried.time.jobs) as crew:
        observer.stage("fitting classifiers")
        _describe_contexts(carried, crew)
        kept = stored_cells(out)
        for cell in plan.cells:
            why = _nothing_to_ask(carried.contexts[cell.context.key])
            stored = None if why else _kept(kept, cell, carried.contexts[cell.context.key], out)
            carried.results.append(CellResult(cell, stored, why or ("" if stored else "not stored: repeat the run")))
        observer.stage("scoring")
        score_cells(carried, crew)
    return carried


def _nothing_to_ask(context: ContextReport | Exception) -> str:
    if isinstance(context, Exception):
        return f"dataset failed: {type(context).__name__}: {context}"
    return context.nothing_to_ask


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
    carried.time.contexts = time.monotonic() - started


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


def _generate(carried: Carried, crew: Crew, nursery: Nursery, store: RunStore, observer: Observer) -> None:
    pending = _take_stock(carried, store, observer)
    means = means_of(carried.plan.config, store.root)
    parts = _parts(list(pending.values()), carried.time.jobs, nursery.address, means)
    for part in parts:
        if not pending[part.folder].waiting:
            observer.cell_started(part.cell)
        pending[part.folder].waiting += 1
    observer.stage("generating")
    started = time.monotonic()
    for part, report in crew.carry_out(run_part, parts, lambda: _look_after(pending, nursery, observer)):
        cell = pending[part.folder]
        cell.waiting -= 1
        if isinstance(report, BaseException):
            cell.failure = f"{type(report).__name__}: {report}"
        else:
            carried.time.add(report)
        if cell.waiting == 0:
            del pending[part.folder]
            _close(cell, carried, store, observer)
    for cell in list(pending.values()):  # every shard was there, only the record was missing
        _close(cell, carried, store, observer)
    carried.time.generating = time.monotonic() - started
    order = {cell.title: i for i, cell in enumerate(carried.plan.cells)}
    carried.results.sort(key=lambda r: order[r.cell.title])


def _take_stock(carried: Carried, store: RunStore, observer: Observer) -> dict[Path, _Pending]:
    """Sort the plan's cells into those that are stored, those with nothing to ask, and those still to be done."""
    pending: dict[Path, _Pending] = {}
    for cell in carried.plan.cells:
        context = carried.contexts[cell.context.key]
        why = _nothing_to_ask(context)
        if why or isinstance(context, Exception):
            carried.results.append(CellResult(cell, None, why))
        else:
            key = cell.key(context.fingerprint)
            folder = store.cell_folder(cell, key)
            stored = store.finished(folder, key)
            if stored is not None:
                carried.results.append(CellResult(cell, stored))
                observer.cell_finished(cell, stored.record, reused=True)
                continue
            shards = math.ceil(context.queries / cell.shard_size)
            pending[folder] = _Pending(
                cell, Identity(key, context.fingerprint), folder, shards, store.missing_shards(folder, shards)
            )
    observer.planned(len(carried.plan.cells), sum(len(p.missing) for p in pending.values()))
    return pending


def _parts(pending: list[_Pending], jobs: int, nursery: str, means: Means) -> list[Part]:
    """Cells as parts for workers: those that answer one query at a time first, because they take longest, and split
    when there are too few of them to keep every worker busy."""
    singly = [p for p in pending if p.cell.generator_class.batch_size is not None]
    batched = _generator_by_generator([p for p in pending if p.cell.generator_class.batch_size is None])
    pieces = max(1, math.ceil(2 * jobs / max(1, len(singly)))) if jobs > 1 else 1
    parts = []
    for p in singly:
        count = min(pieces, jobs, len(p.missing))
        parts += [Part(p.cell, p.folder, p.missing[i::count], nursery, means) for i in range(count)]
    return parts + [Part(p.cell, p.folder, p.missing, nursery, means) for p in batched if p.missing]


def _generator_by_generator(pending: list[_Pending]) -> list[_Pending]:
    """The same cells, on one table and seed a generator with all classifiers before the next one. Neighbours in the plan may
    share what is dear to make, such as a fine-tuned model, and side by side one would wait for the other."""
    tables = {key: i for i, key in enumerate(dict.fromkeys(p.cell.context.data_key for p in pending))}
    names = {name: i for i, name in enumerate(dict.fromkeys(p.cell.generator.label for p in pending))}
    return sorted(pending, key=lambda p: (tables[p.cell.context.data_key], names[p.cell.generator.label]))


def _close(cell: _Pending, carried: Carried, store: RunStore, observer: Observer) -> None:
    if cell.failure:
        carried.results.append(CellResult(cell.cell, None, cell.failure))
        observer.warn(f"{cell.cell.title}: {cell.failure}")
        return
    try:
        stored = store.finish(cell.folder, cell.identity, cell.cell, cell.shards)
    except (ValueError, TypeError) as error:  # answers that cannot be written down cost their own cell
        carried.results.append(CellResult(cell.cell, None, f"cannot be stored: {type(error).__name__}: {error}"))
        observer.warn(f"{cell.cell.title}: cannot be stored: {error}")
        return
    carried.results.append(CellResult(cell.cell, stored))
    observer.cell_finished(cell.cell, stored.record, reused=False)


def _look_after(pending: dict[Path, _Pending], nursery: Nursery, observer: Observer) -> None:
    nursery.check()
    done = sum(shard_path(p.folder, n).exists() for p in pending.values() if p.waiting for n in p.missing)
    observer.shards_in_flight(done)
