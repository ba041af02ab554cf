"""Where work is carried out: a crew of worker processes on this machine, behind `concurrent.futures`."""

from __future__ import annotations

import contextlib
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

PREFETCHED = 2  # jobs beyond the workers' number that the pool may have handed out
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
    """A pool that is renewed when one of its workers dies, and leaves nobody behind."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._pool = LocalPool(jobs)

    def carry_out(
        self, work: Callable[[Job], Result], jobs: Sequence[Job], tick: Callable[[], None] = lambda: None
    ) -> Iterator[tuple[Job, Result | Exception]]:
        """Do all jobs, yielding each with its result, or with what it raised, as it is done. `tick` is called now and
        then in between.

        When a worker dies, those jobs that may have been under way are done again one at a time, so that one that kills
        its worker fails alone, with WorkersDiedError. Jobs must therefore bear repetition.
        """
        left = dict(enumerate(jobs))
        while left:
            futures: dict[Future[Result], int] = {}
            with contextlib.suppress(BrokenProcessPool):
                futures = {self._pool.submit(work, job): i for i, job in left.items()}
            broken = len(futures) < len(left)
            while futures and not broken:
                done, _ = wait(futures, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
                for future in done:
                    number, outcome = futures.pop(future), _outcome(future)
                    if isinstance(outcome, BrokenProcessPool):
                        broken = True
                    else:
                        yield left.pop(number), outcome
                tick()
            if broken:
                self._renew()
                suspects = list(left)[: self._jobs + PREFETCHED]
                for number in suspects:
                    job = left.pop(number)
                    yield job, self._alone(work, job)

    def _alone(self, work: Callable[[Job], Result], job: Job) -> Result | Exception:
        outcome = _outcome(self._pool.submit(work, job))
        if not isinstance(outcome, BrokenProcessPool):
            return outcome
        self._renew()
        return WorkersDiedError(
            "its worker process died, for want of memory perhaps", "give it more memory, or try fewer --jobs"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            for worker in list((self._pool._processes or {}).values()):
                worker.terminate()
        # Waited for after an error too: an interpreter that ends while a pool is closing may say so in a traceback.
        self._pool.shutdown(cancel_futures=kind is not None)

    def _renew(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = LocalPool(self._jobs)


def _outcome(future: Future[Result]) -> Result | Exception:
    """What a future came to; a process that is told to stop is not an outcome and passes through."""
    error = future.exception()
    if error is None:
        return future.result()
    if not isinstance(error, Exception):
        raise error
    return error


def results_of(pairs: Iterator[tuple[Any, Result | Exception]]) -> Iterator[tuple[Any, Result]]:
    """For jobs that must not fail: raise what the first failing one raised."""
    for job, result in pairs:
        if isinstance(result, Exception):
            raise result
        yield job, result
