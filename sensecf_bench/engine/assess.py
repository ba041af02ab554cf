"""What a worker does to find out what rows are worth: add them to those that are left, and retrain every classifier."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.augmentation.controls import CONTROLS
from sensecf_bench.augmentation.material import Impossible, Material, Reduced
from sensecf_bench.augmentation.retraining import retrained
from sensecf_bench.engine.assessments import Added, Arm, Assessment, Status, Table, write_assessment
from sensecf_bench.engine.files import CorruptError
from sensecf_bench.engine.leaks import Hidden
from sensecf_bench.engine.scarce import retained_rows
from sensecf_bench.engine.store import FAILURES, load_cell
from sensecf_bench.engine.worker import data_for
from sensecf_bench.errors import BenchError, RunFolderError
from sensecf_bench.queries import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensecf_bench.augmentation.scarcity import Scarcity
    from sensecf_bench.engine.augmentation_config import AugmentationConfig
    from sensecf_bench.engine.cells import Component, ContextSpec
    from sensecf_bench.engine.context import Data
    from sensecf_bench.engine.store import StoredCell
    from sensecf_bench.queries import Classes
    from sensecf_bench.schema import Matrix


WORST_FIRST: tuple[Status, ...] = ("failed", "impossible", "empty")


@dataclass(frozen=True)
class AssessJob:
    """One arm at one level of scarcity, or without any, to be written to `path`."""

    whole: ContextSpec
    scarcity: Scarcity | None
    arm: Arm
    cells: tuple[Path, ...]  # stored answers of a generator
    unstored: tuple[tuple[Status, str], ...]  # why there are none of the others
    classifiers: tuple[Component, ...]
    settings: AugmentationConfig
    path: Path


@dataclass(frozen=True, eq=False)
class Filling:
    """Rows `(m, d)` that a generator brings, with the classes `(m,)` they are added under, and how it came by them."""

    rows: Matrix
    labels: Classes
    added: Added


def survey(whole: ContextSpec) -> Table:
    """Split a dataset under a seed and say what it is, or why that cannot be done: a table may be whole under one seed and
    lack a class under another."""
    try:
        data = data_for(whole)
    except BenchError as error:
        return Table("", failure=error.message)
    people = hashlib.sha256("\x1f".join(data.ids[i] for i in data.test).encode()).hexdigest()
    return Table(data.table.name, data.fingerprint, restricted=bool(data.restricted), people=people)


def assess(job: AssessJob) -> None:
    """Retrain, and store what came of it. Raises RunFolderError when a stored cell is missing or corrupt."""
    data = data_for(job.whole)
    truth = data.labels[data.test] == data.table.undesired
    try:
        material, added = _material(job, data)
    except Impossible as error:
        material, added = None, Added("impossible", _emptied(job, data) or error.reason, removed=_removed(job, data))
    probabilities: dict[str, Matrix] = {}
    failures: dict[str, str] = {}
    if material is not None:
        for component in job.classifiers:
            try:
                probabilities[component.name] = _retrained(component, material, data)
            except Exception as error:  # noqa: BLE001 a stranger's classifier may raise anything; it is shown, and costs itself
                failures[component.name] = _why(error, data)
    write_assessment(job.path, Assessment(added, truth, probabilities, failures))


def _retrained(component: Component, material: Material, data: Data) -> Matrix:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of networks that have not converged, hundreds of times
        return retrained(component.make(), material, data.matrix[data.test], data.seed, data.table.undesired)


def _why(error: Exception, data: Data) -> str:
    """What went wrong. A stranger's words may tell of the rows: of a restricted table only their kind is named."""
    theirs = error.__cause__ or (None if isinstance(error, Impossible) else error)
    if theirs is not None and data.restricted:
        return type(theirs).__name__
    return error.reason if isinstance(error, Impossible) else f"{type(error).__name__}: {error}"


def _emptied(job: AssessJob, data: Data) -> str:
    """Which class has no row left; empty where both have some."""
    left = data.labels[retained_rows(data, job.scarcity)] if job.scarcity else data.labels[data.train]
    gone = [data.table.classes[c] for c in (0, 1) if not (left == c).any()]
    return f"no training row of class {gone[0]!r} is left" if gone else ""


def _removed(job: AssessJob, data: Data) -> int:
    return len(data.train) - len(retained_rows(data, job.scarcity)) if job.scarcity else 0


def _material(job: AssessJob, data: Data) -> tuple[Material | None, Added]:
    """What classifiers are trained on; None where an arm adds nothing, so that it is as good as the rows that are left.

    Raises Impossible where there is no such thing."""
    if job.scarcity is None:
        return Material(data.schema, data.matrix[data.train], data.labels[data.train]), Added()
    whole = Reduced.of(data.schema, data.matrix, data.labels, data.train, job.scarcity, data.table.undesired, data.seed)
    removed = sum(whole.missing.values())
    reduced = replace(whole, missing={c: round(job.settings.amount * n) for c, n in whole.missing.items()})
    if job.arm.kind == "reduced":
        return reduced.as_is, Added(removed=removed)
    if not removed:
        return None, Added(reason="nothing was removed")
    if job.arm.kind == "control":
        material = CONTROLS[job.arm.name](reduced)
        more, asked = len(material.rows) - len(reduced.rows), sum(reduced.missing.values())
        return material, Added(removed=removed, asked=asked, answered=more, valid=more, added=more)
    filling = _filling(job, data)
    added = replace(filling.added, removed=removed)
    return (reduced.with_rows(filling.rows, filling.labels) if len(filling.rows) else None), added


