"""Where work is carried out: a crew of worker processes on this machine, behind `concurrent.futures`."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from sensecf_bench.engine.processes import fork_server, quiet_start, warm_up
from sensecf_bench.engine.worker import initialise
from sensecf_bench.errors import WorkersDiedError

Arguments = ParamSpec("Arguments")
Job = TypeVar("Job")
Result = TypeVar("Result")

MOST_DEATHS = 3
POLL_SECONDS = 0.5
WORKER_PRELOAD = (
    "numpy",
    "pandas",
    "pyarrow.parquet",
    "scipy.special",
    "sklearn.calibration",
    "sklearn.compose",
    "sklearn.ensemble",
    "sklearn.metrics",
    "sklearn.model_selection",
    "sklearn.neighbors",
    "sklearn.neural_network",
    "sklearn.pipeline",
    "sklearn.preprocessing",
    "sklearn.svm",
    "sensecf_bench.engine.nursery",
    "sensecf_bench.engine.score",
)


def prepare() -> None:
    """Let the workers' imports begin while the caller still has something else to do."""
    warm_up(WORKER_PRELOAD)


class LocalPool(ProcessPoolExecutor):
    """Worker processes that ignore interrupts and die with the process that started them."""

    def __init__(self, jobs: int) -> None:
        prepare()
        with quiet_start():
            super().__init__(jobs, mp_context=fork_server(), initializer=initialise)

    def submit(
        self, fn: Callable[Arguments, Result], /, *args: Arguments.args, **kwargs: Arguments.kwargs
    ) -> Future[Result]:
        with quiet_start():  # submitting may start a worker
            return super().submit(fn, *args, **kwargs)


class Crew:
    """A pool that is renewed when one of its workers dies, up to three times, and leaves nobody behind."""

    def __init__(self, jobs: int) -> None:
        self._jobs, self._deaths = jobs, 0
        self._pool = LocalPool(jobs)

    def carry_out(
        self, work: Callable[[Job], Result], jobs: Sequence[Job], tick: Callable[[], None] = lambda: None
    ) -> Iterator[tuple[Job, Result | Exception]]:
        """Do all jobs, yielding each with its result, or with what it raised, as it is done. `tick` is called now and
        then in between. A job that a dying worker leaves unfinished is done again, so jobs must bear repetition."""
        left = dict(enumerate(jobs))
        while left:
            futures: dict[Future[Result], int] = {self._pool.submit(work, job): i for i, job in left.items()}
            broken = False
            while futures and not broken:
                done, _ = wait(futures, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                for future in done:
                    error = future.exception()
                    number = futures.pop(future)
                    if isinstance(error, BrokenProcessPool):
                        broken = True
                        continue
                    if error is not None and not isinstance(error, Exception):
                        raise error
                    yield left.pop(number), future.result() if error is None else error
                tick()
            if broken:
                self._renew()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._pool.shutdown()
            return
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children():
            process.terminate()

    def _renew(self) -> None:
        self._deaths += 1
        if self._deaths > MOST_DEATHS:
            raise WorkersDiedError(
                f"worker processes died {self._deaths} times, for want of memory perhaps; finished work is kept",
                "try fewer --jobs, and repeat the command",
            )
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = LocalPool(self._jobs)


def results_of(pairs: Iterator[tuple[Any, Result | Exception]]) -> Iterator[tuple[Any, Result]]:
    """For jobs that must not fail: raise what the first failing one raised."""
    for job, result in pairs:
        if isinstance(result, Exception):
            raise result
        yield job, result
