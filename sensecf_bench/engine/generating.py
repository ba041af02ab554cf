"""Cells from what is stored of them to their records: parts sent out to workers, shards gathered."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sensecf_bench.engine.carried import Carried, CellResult
from sensecf_bench.engine.cells import CellSpec
from sensecf_bench.engine.executors import Crew
from sensecf_bench.engine.means import Means, means_of
from sensecf_bench.engine.nursery import Nursery
from sensecf_bench.engine.observers import Observer
from sensecf_bench.engine.shards import shard_path
from sensecf_bench.engine.store import Identity, RunStore
from sensecf_bench.engine.turns import taking_turns
from sensecf_bench.engine.worker import ContextReport, Part, run_part


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


@dataclass(frozen=True, eq=False)
class Workshop:
    """What cells are carried out with."""

    crew: Crew
    nursery: Nursery
    store: RunStore
    observer: Observer


def generate(cells: Sequence[CellSpec], carried: Carried, shop: Workshop) -> list[CellResult]:
    """Carry out whatever is not stored yet of these cells, whose contexts have been described; results in their order."""
    results: list[CellResult] = []
    pending = _take_stock(cells, carried, shop, results)
    means = means_of(carried.plan.config, shop.store.root)
    parts = _parts(list(pending.values()), carried.time.jobs, shop.nursery.address, means)
    for part in parts:
        if not pending[part.folder].waiting:
            shop.observer.cell_started(part.cell)
        pending[part.folder].waiting += 1
    shop.observer.stage("generating")
    started = time.monotonic()
    for part, report in shop.crew.carry_out(run_part, parts, lambda: _look_after(pending, shop)):
        cell = pending[part.folder]
        cell.waiting -= 1
        if isinstance(report, BaseException):
            cell.failure = f"{type(report).__name__}: {report}"
        else:
            carried.time.add(report)
        if cell.waiting == 0:
            del pending[part.folder]
            results.append(_closed(cell, shop))
    # of what is left every shard was there, only the record was missing
    results += [_closed(cell, shop) for cell in pending.values()]
    carried.time.generating += time.monotonic() - started
    order = {cell.title: i for i, cell in enumerate(cells)}
    return sorted(results, key=lambda r: order[r.cell.title])


def nothing_to_ask(context: ContextReport | Exception) -> str:
    """Why nobody can be asked there; empty where somebody can."""
    if isinstance(context, Exception):
        return f"dataset failed: {type(context).__name__}: {context}"
    return context.nothing_to_ask


def _take_stock(
    cells: Sequence[CellSpec], carried: Carried, shop: Workshop, results: list[CellResult]
) -> dict[Path, _Pending]:
    """Sort cells into those that are stored, those with nothing to ask, and those still to be done."""
    pending: dict[Path, _Pending] = {}
    for cell in cells:
        context = carried.contexts[cell.context.key]
        why = nothing_to_ask(context)
        if why or isinstance(context, Exception):
            results.append(CellResult(cell, None, why))
        else:
            key = cell.key(context.fingerprint)
            folder = shop.store.cell_folder(cell, key)
            stored = shop.store.finished(folder, key)
            if stored is not None:
                results.append(CellResult(cell, stored))
                shop.observer.cell_finished(cell, stored.record, reused=True)
                continue
            shards = math.ceil(context.queries / cell.shard_size)
            pending[folder] = _Pending(
                cell, Identity(key, context.fingerprint), folder, shards, shop.store.missing_shards(folder, shards)
            )
    shop.observer.planned(len(cells), sum(len(p.missing) for p in pending.values()))
    return pending


def _parts(pending: list[_Pending], jobs: int, nursery: str, means: Means) -> list[Part]:
    """Cells as parts for workers: those that answer one query at a time first, because they take longest, and split
    when there are too few of them to keep every worker busy."""
    singly = [p for p in pending if p.cell.generator_class.batch_size is not None]
    batched = [p for p in pending if p.cell.generator_class.batch_size is None]
    batched = [batched[i] for i in taking_turns([p.cell for p in batched])]
    pieces = max(1, math.ceil(2 * jobs / max(1, len(singly)))) if jobs > 1 else 1
    parts = []
    for p in singly:
        count = min(pieces, jobs, len(p.missing))
        parts += [Part(p.cell, p.folder, p.missing[i::count], nursery, means) for i in range(count)]
    return parts + [Part(p.cell, p.folder, p.missing, nursery, means) for p in batched if p.missing]


def _closed(cell: _Pending, shop: Workshop) -> CellResult:
    if cell.failure:
        shop.observer.warn(f"{cell.cell.title}: {cell.failure}")
        return CellResult(cell.cell, None, cell.failure)
    try:
        stored = shop.store.finish(cell.folder, cell.identity, cell.cell, cell.shards)
    except (ValueError, TypeError) as error:  # answers that cannot be written down cost their own cell
        shop.observer.warn(f"{cell.cell.title}: cannot be stored: {error}")
        return CellResult(cell.cell, None, f"cannot be stored: {type(error).__name__}: {error}")
    shop.observer.cell_finished(cell.cell, stored.record, reused=False)
    return CellResult(cell.cell, stored)


def _look_after(pending: dict[Path, _Pending], shop: Workshop) -> None:
    shop.nursery.check()
    done = sum(shard_path(p.folder, n).exists() for p in pending.values() if p.waiting for n in p.missing)
    shop.observer.shards_in_flight(done)
