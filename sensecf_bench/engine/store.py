"""The results folder of a run: who may write to it, what is already there, and how a cell becomes a record.

run.json                         configuration and provenance
cells/<cell>/shard-0003.bin        shards as they are finished
cells/<cell>/record.json         the finished cell, beside its queries.parquet and rows.parquet
augmentation/<arm>.bin           what retrained classifiers said of the test rows
results.json, leaderboard.md     written from the records
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from sensecf_bench.engine.config import RunConfig
from sensecf_bench.engine.files import (
    TEMPORARY,
    CorruptError,
    digest,
    read_json,
    read_table,
    remove_leftovers,
    write_json,
    write_table,
)
from sensecf_bench.engine.provenance import provenance
from sensecf_bench.engine.restricted import why_restricted
from sensecf_bench.engine.shards import RATIONALE, read_shard, shard_path, tables
from sensecf_bench.errors import RunFolderError
from sensecf_bench.queries import Outcome

if TYPE_CHECKING:
    import pandas as pd

    from sensecf_bench.engine.cells import CellSpec

FORMAT = 1
TABLES = ("queries.parquet", "rows.parquet")
ASIDE = ".corrupt-"
FAILURES = {Outcome.ERROR, Outcome.TIMEOUT}


@dataclass(frozen=True)
class StoredCell:
    """A finished cell: its record and the folder of its tables."""

    folder: Path
    record: dict[str, Any]

    def queries(self) -> pd.DataFrame:
        return read_table(self.folder / "queries.parquet")

    def rows(self) -> pd.DataFrame:
        """With a column of rationales in any case, "" where a row has none."""
        import pandas as pd

        rows = read_table(self.folder / "rows.parquet")
        if RATIONALE not in rows.columns:
            rows[RATIONALE] = pd.Series([""] * len(rows), index=rows.index, dtype="str")
        return rows


@dataclass(frozen=True)
class Identity:
    """A cell's content key, and the fingerprint of the data it was computed on."""

    key: str
    data: str


