"""The two manifests of the wearables: which file of which person the release says there is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sensecf_bench.datasets.aireadi.identifiers import ID_COLUMNS, id_of
from sensecf_bench.datasets.aireadi.kinds import LAYOUT, StreamKind
from sensecf_bench.datasets.aireadi.participants_table import table_rows
from sensecf_bench.errors import DataError

FILE = "manifest.tsv"
COLUMN = {
    StreamKind.HEART_RATE: "heartrate",
    StreamKind.STRESS: "stress_level",
    StreamKind.RESPIRATORY_RATE: "respiratory_rate",
    StreamKind.OXYGEN_SATURATION: "oxygen_saturation",
    StreamKind.SLEEP: "sleep",
    StreamKind.ACTIVITY: "physical_activity",
    StreamKind.CALORIES: "active_calories",
    StreamKind.GLUCOSE: "glucose",
}
ENDINGS = ("_filepath", "_filename")  # in the files; in the documentation


@dataclass(frozen=True)
class Manifest:
    """`listed[person][kind]` is a path relative to the release's root, or None where the release says there is no file."""

    path: Path
    columns: tuple[str, ...]
    listed: dict[str, dict[StreamKind, str | None]] = field(default_factory=dict)


def read_manifest(path: Path, datatype: str) -> Manifest:
    """Raises DataError where it cannot be read, or has no id column or none of paths."""
    columns, rows = table_rows(path)
    kinds = [kind for kind, layout in LAYOUT.items() if layout.datatype == datatype]
    cells = {kind: column for kind in kinds for ending in ENDINGS if (column := COLUMN[kind] + ending) in columns}
    if not cells or not set(ID_COLUMNS) & set(columns):
        lacking = "paths of files" if not cells else "ids"
        raise DataError(f"{path}: no column of {lacking}", "download the file again")
    listed = {
        person: {kind: row[column].lstrip("/") or None for kind, column in cells.items() if column in row}
        for _, row in rows
        if (person := id_of(row))
    }
    return Manifest(path, tuple(columns), listed)
