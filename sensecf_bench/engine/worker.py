"""What a worker process does: fit a classifier once, then let generators answer queries about it, shard by shard."""

from __future__ import annotations

import shutil
import signal
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sensecf_bench.engine.context import Data, Explained, fit_classifier, prepare_data
from sensecf_bench.engine.desk import Desk
from sensecf_bench.engine.processes import die_with_parent
from sensecf_bench.engine.shards import shard_path, write_shard

if TYPE_CHECKING:
    from sensecf_bench.engine.cells import CellSpec, ContextSpec
    from sensecf_bench.engine.means import Means

Thing = TypeVar("Thing")
MOST_CONTEXTS = 32  # a default run has 21, levels of scarcity included; one that is let go is fitted again

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
    asked_are: str = "test row"
    nobody_wanted: bool = False  # so few rows were removed that not one is to be filled up

    @property
    def nothing_to_ask(self) -> str:
        """Why there is nobody to ask about; empty where there is."""
        if self.failure:
            return f"classifier failed: {self.failure}"
        if self.nobody_wanted:
            return "too few rows were removed to ask for one"
        undesired = self.facts["undesired"]
        return "" if self.queries else f"the classifier puts no {self.asked_are} in class {undesired!r}: nothing to ask"


@dataclass(frozen=True)
class Part:
    """Some shards of one cell, to be done by one worker, with the nursery where its generator's process is born, and its
    means."""

    cell: CellSpec
    folder: Path
    shards: tuple[int, ...]
    nursery: str
    means: Means


@dataclass(frozen=True)
class PartReport:
    """How a part's time was spent, in seconds."""

    total: float
    classifier: float
    fit: float
    generate: float
    judge: float


def describe_context(spec: ContextSpec, limit: int | None) -> ContextReport:
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
        failure = type(error).__name__ if data.restricted else f"{type(error).__name__}: {error}"
        return ContextReport(data.table.name, data.fingerprint, 0, {}, facts, time.monotonic() - started, failure)
    return ContextReport(
        dataset=data.table.name,
        fingerprint=data.fingerprint,
        queries=len(explained.queries(limit)),
        quality=dict(explained.quality),
        facts=facts,
        seconds=time.monotonic() - started,
        asked_are="retained row of that class" if spec.scarcity else "test row",
        nobody_wanted=spec.scarcity is not None and _nobody_wanted(data),
    )


def _nobody_wanted(data: Data) -> bool:
    from sensecf_bench.engine.scarce import ScarceData

    return isinstance(data, ScarceData) and not data.wanted


def run_part(part: Part) -> PartReport:
    """Answer the part's shards and store each as soon as it is finished."""
    started = time.monotonic()
    explained = explained_for(part.cell.context)
    classifier_done = time.monotonic()
    queries = explained.queries(part.cell.queries or None)
    scratch = part.folder / f"scratch-{part.shards[0]:04d}"
    means = part.means.kept_in(part.folder.parent.parent) if explained.data.restricted else part.means
    desk = Desk(part.cell, explained, scratch, part.nursery, means)
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
    """A split dataset, reduced if the context says so, kept for the next cell that needs it."""
    return _remembered(_data, spec.data_key, lambda: _prepared(spec))


def explained_for(spec: ContextSpec) -> Explained:
    """A fitted classifier, kept for the next cell that needs it."""
    return _remembered(_explained, spec.key, lambda: _fitted(spec))


def _prepared(spec: ContextSpec) -> Data:
    if spec.scarcity is None:
        return prepare_data(spec.make_dataset(), spec.seed)
    from sensecf_bench.engine.scarce import reduced_data

    return reduced_data(data_for(spec.whole), spec.scarcity)


def _fitted(spec: ContextSpec) -> Explained:
    if spec.scarcity is None:
        return fit_classifier(data_for(spec), spec.make_classifier())
    from sensecf_bench.engine.scarce import fit_reference

    return fit_reference(data_for(spec), spec.make_classifier())


def _remembered(shelf: OrderedDict[str, Thing], key: str, make: Callable[[], Thing]) -> Thing:
    if key not in shelf:
        shelf[key] = make()
        while len(shelf) > MOST_CONTEXTS:
            shelf.popitem(last=False)
    shelf.move_to_end(key)
    return shelf[key]