def _filling(job: AssessJob, data: Data) -> Filling:
    """What a generator's stored answers come to."""
    assert job.scarcity is not None
    cells = [_loaded(folder) for folder in job.cells]
    parts = [_of_cell(cell, job.settings, data) for cell in cells]
    rows = np.vstack([np.empty((0, len(data.schema))), *(p.rows for p in parts)])
    labels = np.concatenate([np.empty(0, dtype=np.int64), *(p.labels for p in parts)])
    shown = retained_rows(data, job.scarcity)
    never_shown = np.setdiff1d(np.arange(len(data.matrix)), shown)
    hidden = Hidden(data.schema, data.matrix[shown], data.matrix[never_shown])
    said = np.vstack([np.empty((0, len(data.schema))), *(_readable(cell, data) for cell in cells)])
    total = Added(
        asked=sum(p.added.asked for p in parts),
        answered=sum(p.added.answered for p in parts),
        valid=sum(p.added.valid for p in parts),
        added=len(rows),
        leaked=hidden.matches(said),
    )
    if not hidden.by_chance(total.leaked, len(said)):
        why = f"{total.leaked} of its {len(said)} rows are rows of the table that it was never shown"
        return Filling(rows, labels, replace(total, status="leak", reason=why))
    failed = [cell.record["reason"] for cell in cells if cell.record["status"] == "failed"]
    wrong: list[tuple[Status, str]] = [("failed", f"every query failed; the first: {why}") for why in failed]
    said_of = _Remarks(len(job.cells) + len(job.unstored), [*wrong, *job.unstored], _failed_in_part(cells))
    judged = _judged(total, said_of)
    return Filling(rows[: judged.added], labels[: judged.added], judged)


def _of_cell(cell: StoredCell, settings: AugmentationConfig, data: Data) -> Filling:
    rows, target = cell.rows(), int(cell.queries()["cf_target"].iloc[0])
    admitted = rows[(rows["cf_reason"] == "") & (rows["cf_rank"] == 0)]
    predicted = admitted["cf_predicted"].to_numpy(np.int64)
    valid = predicted == target
    kept = np.ones(len(admitted), dtype=bool) if settings.keep_invalid else valid
    labels = predicted if settings.label == "model" else np.full(len(admitted), target, dtype=np.int64)
    answered = cell.record["outcomes"][str(Outcome.FOUND)]
    added = Added(asked=cell.record["asked"], answered=answered, valid=int(valid.sum()))
    return Filling(data.schema.encode(admitted)[kept], labels[kept], added)


@dataclass(frozen=True)
class _Remarks:
    """What there is to say of an arm of so many cells: those in `wrong` came to nothing, others did in part."""

    cells: int
    wrong: Sequence[tuple[Status, str]]
    in_part: Sequence[str]


def _failed_in_part(cells: Sequence[StoredCell]) -> list[str]:
    """Of each cell that has answers, how many of its queries failed or ran out of time, if any did."""
    found = []
    for record in (cell.record for cell in cells if cell.record["status"] != "failed"):
        failed = sum(record["outcomes"][str(outcome)] for outcome in FAILURES)
        if failed:
            found.append(f"{failed} of {record['asked']} queries failed; the first: {record['reason']}")
    return found


def _judged(total: Added, said_of: _Remarks) -> Added:
    """One failure makes the arm a failed one that adds nothing, in scenario C too, where the other class may have rows."""
    wrong = [(status, reason) for status in WORST_FIRST for s, reason in said_of.wrong if s == status]
    everywhere = len(wrong) == said_of.cells
    whats = [reason if everywhere else f"of one class: {reason}" for reason in dict.fromkeys(why for _, why in wrong)]
    if wrong and (wrong[0][0] == "failed" or (everywhere and not total.added)):
        return replace(total, added=0, status=wrong[0][0], reason="; ".join(whats))
    remarks = [*whats, *said_of.in_part]
    if total.added:
        return replace(total, reason="; ".join(remarks))
    why = "no query was answered" if not total.answered else "no answer is in the target class"
    return replace(total, status="empty", reason="; ".join([why, *remarks]))


def _readable(cell: StoredCell, data: Data) -> Matrix:
    """All rows that came back and can be read, admitted or not."""
    return data.schema.encode(cell.rows().dropna(subset=list(data.schema.names)), quote=False)


def _loaded(folder: Path) -> StoredCell:
    try:
        cell = load_cell(folder)
    except CorruptError as error:
        raise RunFolderError(f"{folder.name}: {error}", "run again: the cell is set aside and recomputed") from error
    if cell is None:
        raise RunFolderError(f"{folder.name} has no record", "run again to finish it")
    return cell
