"""What a worker process does: fit a classifier once, then let generators answer queries about it, shard by shard.

A failure is pinned to the queries it belongs to. When a call about several queries raises, crashes or hangs, they are
asked again one at a time, so that only the guilty ones fail; every query has its own seed, so the others answer alike.
"""

from __future__ import annotations

import shutil
import signal
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sensecf_bench.admission import ProtocolError
from sensecf_bench.engine.answers import Ledger
from sensecf_bench.engine.context import Data, Explained, fit_classifier, prepare_data
from sensecf_bench.engine.processes import die_with_parent
from sensecf_bench.engine.shards import shard_path, write_shard
from sensecf_bench.engine.supervisor import (
    ChildCrashError,
    ChildProtocolError,
    ChildRaisedError,
    ChildTimeoutError,
    Meter,
    Supervisor,
)
from sensecf_bench.queries import Outcome, QueryBatch

if TYPE_CHECKING:
    from sensecf_bench.engine.plan import CellSpec, ContextSpec
    from sensecf_bench.schema import Matrix

Thing = TypeVar("Thing")
MOST_CONTEXTS = 16
CHILD_FAILURES = (ChildTimeoutError, ChildCrashError, ChildRaisedError, ChildProtocolError)

_data: OrderedDict[str, Data] = OrderedDict()
_explained: OrderedDict[str, Explained] = OrderedDict()


def initialise() -> None:
    """Prepare a worker process: an interrupt is the main process's business, and its death is ours."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()


@dataclass(frozen=True)
class ContextReport:
    """What the main process needs to know of a context."""

    dataset: str  # the table's own name
    fingerprint: str
    queries: int
    quality: dict[str, float]
    facts: dict[str, Any]
    seconds: float
    failure: str = ""  # why the classifier could not be fitted

    @property
    def nothing_to_ask(self) -> str:
        """Why there is nobody to ask about; empty where there is."""
        if self.failure:
            return f"classifier failed: {self.failure}"
        undesired = self.facts["undesired"]
        return "" if self.queries else f"the classifier puts no test row in class {undesired!r}: nothing to ask"


@dataclass(frozen=True)
class Part:
    """Some shards of one cell, to be done by one worker, with the nursery where its generator's process is born."""

    cell: CellSpec
    folder: Path
    shards: tuple[int, ...]
    nursery: str


@dataclass(frozen=True)
class PartReport:
    """How a part's time was spent, in seconds."""

    total: float
    classifier: float
    fit: float
    generate: float
    judge: float


def describe_context(spec: ContextSpec, limit: int) -> ContextReport:
    """Fit a context's classifier and report on it. Raises DataError or SchemaError when the table is at fault."""
    data = data_for(spec)
    started = time.monotonic()
    facts = {
        "rows": len(data.ids),
        "features": len(data.schema),
        "feature_names": list(data.schema.names),
        "train": len(data.train),
        "validation": len(data.validation),
        "test": len(data.test),
        "classes": list(data.table.classes),
        "undesired": data.table.classes[data.table.undesired],
        "source": data.table.source,
        "licence": data.table.licence,
    }
    try:
        explained = explained_for(spec)
    except Exception as error:  # noqa: BLE001 a stranger's classifier may raise anything; it costs its own cells
        failure = f"{type(error).__name__}: {error}"
        return ContextReport(data.table.name, data.fingerprint, 0, {}, facts, time.monotonic() - started, failure)
    asked = len(explained.queries(limit))
    return ContextReport(
        data.table.name, data.fingerprint, asked, dict(explained.quality), facts, time.monotonic() - started
    )


def run_part(part: Part) -> PartReport:
    """Answer the part's shards and store each as soon as it is finished."""
    started = time.monotonic()
    explained = explained_for(part.cell.context)
    classifier_done = time.monotonic()
    queries = explained.queries(part.cell.queries)
    scratch = part.folder / f"scratch-{part.shards[0]:04d}"
    desk = _Desk(part.cell, explained, scratch, part.nursery)
    try:
        for number in part.shards:
            if shard_path(part.folder, number).exists():
                continue  # done before a worker died
            size = part.cell.shard_size
            asked = queries.take(slice(number * size, (number + 1) * size))
            ledger = desk.answer(asked, part.cell.cell_timeout * len(asked) / len(queries))
            write_shard(part.folder, number, ledger, desk.judge, desk.fit_summary)
    finally:
        desk.close()
        keep_log(scratch, part.folder)
    return PartReport(
        total=time.monotonic() - started,
        classifier=classifier_done - started,
        fit=desk.fit_meter.seconds,
        generate=desk.generate_seconds,
        judge=desk.judge_seconds,
    )


