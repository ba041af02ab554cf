"""Where one generator answers shards of queries, and every failure is pinned to the queries it belongs to.

When a call about several queries raises, crashes or hangs, they are asked again one at a time, so that only the guilty
ones fail; every query has its own seed, so the others answer alike.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensecf_bench.admission import ProtocolError
from sensecf_bench.engine.answers import Ledger
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
    from sensecf_bench.contracts import Classifier, Generator
    from sensecf_bench.engine.cells import CellSpec
    from sensecf_bench.engine.context import Explained
    from sensecf_bench.engine.means import Means
    from sensecf_bench.schema import Matrix

CHILD_FAILURES = (ChildTimeoutError, ChildCrashError, ChildRaisedError, ChildProtocolError)


NO_GRADIENTS = "no-gradients"
LACKS_THEM = "offers no gradients"


def needs_gradients(generator: type[Generator], classifier: type[Classifier]) -> bool:
    """Whether a generator lives on what the classifier does not offer. It is then not started, and abstains from every
    query, so that the classifiers it cannot explain count against it and denominators stay everybody's."""
    return generator.access == "gradient" and not classifier.differentiable


class Desk:
    """Answers shards with one generator, restarting its process where it has to."""

    def __init__(
        self, cell: CellSpec, explained: Explained, scratch: Path, nursery: str, means: Means | None = None
    ) -> None:
        self._cell, self._explained = cell, explained
        self._child = Supervisor(explained, cell, scratch, nursery, means)
        self._ends = 0.0
        self._unfit: tuple[Outcome, str, str] | None = None
        self._unaskable = needs_gradients(cell.generator_class, type(explained.model))
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
        if self._unaskable:
            ledger.settle(queries, Outcome.ABSTAINED, NO_GRADIENTS, f"classifier {self._explained.name} {LACKS_THEM}")
            return ledger
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
            ledger.settle(
                asked, Outcome.TIMEOUT, "cell-timeout", f"the cell's {self._cell.cell_timeout:g} s were used up"
            )
            return
        if not self._ready():
            assert self._unfit is not None
            ledger.settle(asked, *self._unfit)
            return
        allowed = min(self._cell.timeout * len(asked), max(0.0, self._ends - time.monotonic()))
        one_at_a_time: list[QueryBatch] = []
        try:
            reply = self._child.generate(asked, allowed)
            ledger.record(asked, reply, self._cell.k)
        except (ChildProtocolError, ProtocolError) as error:
            ledger.settle(asked, Outcome.ERROR, "protocol", str(error))
        except (ChildRaisedError, ChildCrashError, ChildTimeoutError) as error:
            if len(asked) == 1:
                ledger.settle(asked, *_verdict(error))
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
