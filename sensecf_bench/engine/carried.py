"""What a run carried out: its cells with what became of them, their scores, and the time it took."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sensecf_bench.engine.cells import CellSpec
from sensecf_bench.engine.plan import Plan
from sensecf_bench.engine.score import ContextScore
from sensecf_bench.engine.store import StoredCell
from sensecf_bench.engine.worker import ContextReport, PartReport

if TYPE_CHECKING:
    from sensecf_bench.engine.assessments import Assessed


@dataclass(frozen=True)
class CellResult:
    """A planned cell and what became of it; `stored` is None where it could not be carried out, for `reason`."""

    cell: CellSpec
    stored: StoredCell | None
    reason: str = ""


@dataclass
class TimeSpent:
    """Seconds of the run: `wall`, `contexts`, `generating`, `scoring` and `retraining` on the clock, the others summed
    over its workers."""

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
    retraining: float = 0.0

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
    scarce: list[CellResult] = field(default_factory=list)  # the cells of augmentation
    assessed: Assessed | None = None  # what their answers were worth
