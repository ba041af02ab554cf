"""Many queries at once: from the cache what is there, from the server the rest, and each answer kept when it arrives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sensecf_bench.errors import OverBudgetError
from sensecf_openai.answers import Answer, Request
from sensecf_openai.caller import NoAnswerError
from sensecf_openai.till import Till

if TYPE_CHECKING:
    from sensecf_bench import Query
    from sensecf_bench.contracts import Purse
    from sensecf_openai.cache import AnswerCache
    from sensecf_openai.caller import Caller

AHEAD = 4  # requests written ahead, by the number of those under way

Phrased = Callable[[str], Request]  # on which rung, see `dialect`
Read = Callable[["Query", Answer], "Reading"]
Phrase = Callable[["Query", int], Phrased]  # a query, and the number of a sample


@dataclass(frozen=True, eq=False)
class Reading:
    """The row that an answer proposes, or why it proposes none."""

    row: Mapping[str, Any] | None
    flaw: str = ""


@dataclass(frozen=True, eq=False)
class Sample:
    """One answer to a query, and where it came from."""

    number: int
    request: Request
    answer: Answer
    from_cache: bool
    reading: Reading


@dataclass(eq=False)
class Result:
    """What became of a query: its samples in order, and why there are not as many as were asked for."""

    samples: list[Sample] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Job:
    query: Query
    number: int


class Answering:
    """Answers queries through a cache and a caller; without a caller, from the cache alone."""

    def __init__(
        self,
        cache: AnswerCache,
        caller: Caller | None,
        phrase: Phrase,
        read: Read,
        rungs: Sequence[str],
        concurrency: int,
        seconds: float,
        purse: Purse | None,
    ) -> None:
        self._cache, self._caller, self._phrase, self._read, self._rungs = cache, caller, phrase, read, rungs
        self._concurrency, self._seconds, self._purse = concurrency, seconds, purse

    async def answer(self, queries: Iterable[Query], samples: int) -> dict[str, Result]:
        """Results by query id. Raises OverBudgetError when the money is gone; what arrived is in the cache by then."""
        jobs = [Job(query, number) for query in queries for number in range(samples)]
        results = {job.query.id: Result() for job in jobs}
        if self._caller is None:
            for job in jobs:
                self._replay(job, results[job.query.id])
        else:
            await self._ask(self._caller, jobs, results)
        for result in results.values():
            result.samples.sort(key=lambda sample: sample.number)
        return results

    def _replay(self, job: Job, result: Result) -> None:
        phrased = self._phrase(job.query, job.number)
        known = self._known(job, phrased)
        if known is not None:
            result.samples.append(known)
            return
        asked = phrased(self._rungs[0])
        where = f"the cache {self._cache.file} holds no answer"
        result.failures.append(f"replay: {where} of {asked.model} to this prompt ({asked.key[:12]}…)")

    def _known(self, job: Job, phrased: Phrased) -> Sample | None:
        """What the cache holds. Which rung a server will stand on may not be known yet, so all are looked up."""
        for rung in self._rungs:
            request = phrased(rung)
            found = self._cache.get(request.key)
            if found is not None:
                return Sample(job.number, request, found, True, self._read(job.query, found))
        return None

    async def _ask(self, caller: Caller, jobs: list[Job], results: dict[str, Result]) -> None:
        workers = min(self._concurrency, len(jobs))
        line = _Line(caller, Till(self._purse, bulk=workers), asyncio.Queue(AHEAD * workers))
        try:
            ended = await asyncio.gather(
                self._prepare(jobs, results, line, workers),
                *(self._work(results, line) for _ in range(workers)),
                return_exceptions=True,
            )
        finally:
            await line.till.close()
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    async def _prepare(self, jobs: list[Job], results: dict[str, Result], line: _Line, workers: int) -> None:
        """Write requests while others are under way, and leave out what the cache answers."""
        try:
            for job in jobs:
                if line.penniless:
                    return
                phrased = self._phrase(job.query, job.number)
                known = self._known(job, phrased)
                if known is None:
                    await line.waiting.put((job, phrased))
                else:
                    results[job.query.id].samples.append(known)
                await asyncio.sleep(0)  # what has arrived in the meantime comes first
        finally:
            for _ in range(workers):
                await line.waiting.put(None)

    async def _work(self, results: dict[str, Result], line: _Line) -> None:
        while (next_one := await line.waiting.get()) is not None and not line.penniless:
            job, phrased = next_one
            query, result = job.query, results[job.query.id]
            await line.caller.ready()
            stop = line.ends.setdefault(query.id, time.monotonic() + self._seconds)
            try:
                request, answer = await line.caller.ask(phrased, line.till, stop)
            except NoAnswerError as failure:
                result.failures.append(str(failure))
            except OverBudgetError:
                line.stop()  # what is under way is paid for and may come home
                raise
            else:
                self._cache.put(request.key, request.text, answer)
                # Read while others are under way, not when the last one is back.
                result.samples.append(Sample(job.number, request, answer, False, self._read(query, answer)))


@dataclass(eq=False)
class _Line:
    """What the workers of one call share."""

    caller: Caller
    till: Till
    waiting: asyncio.Queue[tuple[Job, Phrased] | None]
    ends: dict[str, float] = field(default_factory=dict)  # when a query's time is over, from its first request on
    penniless: bool = False

    def stop(self) -> None:
        self.penniless = True
        while not self.waiting.empty():
            self.waiting.get_nowait()
        for _ in range(self.waiting.maxsize // AHEAD):  # room is left for as many again, from whoever prepares
            self.waiting.put_nowait(None)
