"""Where a release lies in the folder that somebody names."""

from __future__ import annotations

import os
from pathlib import Path

from sensecf_bench.datasets.aireadi.kinds import LAYOUT
from sensecf_bench.datasets.aireadi.participants_table import FILE
from sensecf_bench.errors import DataError

DATATYPES = tuple(dict.fromkeys(layout.datatype for layout in LAYOUT.values()))
CLINICAL = "clinical_data"
FIX = "give the folder that holds participants.tsv, or one above it"


def find_root(folder: Path) -> Path:
    """The folder that holds participants.tsv: the one named, its `dataset/`, or `<GUID>/dataset/` below it.

    A copy without participants.tsv is known by its datatype folders. Raises DataError where there is none, or several.
    """
    if not is_folder(folder):
        raise DataError(f"{folder}: is no folder" if is_file(folder) else f"{folder}: there is no such folder", FIX)
    for looks_right in (_has_participants, _has_datatypes):
        for candidates in _levels(folder):
            found = [candidate for candidate in candidates if looks_right(candidate)]
            if len(found) > 1:
                names = " and ".join(str(root) for root in found)
                raise DataError(f"{folder}: holds several releases: {names}", "give one of these folders")
            if found:
                return found[0]
    raise DataError(f"{folder}: no AI-READI release here: no participants.tsv and no folder of a datatype", FIX)


def datatype_folders(root: Path, datatype: str) -> list[Path]:
    """The folder of a datatype, and the one of the same name inside it that some copies have; those that exist."""
    folder = root / datatype
    return [candidate for candidate in (folder, folder / datatype) if is_folder(candidate)]


def _levels(folder: Path) -> list[list[Path]]:
    below = subfolders(folder)
    return [
        [folder],
        [folder / "dataset"],
        [folder / "dataset" / "dataset"],
        [place for child in below if child.name != "dataset" for place in (child, child / "dataset")],
    ]


def is_folder(path: Path) -> bool:
    """Whether there is a folder that can be looked into; a path that may not be looked at is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether there is a file; a path that may not be looked at is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def subfolders(folder: Path) -> list[Path]:
    """In order of name. Raises DataError if the folder cannot be listed."""
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed: {error.strerror}", "check who may read it") from None


def _has_participants(folder: Path) -> bool:
    return is_file(folder / FILE)


def _has_datatypes(folder: Path) -> bool:
    return any(is_folder(folder / datatype) for datatype in (*DATATYPES, CLINICAL))
