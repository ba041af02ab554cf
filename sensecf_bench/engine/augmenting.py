"""Augmentation from stored answers to stored assessments: which arms there are, which are done, and the rest sent out.

An assessment's key hashes all that can change it, a generator's answers by their content. So it is taken up again after
an interruption, and made anew when the answers, a classifier or the protocol have changed.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import sensecf_bench
from sensecf_bench.augmentation.controls import CONTROLS
from sensecf_bench.engine.assess import AssessJob, assess, survey
from sensecf_bench.engine.assessments import (
    FOLDER,
    FULL,
    REDUCED,
    Added,
    Arm,
    Assessed,
    Assessment,
    Status,
    Table,
    read_assessment,
)
from sensecf_bench.engine.cells import Component, ContextSpec, content_hash
from sensecf_bench.engine.files import CorruptError
from sensecf_bench.engine.versions import core_versions
from sensecf_bench.engine.worker import ContextReport
from sensecf_bench.errors import BenchError

if TYPE_CHECKING:
    from sensecf_bench.augmentation.scarcity import Scarcity
    from sensecf_bench.engine.carried import Carried, CellResult
    from sensecf_bench.engine.executors import Crew
    from sensecf_bench.engine.observers import Observer
    from sensecf_bench.engine.scarce_plan import AugmentationPlan, Level
    from sensecf_bench.engine.store import StoredCell

PROTOCOL = ("augmentation/*.py", "engine/assess.py", "engine/leaks.py", "engine/scarce.py")
REPORTED_ONLY = ("lift.py", "resampled.py", "scores.py")  # computed anew from what is stored
ROWS = "rows.parquet"
CONTROL_LIBRARY = "imbalanced-learn"

Place = tuple[str, "Scarcity | None", Arm]  # key of the whole data, level, arm


@dataclass(frozen=True)
class _Task:
    place: Place
    job: AssessJob


def controls() -> tuple[Arm, ...]:
    return tuple(Arm(name, "control") for name in CONTROLS)


def generator_arm(generator: Component) -> Arm:
    return Arm(generator.name, "generator")


def augment(carried: Carried, crew: Crew, root: Path, observer: Observer) -> Assessed:
    """Assess every arm at every level, as far as it is not stored under `root`."""
    plan = carried.plan.augmentation
    assert plan is not None
    started = time.monotonic()
    observer.stage("retraining")
    folder = root / FOLDER
    folder.mkdir(exist_ok=True)
    tables = _tables(plan, carried, crew)
    found: dict[Place, Assessment] = {}
    tasks: dict[Path, _Task] = {}
    for task in _Tasks(plan, carried, tables, folder).all():
        stored = _stored(task.job.path, observer)
        if stored is None:
            tasks[task.job.path] = task
        else:
            found[task.place] = stored
    total = len(found) + len(tasks)
    for job, outcome in crew.carry_out(assess, [t.job for t in tasks.values()]):
        place = tasks[job.path].place
        if isinstance(outcome, Exception):
            found[place] = _lost(outcome, tables[job.whole.data_key])
            observer.warn(f"{job.path.stem}: {found[place].added.reason}")
        else:
            found[place] = read_assessment(job.path)
        observer.retrained(len(found), total)
    carried.time.retraining = time.monotonic() - started
    return Assessed(tables, found)


def _tables(plan: AugmentationPlan, carried: Carried, crew: Crew) -> dict[str, Table]:
    """The dataset under each seed, by its key; one that cannot be used there has the name that it has elsewhere."""
    wholes = {level.whole.data_key: level.whole for level in plan.levels}
    described = [(spec.dataset.key, carried.contexts[spec.key]) for spec in carried.plan.contexts]
    names = {key: report.dataset for key, report in described if isinstance(report, ContextReport)}
    tables = {}
    for whole, outcome in crew.carry_out(survey, list(wholes.values())):
        table = Table("", failure=type(outcome).__name__) if isinstance(outcome, Exception) else outcome
        known = table.dataset or names.get(whole.dataset.key, whole.dataset.name)
        tables[whole.data_key] = replace(table, dataset=known)
    return tables


def _stored(path: Path, observer: Observer) -> Assessment | None:
    if not path.exists():
        return None
    try:
        return read_assessment(path)
    except CorruptError as error:
        observer.warn(f"corrupt assessment, made again: {error}")
        return None


def _lost(error: Exception, table: Table) -> Assessment:
    """It is tried again at the next run, so it is not stored."""
    kind, said = type(error).__name__, error.message if isinstance(error, BenchError) else str(error)
    return Assessment(Added("failed", kind if table.restricted else f"{kind}: {said}"), np.empty(0, dtype=bool))


class _Tasks:
    """All that is to be assessed: dataset by dataset, seed by seed and level by level, so that workers reuse their data."""

    def __init__(self, plan: AugmentationPlan, carried: Carried, tables: Mapping[str, Table], folder: Path) -> None:
        self._plan, self._tables, self._folder = plan, tables, folder
        self._contexts = carried.contexts
        self._results = {(r.cell.context.key, r.cell.generator.key): r for r in carried.scarce}
        self._made_by: dict[str, Any] = {
            "protocol": _protocol(),
            "libraries": {**core_versions(), CONTROL_LIBRARY: importlib.metadata.version(CONTROL_LIBRARY)},
            "classifiers": [c.identity for c in plan.classifiers],
        }

    def all(self) -> Iterator[_Task]:
        seen: set[str] = set()
        for level in self._plan.levels:
            if self._tables[level.whole.data_key].failure:
                continue
            if level.whole.data_key not in seen:
                seen.add(level.whole.data_key)
                yield self._task(level.whole, None, FULL)
            yield self._task(level.whole, level.scarcity, REDUCED)
            for arm in controls():
                yield self._task(level.whole, level.scarcity, arm)
            for generator in self._plan.generators:
                results = self._answers(level, generator)
                if results:
                    yield self._task(level.whole, level.scarcity, generator_arm(generator), results)

    def _answers(self, level: Level, generator: Component) -> list[CellResult]:
        """A generator's cells at a level; none where it may not see the dataset."""
        keys = [(context.key, generator.key) for context in level.contexts(self._plan.config.amount)]
        return [self._results[key] for key in keys if key in self._results]

    def _came_to_nothing(self, result: CellResult) -> tuple[Status, str]:
        """A cell where nobody could be asked has not failed."""
        context = self._contexts[result.cell.context.key]
        if isinstance(context, ContextReport) and context.nothing_to_ask:
            return "impossible" if context.failure else "empty", result.reason
        return "failed", result.reason

    def _task(
        self, whole: ContextSpec, scarcity: Scarcity | None, arm: Arm, results: Sequence[CellResult] = ()
    ) -> _Task:
        cells = [r.stored for r in results if r.stored is not None]
        unstored = tuple(self._came_to_nothing(r) for r in results if r.stored is None)
        settings = self._plan.config
        chosen: dict[str, Any] = {}
        if arm.kind == "control":
            chosen = {"amount": settings.amount}
        elif arm.kind == "generator":
            chosen = {"keep_invalid": settings.keep_invalid, "label": settings.label, "unstored": unstored}
            chosen["answers"] = [_said(c) for c in cells]
        key = content_hash(
            {
                "data": self._tables[whole.data_key].fingerprint,
                "seed": whole.seed,
                "scarcity": asdict(scarcity) if scarcity else None,
                "arm": asdict(arm),
                **chosen,
                **self._made_by,
            }
        )
        level = f"{scarcity.scenario}{100 * scarcity.reduction:g}" if scarcity else "all"
        parts = (whole.dataset.label, f"seed{whole.seed}", level, arm.name, key[:12])
        path = self._folder / ("--".join(re.sub(r"[^A-Za-z0-9@._-]+", "_", part) for part in parts) + ".bin")
        folders = tuple(c.folder for c in cells)
        job = AssessJob(whole, scarcity, arm, folders, unstored, self._plan.classifiers, settings, path)
        return _Task((whole.data_key, scarcity, arm), job)


def _said(cell: StoredCell) -> list[Any]:
    """All of a cell that an assessment is made of; how long it took is not in it."""
    record = cell.record
    return [record["files"][ROWS], *(record[name] for name in ("asked", "outcomes", "status", "reason"))]


def _protocol() -> str:
    """A hash of the code that decides what an assessment is."""
    package = Path(str(sensecf_bench.__file__)).parent
    files = sorted(f for pattern in PROTOCOL for f in package.glob(pattern) if f.name not in REPORTED_ONLY)
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:16]