class RunStore:
    """A results folder opened for writing by one process at a time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.warnings: list[str] = []
        self._lock: IO[str] | None = None

    def open(self, config: RunConfig) -> None:
        """Take possession. Raises RunFolderError when the folder is foreign, unwritable, in use, or another run's."""
        self._claim()
        try:
            self._take_over(config)
        except BaseException:
            self.close()
            raise
        description = self.root / "run.json"
        write_json(
            description, {"format": FORMAT, "config": config.model_dump(mode="json"), "provenance": provenance()}
        )

    def _take_over(self, config: RunConfig) -> None:
        remove_leftovers(self.root)
        for scratch in self.root.glob("cells/*/scratch-*"):
            shutil.rmtree(scratch, ignore_errors=True)
        if (self.root / "run.json").exists():
            self._refuse_another_run(self.root / "run.json", config)

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def cell_folder(self, cell: CellSpec, key: str) -> Path:
        folder = self.root / "cells" / cell.folder(key)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def finished(self, folder: Path, key: str) -> StoredCell | None:
        """The cell's record if it is there and whole; a corrupt one is named and set aside, to be computed again."""
        try:
            return load_cell(folder, key)
        except CorruptError as error:
            self._set_aside(folder, str(error))
            folder.mkdir()
            return None

    def missing_shards(self, folder: Path, count: int) -> tuple[int, ...]:
        """Numbers of the shards still to be done; a corrupt one is named and set aside."""
        missing = []
        for number in range(count):
            if shard_path(folder, number).exists():
                try:
                    read_shard(folder, number)
                    continue
                except CorruptError as error:
                    self.warnings.append(f"{folder.name}: corrupt shard, computed again: {error}")
                    shard_path(folder, number).unlink()
            missing.append(number)
        return tuple(missing)

    def finish(self, folder: Path, identity: Identity, cell: CellSpec, shards: int) -> StoredCell:
        """Turn a cell's shards into its tables and its record. The record is written last: it means the cell is done."""
        stored = [read_shard(folder, number) for number in range(shards)]
        queries, rows = tables(stored)
        for name, table in zip(TABLES, (queries, rows), strict=True):
            write_table(folder / name, table)
        fit = stored[0].content["fit"]
        quote = not why_restricted(cell.context.make_dataset())
        record = {
            "format": FORMAT,
            "key": identity.key,
            "data": identity.data,
            "name": cell.name,
            "cell": describe_cell(cell),
            **summarise(queries, fit, quote=quote),
            "fit": fit if quote else {**fit, "failure": _kind(fit["failure"])},
            "files": {name: digest(folder / name) for name in TABLES},
            "provenance": provenance(),
        }
        write_json(folder / "record.json", record)
        for leftover in folder.glob("shard-*.bin"):
            leftover.unlink()
        return StoredCell(folder, record)

    def _claim(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            contents = {p.name for p in self.root.iterdir() if not p.name.startswith(TEMPORARY)}
            if contents - {".lock"} and "run.json" not in contents:
                raise RunFolderError(
                    f"{self.root} is not a results folder of sensecf-bench, and not empty", "choose another --out"
                )
            lock = (self.root / ".lock").open("a", encoding="utf-8")
        except OSError as error:
            raise RunFolderError(f"cannot write to {self.root}: {error.strerror}", "choose another --out") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise RunFolderError(
                f"another run is writing to {self.root}", "wait for it, or choose another --out"
            ) from error
        if not os.access(self.root, os.W_OK):
            raise RunFolderError(f"cannot write to {self.root}", "choose another --out")
        self._lock = lock

    def _refuse_another_run(self, description: Path, config: RunConfig) -> None:
        try:
            stored = read_json(description)["config"]
            before = RunConfig.model_validate(stored).identity()
        except (CorruptError, KeyError, TypeError, ValueError) as error:
            self.warnings.append(f"run.json was corrupt and is written anew: {str(error).splitlines()[0]}")
            return
        now = config.identity()
        changed = [f"{name}: {before[name]!r} → {now[name]!r}" for name in now if before[name] != now[name]]
        if changed:
            raise RunFolderError(
                f"{self.root} holds a run of another configuration ({'; '.join(changed)})",
                "choose another --out, or repeat the configuration that is there",
            )

    def _set_aside(self, folder: Path, why: str) -> None:
        number = 1
        while (aside := folder.with_name(f"{folder.name}{ASIDE}{number}")).exists():
            number += 1
        folder.rename(aside)
        self.warnings.append(f"{folder.name}: corrupt record set aside as {aside.name}, computed again: {why}")


def load_cell(folder: Path, key: str | None = None) -> StoredCell | None:
    """Read a finished cell and check it against its own hashes. Raises CorruptError; None when it is not finished."""
    path = folder / "record.json"
    if not path.exists():
        return None
    record = read_json(path)
    try:
        if record["format"] != FORMAT:
            raise CorruptError(f"record.json: format {record['format']}, this version reads {FORMAT}")
        if key is not None and record["key"] != key:
            raise CorruptError("record.json: the key is another cell's")
        for name in TABLES:
            if not (folder / name).exists():
                raise CorruptError(f"{name} is missing")
            if digest(folder / name) != record["files"][name]:
                raise CorruptError(f"{name} is not the file that was written")
        _ = record["cell"]["generator"], record["outcomes"], record["status"]
    except (KeyError, TypeError) as error:
        raise CorruptError(f"record.json lacks {error}") from error
    return StoredCell(folder, record)


def stored_cells(root: Path) -> dict[str, StoredCell]:
    """The finished cells of a results folder by name; of several versions of one, the latest.

    Raises RunFolderError naming a corrupt one.
    """
    found: dict[str, StoredCell] = {}
    for record in sorted(root.glob("cells/*/record.json"), key=lambda p: p.stat().st_mtime):
        if ASIDE in record.parent.name:
            continue
        try:
            cell = load_cell(record.parent)
        except CorruptError as error:
            raise RunFolderError(
                f"{record.parent.name}: {error}", "repeat the run: the cell is computed again"
            ) from error
        if cell is not None:
            found[cell.record["name"]] = cell
    return found


def describe_cell(cell: CellSpec) -> dict[str, Any]:
    c = cell.context
    scarce = {"scarcity": asdict(c.scarcity)} if c.scarcity else {}
    return {
        "dataset": c.dataset.name,
        "dataset_options": dict(c.dataset.options),
        "classifier": c.classifier.name,
        "classifier_options": dict(c.classifier.options),
        "generator": cell.generator.name,
        "generator_options": dict(cell.generator.options),
        "generator_versions": dict(cell.generator.versions),
        "seed": c.seed,
        "k": cell.k,
        "queries": cell.queries,
        "timeout": cell.timeout,
        "cell_timeout": cell.cell_timeout,
        "shard_size": cell.shard_size,
        "libraries": dict(cell.libraries),
        **scarce,
    }


def summarise(queries: pd.DataFrame, fit: dict[str, Any], *, quote: bool = True) -> dict[str, Any]:
    """Status, outcomes and totals of a cell. A cell in which every query failed has failed. A generator's messages may
    tell anything it has seen: without `quote` only the kind of its failure is named."""
    outcomes = Counter(queries["cf_outcome"])
    failed = sum(outcomes[o] for o in FAILURES)
    reasons = queries.loc[queries["cf_outcome"].isin(FAILURES), ["cf_reason", "cf_detail"]]
    shown = reasons if quote else reasons[["cf_reason"]]
    first = "" if reasons.empty else ": ".join(map(str, shown.iloc[0]))[:500]
    return {
        "status": "failed" if failed == len(queries) else "ok",
        "reason": first,
        "asked": len(queries),
        "outcomes": {str(o): int(outcomes[o]) for o in Outcome},
        "spent": {name: float(queries[f"cf_{name}"].sum()) for name in ("seconds", "calls", "rows", "usd")},
        "fit_failure": fit["failure"] if quote else _kind(fit["failure"]),
    }


def _kind(failure: str) -> str:
    """What a failure is called, without what it says: "raised" of "raised: ValueError: ..."."""
    return failure.partition(":")[0]
