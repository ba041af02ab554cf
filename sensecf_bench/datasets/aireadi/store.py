"""Participants' features, kept so that a release is read once: Parquet files that each hold some participants.

A row is a participant under the key of their files, their days as lists. Files are written whole and renamed into place,
so a killed run loses the participants in hand and no others; a newer row replaces an older one by its key. The folder is
the user's own and readable by nobody else: what licensed data become is under the licence too.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.datasets.aireadi.clinical import Clinical, read_clinical
from sensecf_bench.datasets.aireadi.daily import OF_DAYS, Days
from sensecf_bench.datasets.aireadi.participant import Summary
from sensecf_bench.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

TEMPORARY = ".tmp-"
TEXTS = ("records", "quirks", "problems")
MASKS = ("glucose", "worn", "slept")


def default_folder() -> Path:
    """The user's own cache folder."""
    import platformdirs

    return platformdirs.user_cache_path("sensecf-bench") / "aireadi"


class FeatureStore:
    """What has been computed of one release's participants, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def open(self) -> Iterator[None]:
        """Make the folder, for its owner alone, and keep other processes out of it while in here. Raises DataError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.folder.chmod(0o700)
            lock = (self.folder / ".lock").open("a", encoding="utf-8")
        except OSError as error:
            raise self._unusable(error) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # whoever waits finds afterwards what the other has read
            for leftover in self.folder.glob(f"{TEMPORARY}*"):
                leftover.unlink(missing_ok=True)
            yield

    def read(self, keys: Mapping[str, str]) -> dict[str, Summary]:
        """The stored summaries of those participants whose key is still the one given. A file that is damaged counts
        for nothing: its participants are read again."""
        found: dict[str, Summary] = {}
        for part in self._parts():
            found |= {s.person_id: s for s in _read(part) if keys.get(s.person_id) == s.key}
        return found

    def add(self, summaries: Iterable[Summary]) -> None:
        """Keep some participants. Raises DataError when the folder cannot be written to."""
        rows = list(summaries)
        if not rows:
            return
        import pyarrow.parquet as pq

        table = _table(rows)
        self._write(self.folder / f"people-{secrets.token_hex(8)}.parquet", lambda p: pq.write_table(table, p))

    def settle(self, summaries: Mapping[str, Summary]) -> None:
        """Put everything into one file, where there are several, and drop what is stale."""
        before = self._parts()
        if len(before) > 1:
            self.add(summaries.values())
            for part in before:
                part.unlink(missing_ok=True)

    def clinical(self, tables: Mapping[str, Path | None]) -> Clinical:
        """What the visit recorded, from its tables where they have changed since."""
        key = _key_of_tables(tables)
        path = self.folder / "clinical.json"
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if kept["key"] == key:
                return Clinical(kept["people"], Counter(kept["quirks"]), tuple(kept["problems"]))
        except (OSError, ValueError, KeyError, TypeError):
            pass  # not there, or damaged: read the tables
        clinical = read_clinical(tables)
        kept = {"key": key, "people": clinical.people, "quirks": clinical.quirks, "problems": clinical.problems}
        content = json.dumps(kept)
        self._write(path, lambda p: p.write_text(content, encoding="utf-8"))
        return clinical

    def _write(self, path: Path, write: Callable[[Path], object]) -> None:
        temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(4)}-{path.name}")
        try:
            write(temporary)
            temporary.replace(path)
        except OSError as error:
            raise self._unusable(error) from error
        finally:
            temporary.unlink(missing_ok=True)

    def _unusable(self, error: OSError) -> DataError:
        return DataError(f"cannot keep features in {self.folder}: {error.strerror}", "name another folder with --cache")

    def _parts(self) -> list[Path]:
        return sorted(self.folder.glob("people-*.parquet"))


def _key_of_tables(tables: Mapping[str, Path | None]) -> str:
    digest = hashlib.sha256()
    for module in ("clinical", "identifiers"):
        digest.update((Path(__file__).parent / f"{module}.py").read_bytes())
    for name, path in tables.items():
        status = path.stat() if path is not None else None
        digest.update(f"\x1f{name} {status and (status.st_size, status.st_mtime_ns)}".encode())
    return digest.hexdigest()


def _table(summaries: list[Summary]) -> pa.Table:
    import pyarrow as pa

    columns: dict[str, Any] = {
        "person_id": pa.array([s.person_id for s in summaries], pa.string()),
        "key": pa.array([s.key for s in summaries], pa.string()),
    }
    for name in summaries[0].features:
        columns[name] = pa.array([s.features[name] for s in summaries], pa.float64())
    columns["days"] = pa.array([s.days.days for s in summaries], pa.list_(pa.int64()))
    for name in OF_DAYS:
        columns[f"days.{name}"] = pa.array([s.days.columns[name] for s in summaries], pa.list_(pa.float64()))
    for name in MASKS:
        columns[f"days.{name}"] = pa.array([getattr(s.days, name) for s in summaries], pa.list_(pa.bool_()))
    for name in TEXTS:
        columns[name] = pa.array([json.dumps(getattr(s, name)) for s in summaries], pa.string())
    return pa.table(columns)


def _read(part: Path) -> list[Summary]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(part, use_threads=False).to_pylist()
        return [_summary(row) for row in rows]
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        return []


def _summary(row: dict[str, Any]) -> Summary:
    return Summary(
        person_id=row["person_id"],
        key=row["key"],
        features={k: v for k, v in row.items() if isinstance(v, float)},
        days=Days(
            np.array(row["days"], dtype=np.int64),
            {name: np.array(row[f"days.{name}"], dtype=np.float64) for name in OF_DAYS},
            *(np.array(row[f"days.{name}"], dtype=np.bool_) for name in MASKS),
        ),
        records=json.loads(row["records"]),
        quirks=json.loads(row["quirks"]),
        problems=tuple(json.loads(row["problems"])),
    )
