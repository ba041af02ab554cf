"""Many queries at once: from the cache what is there, from the server the rest, and each answer kept when it arrives."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from sensecf_bench.errors import OverBudgetError
from sensecf_openai.answers import Answer, Request
from sensecf_openai.caller import HopelessError, NoAnswerError
from sensecf_openai.till import Till

if TYPE_CHECKING:
    from sensecf_bench import Query
    from sensecf_bench.contracts import Purse
    from sensecf_openai.cache import AnswerCache
    from sensecf_openai.caller import Caller

Phrase = Callable[["Query", int, str], Request]  # a query, a sample's number, a rung


@dataclass(frozen=True, eq=False)
class Sample:
    """One answer to a query, and where it came from."""

    number: int
    request: Request
    answer: Answer
    from_cache: bool


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
        rungs: Sequence[str],
        concurrency: int,
        seconds: float,
        purse: Purse | None,
    ) -> None:
        self._cache, self._caller, self._phrase, self._rungs = cache, caller, phrase, rungs
        self._concurrency, self._seconds, self._purse = concurrency, seconds, purse

    async def answer(self, queries: Iterable[Query], samples: int) -> dict[str, Result]:
        """Results by query id. Raises OverBudgetError when the money is gone; what arrived is in the cache by then."""
        results: dict[str, Result] = {}
        left: deque[Job] = deque()
        for query in queries:
            results[query.id] = Result()
            for number in range(samples):
                job = Job(query, number)
                known = self._known(job)
                if known is not None:
                    results[query.id].samples.append(known)
                elif self._caller is None:
                    results[query.id].failures.append(self._missing(job))
                else:
                    left.append(job)
        if left:
            await self._ask(left, results)
        for result in results.values():
            result.samples.sort(key=lambda sample: sample.number)
        return results

    def _known(self, job: Job) -> Sample | None:
        """What the cache holds. Which rung a server will stand on may not be known yet, so all are looked up."""
        for rung in self._rungs:
            request = self._phrase(job.query, job.number, rung)
            found = self._cache.get(request.key)
            if found is not None:
                return Sample(job.number, request, found, from_cache=True)
        return None

    def _missing(self, job: Job) -> str:
        request = self._phrase(job.query, job.number, self._rungs[0])
        return f"replay: the cache {self._cache.file} holds no answer of {request.model} to this prompt ({request.key[:12]}…)"

    async def _ask(self, left: deque[Job], results: dict[str, Result]) -> None:
        till = Till(self._purse, bulk=min(self._concurrency, len(left)))
        ends: dict[str, float] = {}
        workers = [self._work(left, results, till, ends) for _ in range(min(self._concurrency, len(left)))]
        try:
            ended = await asyncio.gather(*workers, return_exceptions=True)
        finally:
            await till.close()
        for error in ended:
            if isinstance(error, BaseException):
                raise error

    async def _work(self, left: deque[Job], results: dict[str, Result], till: Till, ends: dict[str, float]) -> None:
        assert self._caller is not None
        while left:
            await self._caller.ready()
            if not left:
                return
            job = left.popleft()
            query = job.query
            stop = ends.setdefault(query.id, time.monotonic() + self._seconds)
            try:
                request, answer = await self._caller.ask(partial(self._phrase, query, job.number), till, stop)
            except NoAnswerError as failure:
                results[query.id].failures.append(str(failure))
                if isinstance(failure, HopelessError):
                    _give_up(left, results, str(failure))
            except OverBudgetError:
                left.clear()  # what is under way is paid for and may come home
                raise
            else:
                self._cache.put(request.key, request.text, answer)
                results[query.id].samples.append(Sample(job.number, request, answer, from_cache=False))


def _give_up(left: deque[Job], results: dict[str, Result], why: str) -> None:
    for job in left:
        results[job.query.id].failures.append(why)
    left.clear()
