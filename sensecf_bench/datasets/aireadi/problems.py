"""What is wrong with a download, by name, so that it can be counted and told while the rest is used."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Trouble(StrEnum):
    """A kind of problem; its value is what `check` calls it."""

    MIXED_RELEASES = "two releases mixed"
    NO_PARTICIPANTS_TABLE = "no participants table"
    BAD_ROW = "row that cannot be used"
    BAD_VALUE = "value that cannot be used"
    REPEATED_ID = "id listed twice"
    UNKNOWN_ID = "files of an unknown id"
    NO_DATATYPE = "datatype not downloaded"
    NO_MANIFEST = "no manifest"
    BAD_MANIFEST = "manifest that cannot be used"
    NOT_THERE = "listed and not there"
    NOT_LISTED = "there and not listed"
    EMPTY_FILE = "file of zero bytes"
    UNREADABLE = "folder or file that cannot be read"


@dataclass(frozen=True)
class Problem:
    """Something met at a path, in words; `person_id` where it concerns one participant."""

    trouble: Trouble
    path: Path
    what: str
    person_id: str | None = None

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"
