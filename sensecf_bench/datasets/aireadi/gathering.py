"""Everybody's features: from the store where their files have not changed, and from the files otherwise."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from sensecf_bench.datasets.aireadi.participant import Participant, Summary, key_of, summarise
from sensecf_bench.errors import DataError, WorkersDiedError

if TYPE_CHECKING:
    from sensecf_bench.datasets.aireadi.store import FeatureStore

BATCH = 32  # participants in one file of the store
BATCH_SECONDS = 10.0
IN_HAND = 2  # participants under way for each process: what bounds memory

Progress = Callable[[int, int], None]


def gather(
    participants: Sequence[Participant],
    store: FeatureStore | None,
    *,
    jobs: int = 1,
    strict: bool = False,
    progress: Progress | None = None,
) -> dict[str, Summary]:
    """The summary of every participant, by id, in the order given.

    The store, if any, is open. `progress` is told how many are done and how many there are. With `strict`, the first file that cannot be used raises
    DataError. Raises WorkersDiedError when a process dies, such as for want of memory.
    """
    found: dict[str, Summary] = {}
    if store is not None:
        found = store.read({p.person_id: key_of(p) for p in participants})
    for known in found.values():
        _refuse_problems(known, strict)
    missing = [p for p in participants if p.person_id not in found]
    batch: list[Summary] = []
    written = time.monotonic()
    try:
        for summary in _summaries(missing, jobs):
            _refuse_problems(summary, strict)
            found[summary.person_id] = summary
            batch.append(summary)
            if progress is not None:
                progress(len(found), len(participants))
            if store is not None and (len(batch) >= BATCH or time.monotonic() - written > BATCH_SECONDS):
                store.add(batch)
                batch, written = [], time.monotonic()
    finally:
        if store is not None:
            store.add(batch)
    ordered = {p.person_id: found[p.person_id] for p in participants}
    if store is not None:
        store.settle(ordered)
    return ordered


def cores() -> int:
    """How many processes are worth having here."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _summaries(participants: Sequence[Participant], jobs: int) -> Iterator[Summary]:
    if jobs <= 1 or len(participants) <= 1:
        yield from map(summarise, participants)
        return
    import multiprocessing

    queue = iter(participants)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_leave_with_parent) as pool:
        try:
            with _main_not_imported_again():
                under_way: set[Future[Summary]] = {pool.submit(summarise, p) for p in islice(queue, IN_HAND * jobs)}
            while under_way:
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                under_way |= {pool.submit(summarise, p) for p in islice(queue, len(done))}
                for future in done:
                    yield future.result()
        except BrokenProcessPool as error:
            raise WorkersDiedError(
                "a process that read participants' files died", "free some memory, or read with --jobs 1"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _main_not_imported_again() -> Iterator[None]:
    """Processes started in here do not run the caller's script again, which would otherwise need a guard."""
    main = sys.modules["__main__"].__dict__
    hidden: dict[str, Any] = {name: main.pop(name) for name in ("__file__", "__spec__") if name in main}
    main["__spec__"] = None
    try:
        yield
    finally:
        main.update(hidden)


def _leave_with_parent() -> None:
    """End this process when the one that started it is gone: a pool's processes would wait for ever."""
    import threading
    from multiprocessing import parent_process
    from multiprocessing.connection import wait as wait_for

    parent = parent_process()
    if parent is None:
        return

    def watch(sentinel: int = parent.sentinel) -> None:
        wait_for([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _refuse_problems(summary: Summary, strict: bool) -> None:
    if strict and summary.problems:
        raise DataError(summary.problems[0], "mend or remove the file, or go on without --strict")
