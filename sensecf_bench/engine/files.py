"""Files that are whole or not there at all, and tables that say when they are not what was written."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

TEMPORARY = ".tmp-"


class CorruptError(Exception):
    """A stored file is not what was written; the message says which and how."""


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a temporary file beside `path`, and rename it into place.

    It is not forced to disk: what a power failure tears is caught by the hashes in the record, and computed again.
    """
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(4)}-{path.name}")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    write_atomically(path, lambda p: p.write_text(text, encoding="utf-8"))


def read_json(path: Path) -> Any:
    """Raises CorruptError naming the file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CorruptError(f"{path.name}: {error}") from error


def write_table(path: Path, frame: pd.DataFrame) -> None:
    write_atomically(path, lambda p: frame.to_parquet(p, index=False))


def read_table(path: Path) -> pd.DataFrame:
    """Raises CorruptError naming the file."""
    import pyarrow.parquet as pq

    try:
        frame: pd.DataFrame = pq.read_table(path, use_threads=False).to_pandas()
        return frame
    except (OSError, ValueError) as error:
        raise CorruptError(f"{path.name}: {error}") from error


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def remove_leftovers(folder: Path) -> None:
    """Delete temporary files of a run that was killed in mid-write.

    Its last processes may still be tidying up: `os.walk` passes over folders that vanish meanwhile.
    """
    for where, _, names in os.walk(folder):
        for name in names:
            if name.startswith(TEMPORARY):
                (Path(where) / name).unlink(missing_ok=True)