def keep_log(scratch: Path, folder: Path) -> None:
    """Keep what the generator printed, if it printed anything, and clear its scratch folder away."""
    log = scratch / "output.log"
    if log.exists() and log.stat().st_size:
        log.replace(folder / f"{scratch.name.replace('scratch', 'output')}.log")
    shutil.rmtree(scratch, ignore_errors=True)


def data_for(spec: ContextSpec) -> Data:
    """A split dataset, kept for the next cell that needs it."""
    return _remembered(_data, spec.data_key, lambda: prepare_data(spec.make_dataset(), spec.seed))


def explained_for(spec: ContextSpec) -> Explained:
    """A fitted classifier, kept for the next cell that needs it."""
    return _remembered(_explained, spec.key, lambda: fit_classifier(data_for(spec), spec.make_classifier()))


def _remembered(shelf: OrderedDict[str, Thing], key: str, make: Callable[[], Thing]) -> Thing:
    if key not in shelf:
        shelf[key] = make()
        while len(shelf) > MOST_CONTEXTS:
            shelf.popitem(last=False)
    shelf.move_to_end(key)
    return shelf[key]


class _Desk:
    """Answers shards with one generator, restarting its process where it has to."""

    def __init__(self, cell: CellSpec, explained: Explained, scratch: Path, nursery: str) -> None:
        self._cell, self._explained = cell, explained
        self._child = Supervisor(explained, cell, scratch, nursery)
        self._ends = 0.0
        self._unfit: tuple[Outcome, str, str] | None = None
        self.fit_meter = Meter()
        self.generate_seconds = 0.0
        self.judge_seconds = 0.0

    @property
    def fit_summary(self) -> dict[str, Any]:
        """What one fit took, and why it failed if it did."""
        meter = self.fit_meter
        failure = "" if self._unfit is None else f"{self._unfit[1]}: {self._unfit[2]}"
        return {"seconds": meter.seconds, "calls": meter.calls, "rows": meter.rows, "failure": failure}

    def answer(self, queries: QueryBatch, seconds: float) -> Ledger:
        """Answer a shard within its share of the cell's time, which does not depend on how the cell is split."""
        ledger = Ledger(queries)
        self._ready()
        self._ends = time.monotonic() + seconds
        for asked in self._calls(queries):
            self._ask(asked, ledger)
        return ledger

    def judge(self, rows: Matrix) -> Matrix:
        """What the explained classifier says of rows that were admitted."""
        started = time.monotonic()
        probabilities = self._explained.model.predict_proba(rows)
        self.judge_seconds += time.monotonic() - started
        return probabilities

    def close(self) -> None:
        self._child.stop()

    def _calls(self, queries: QueryBatch) -> Iterator[QueryBatch]:
        size = self._cell.generator_class.batch_size or len(queries)
        for start in range(0, len(queries), size):
            yield queries.take(slice(start, start + size))

    def _ask(self, asked: QueryBatch, ledger: Ledger) -> None:
        if time.monotonic() >= self._ends:
            ledger.fail(
                asked, Outcome.TIMEOUT, "cell-timeout", f"the cell's {self._cell.cell_timeout:g} s were used up"
            )
            return
        if not self._ready():
            assert self._unfit is not None
            ledger.fail(asked, *self._unfit)
            return
        allowed = min(self._cell.timeout * len(asked), max(0.0, self._ends - time.monotonic()))
        one_at_a_time: list[QueryBatch] = []
        try:
            reply = self._child.generate(asked, allowed)
            ledger.record(asked, reply, self._cell.k)
        except (ChildProtocolError, ProtocolError) as error:
            ledger.fail(asked, Outcome.ERROR, "protocol", str(error))
        except (ChildRaisedError, ChildCrashError, ChildTimeoutError) as error:
            if len(asked) == 1:
                ledger.fail(asked, *_verdict(error))
            else:
                one_at_a_time = [asked.take([i]) for i in range(len(asked))]
        ledger.charge(asked, self._child.meter)
        self.generate_seconds += self._child.meter.seconds
        for alone in one_at_a_time:
            self._ask(alone, ledger)

    def _ready(self) -> bool:
        """Have a child with a fitted generator; a generator that cannot be fitted is not asked again."""
        if self._unfit is None and not self._child.alive:
            try:
                self._child.start(self._cell.cell_timeout)
            except CHILD_FAILURES as error:
                outcome, reason, detail = _verdict(error)
                self._unfit = (outcome, f"fit-{reason}", detail)
            self.fit_meter = self._child.meter
        return self._unfit is None


def _verdict(error: Exception) -> tuple[Outcome, str, str]:
    reasons = {ChildTimeoutError: "timeout", ChildCrashError: "crashed", ChildRaisedError: "raised"}
    outcome = Outcome.TIMEOUT if isinstance(error, ChildTimeoutError) else Outcome.ERROR
    return outcome, reasons.get(type(error), "protocol"), str(error)
