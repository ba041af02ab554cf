"""Which release a folder holds, from what each of its files gives away."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sensecf_bench.datasets.aireadi.kinds import StreamKind
from sensecf_bench.datasets.aireadi.manifests import Manifest

RELEASES = frozenset({1, 2, 3})
DOI = re.compile(r"10\.60775/fairhub\.(\d+)", re.IGNORECASE)
VERSION = re.compile(r"v?([123])(\.\d+)*")
MINI_DOI, MINI_SIZE = 4, 100
OF_ID_COLUMN = {"person_id": frozenset({3}), "participant_id": frozenset({1, 2})}
HEAD_BYTES = 4096
SAMPLED_FILES = 3  # of each kind: the first, the middle and the last person's


@dataclass(frozen=True)
class Clue:
    """A file, and the releases that could have written it."""

    path: Path
    releases: frozenset[int]


def decide(clues: Iterable[Clue]) -> tuple[int, tuple[Clue, ...]]:
    """The release most clues allow (the later, if equal), and the clues against it."""
    clues = tuple(clues)
    votes = Counter(release for clue in clues for release in clue.releases)
    release = max(RELEASES, key=lambda number: (votes[number], number))
    return release, tuple(clue for clue in clues if release not in clue.releases)


def described(root: Path) -> tuple[int | None, Clue | None]:
    """The number in the data set's own DOI, and the clue in it or in the version that dataset_description.json states."""
    path = root / "dataset_description.json"
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None, None
    if not isinstance(document, dict):
        return None, None
    own = json.dumps([document.get(key) for key in ("identifier", "Identifier", "doi")])
    if found := DOI.search(own):
        number = int(found[1])
        releases = frozenset({3}) if number == MINI_DOI else frozenset({number}) & RELEASES
        return number, Clue(path, releases) if releases else None
    version = VERSION.fullmatch(str(document.get("version", "")).strip())
    return None, Clue(path, frozenset({int(version[1])})) if version else None


def of_manifest(manifest: Manifest) -> Clue:
    releases = RELEASES
    for column, of in OF_ID_COLUMN.items():
        releases = releases & of if column in manifest.columns else releases
    if "physical_activity_num_records" in manifest.columns:
        releases &= {1}
    if "physical_activity_num_days" in manifest.columns:
        releases &= {2, 3}
    return Clue(manifest.path, releases)


def of_streams(files: Mapping[str, Mapping[StreamKind, Path]]) -> list[Clue]:
    """The clues in the heads of a few files of each kind."""
    clues = []
    for kind in StreamKind:
        paths = [found[kind] for _, found in sorted(files.items()) if kind in found]
        sampled = (
            {paths[i * (len(paths) - 1) // (SAMPLED_FILES - 1)]: None for i in range(SAMPLED_FILES)} if paths else {}
        )
        clues += [Clue(path, releases) for path in sampled if (releases := _of_head(path)) < RELEASES]
    return clues


def _of_head(path: Path) -> frozenset[int]:
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return RELEASES
    if b'"sleep_duration"' in head or b'"duration"' in head or re.search(rb'"body"\s*:\s*\[', head):
        return frozenset({1})
    if b'"sleep_stage_time_frame"' in head:
        return frozenset({2})
    if re.search(rb'"header"\s*:\s*\{', head) is None:
        return RELEASES
    return frozenset({3}) if b'"timezone"' in head else frozenset({1, 2})
