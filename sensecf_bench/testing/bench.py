"""Where generators are tried: in processes like those of a run, so that a crash or a hang is survived and named.

Everything that starts such a process is in here.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import numpy as np

from sensecf_bench.admission import Answers, ProtocolError
from sensecf_bench.engine.answers import Ledger
from sensecf_bench.engine.cells import CellSpec, Component, ContextSpec
from sensecf_bench.engine.environments import environment_for
from sensecf_bench.engine.nursery import Nursery
from sensecf_bench.engine.supervisor import (
    ChildCrashError,
    ChildProtocolError,
    ChildRaisedError,
    ChildTimeoutError,
    Supervisor,
)
from sensecf_bench.testing import tables
from sensecf_bench.testing.watched import NOTES, Watched

if TYPE_CHECKING:
    from types import TracebackType

    from sensecf_bench.contracts import Generator
    from sensecf_bench.queries import QueryBatch
    from sensecf_bench.schema import Matrix
    from sensecf_bench.testing.local import Setting
    from sensecf_bench.testing.subject import Subject

SECONDS_PER_QUERY = 20.0
FIT_SECONDS = 120.0
PRELOAD = ("pandas", "sensecf_bench.testing.watched")

How = Literal["raised", "asked for more than its access", "crashed", "was killed", "broke the protocol"]


class Misbehaved(Exception):  # noqa: N818 a finding about what is checked, no error of the kit's
    """What a generator did instead of answering."""

    def __init__(self, how: How, words: str, fitting: bool) -> None:
        super().__init__(f"it {how} in {'fit' if fitting else 'generate'}: {words}")
        self.how, self.fitting = how, fitting


@dataclass(frozen=True, eq=False)
class Answer:
    """What came back for some queries, after admission."""

    queries: QueryBatch
    rows: Answers

    def of(self, query_id: str) -> Matrix:
        """The rows of one query, best first; NaN where a value could not be read."""
        mine: Matrix = self.rows.matrix[self.rows.owner == self.queries.ids.index(query_id)]
        return mine


@dataclass(frozen=True, eq=False)
class Attempt:
    """One fit and one answer to all queries of a setting, or what came instead."""

    answer: Answer | None
    trouble: Misbehaved | None
    notes: dict[str, Any]  # what `Watched` saw; empty where nobody watched


class Sitting:
    """One generator fitted in one process, until the `with` block ends."""

    def __init__(self, supervisor: Supervisor, scratch: Path, cell: CellSpec) -> None:
        self._supervisor, self._scratch, self._cell = supervisor, scratch, cell

    def ask(self, queries: QueryBatch) -> Answer:
        """Have these queries answered in the time a run would give. Raises Misbehaved."""
        ledger = Ledger(queries)
        with _named(fitting=False):
            reply = self._supervisor.generate(queries, self._cell.timeout * max(1, len(queries)))
            ledger.record(queries, reply, self._cell.k)
        return Answer(queries, ledger.answers[0][1])

    @property
    def notes(self) -> dict[str, Any]:
        file = self._scratch / NOTES
        noted: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return noted


class Bench:
    """Nurseries for generators' processes, started when they are first needed, and what is known already."""

    def __init__(self, seconds_per_query: float = SECONDS_PER_QUERY, allowed: frozenset[str] = frozenset()) -> None:
        self.seconds_per_query = seconds_per_query
        self.allowed = allowed
        self._nurseries: dict[tuple[str, ...], Nursery] = {}
        self._attempts: dict[tuple[Subject, int], Attempt] = {}
        self._folder = Path(tempfile.mkdtemp(prefix="sensecf-bench-check-"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for nursery in self._nurseries.values():
            nursery.__exit__(None, None, None)
        self._nurseries.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def attempt(self, subject: Subject, k: int = 1) -> Attempt:
        """How it answers the easy table; tried once and remembered."""
        key = subject, k
        if key not in self._attempts:
            self._attempts[key] = self._attempt(subject, k)
        return self._attempts[key]

    @contextlib.contextmanager
    def sitting(
        self,
        subject: Subject,
        setting: Setting | None = None,
        *,
        k: int = 1,
        seconds_per_query: float | None = None,
        noise: int = 1,
    ) -> Iterator[Sitting]:
        """A process with the generator fitted in it. Raises Misbehaved when that does not come about."""
        cell = _cell(subject, k, seconds_per_query or self.seconds_per_query, noise)
        scratch = Path(tempfile.mkdtemp(dir=self._folder))
        explained = (setting or tables.setting()).explained
        supervisor = Supervisor(explained, cell, scratch, self._nursery(subject).address)
        try:
            with _named(fitting=True):
                supervisor.start(FIT_SECONDS)
            yield Sitting(supervisor, scratch, cell)
        finally:
            supervisor.stop()
            shutil.rmtree(scratch, ignore_errors=True)

    # -- inside ------------------------------------------------------------------------------------------------
    def _attempt(self, subject: Subject, k: int) -> Attempt:
        notes: dict[str, Any] = {}
        try:
            with self.sitting(subject, k=k) as sitting:
                try:
                    return Attempt(sitting.ask(tables.setting().queries), None, sitting.notes)
                finally:
                    notes = sitting.notes
        except Misbehaved as trouble:
            return Attempt(None, trouble, notes)

    def _nursery(self, subject: Subject) -> Nursery:
        preload = tuple(getattr(subject.cls, "preload", ()))
        if preload not in self._nurseries:
            self._nurseries[preload] = Nursery((*PRELOAD, *preload)).__enter__()
        return self._nurseries[preload]


_shared: list[Bench] = []


def shared_bench() -> Bench:
    """The bench of this test session; goes with it."""
    if not _shared:
        _shared.append(Bench())
        atexit.register(_shared[0].close)
    return _shared[0]


def interpreter_of(subject: Subject) -> str:
    """The interpreter its generator runs under, empty for this one. Raises Unavailable when its requirements are met
    nowhere."""
    if subject.python:
        return subject.python
    environment = environment_for(cast("type[Generator]", subject.cls), None)
    return "" if environment is None else environment.python


def _cell(subject: Subject, k: int, seconds: float, noise: int) -> CellSpec:
    watch = {"where": subject.where, "given": dict(subject.given), "noise": noise}
    generator = _component(subject.name, ("", Watched.__module__, Watched.__qualname__), watch)
    if python := interpreter_of(subject):  # what watches is written for this Python only
        options = subject.make().options.model_dump(mode="json")
        generator = replace(_component(subject.name, subject.where, options), python=python)
    data, model = (_component(c.name, ("", c.__module__, c.__qualname__), {}) for c in (tables.EasyTable, tables.Rule))
    context = ContextSpec(data, model, tables.SEED)
    return CellSpec(context, generator, k, tables.QUERIES, seconds, FIT_SECONDS, tables.QUERIES, {})


def _component(name: str, where: tuple[str, str, str], given: dict[str, Any]) -> Component:
    return Component(name, where, given, given, {}, name)


@contextlib.contextmanager
def _named(fitting: bool) -> Iterator[None]:
    """Turn what the engine raises into what a generator's author can use."""
    try:
        yield
    except ChildRaisedError as error:
        how: How = "asked for more than its access" if str(error).startswith("AccessError") else "raised"
        raise Misbehaved(how, str(error), fitting) from error
    except ChildCrashError as error:
        raise Misbehaved("crashed", str(error), fitting) from error
    except ChildTimeoutError as error:
        raise Misbehaved("was killed", str(error), fitting) from error
    except (ChildProtocolError, ProtocolError) as error:
        raise Misbehaved("broke the protocol", str(error), fitting) from error


def differing(answer: Answer, other: Answer) -> list[str]:
    """Queries that two answers treat differently, as far as the features' precision tells."""
    schema = answer.queries.schema
    return [i for i in answer.queries.ids if i in other.queries.ids and _differ(schema, answer.of(i), other.of(i))]


def _differ(schema: Any, rows: Matrix, others: Matrix) -> bool:
    if rows.shape != others.shape:
        return True
    return bool((np.isnan(rows) != np.isnan(others)).any() or schema.changed(rows, others).any())
