"""One participant, read and summarised: the unit of work of a process, and of what is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from sensecf_bench.datasets.aireadi.kinds import StreamKind
from sensecf_bench.datasets.aireadi.quirks import Quirk
from sensecf_bench.datasets.aireadi.streams import StreamFileError, read_stream

if TYPE_CHECKING:
    from sensecf_bench.datasets.aireadi.daily import Days

# The modules whose code decides what a file's bytes become; a change in any of them makes stored features stale.
DECIDING = ("by_day", "catalogue", "daily", "features", "glycaemia", "local_time", "nights", "participant", "wear")
READING = ("cleaning", "columns", "general", "identifiers", "kinds", "quirks", "regular", "streams", "times")

# Quirks that cost measurements and hint at a mistake, which the release's own sentinels do not.
_TELLING = {
    Quirk.UNEXPECTED_UNIT: "values in another unit than the release's; left out",
    Quirk.IMPLAUSIBLE_VALUE: "values that are physically impossible (is the unit the release's?); left out",
    Quirk.UNREADABLE_VALUE: "values that cannot be read; left out",
    Quirk.UNREADABLE_TIME: "records without a time; left out",
    Quirk.IMPLAUSIBLE_TIME: "records from before 2020 or after 2039; left out",
    Quirk.NOT_A_RECORD: "entries that are no records; left out",
}


@dataclass(frozen=True)
class Participant:
    """Whose files to read: the path of each stream there is, and the zone their watch lived in."""

    person_id: str
    release: int
    zone: str  # IANA name, where the files name none
    files: Mapping[StreamKind, Path]


@dataclass(frozen=True, eq=False)
class Summary:
    """What is kept of a participant. `records` counts what was used, `quirks` what was met, by stream; `problems` name files that cannot be used."""

    person_id: str
    key: str
    features: Mapping[str, float]
    days: Days
    records: Mapping[str, int] = field(default_factory=dict)
    quirks: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def key_of(participant: Participant) -> str:
    """What the summary depends on: this code, and each file's place, size and time of change. Files are not opened."""
    digest = hashlib.sha256(f"{_code()} {participant.person_id} {participant.release} {participant.zone}".encode())
    for kind, path in sorted(participant.files.items()):
        try:
            status = path.stat()
            digest.update(f"\x1f{kind}\x1f{path.name}\x1f{status.st_size}\x1f{status.st_mtime_ns}".encode())
        except OSError as error:
            digest.update(f"\x1f{kind}\x1f{path.name}\x1f{error.strerror}".encode())
    return digest.hexdigest()


def summarise(participant: Participant) -> Summary:
    """Read a participant's files and compute their features. A file that cannot be used is a problem, not an error."""
    from zoneinfo import ZoneInfo

    from sensecf_bench.datasets.aireadi.daily import daily_features
    from sensecf_bench.datasets.aireadi.features import person_features
    from sensecf_bench.datasets.aireadi.local_time import LocalTime

    key = key_of(participant)  # before reading: a file that changes meanwhile is read again next time
    streams, problems, quirks = {}, [], {}
    zone: str | None = None
    for kind, path in sorted(participant.files.items()):
        try:
            stream = read_stream(path, kind, release=participant.release)
        except StreamFileError as error:
            problems.append(error.message)
            continue
        except OSError as error:
            problems.append(f"{path}: {error.strerror}")
            continue
        quirks[str(kind)] = {str(quirk): count for quirk, count in stream.quirks.items()}
        if stream.person_id not in (None, participant.person_id):
            problems.append(f"{path}: its header names another person; left out")
            continue
        problems += [f"{path}: {stream.quirks[q]:,} {what}" for q, what in _TELLING.items() if stream.quirks.get(q)]
        zone = zone or stream.timezone
        if stream.timezone not in (None, zone):
            problems.append(
                f"{path}: its header names another time zone than this person's other files; {zone} is used"
            )
        streams[kind] = stream
    local = LocalTime(ZoneInfo(zone or participant.zone))
    days = daily_features(streams, local)
    return Summary(
        person_id=participant.person_id,
        key=key,
        features=person_features(streams, days, local),
        days=days,
        records={str(kind): len(stream) for kind, stream in streams.items()},
        quirks=quirks,
        problems=tuple(problems),
    )


@lru_cache(maxsize=1)
def _code() -> str:
    digest = hashlib.sha256()
    for module in (*DECIDING, *READING):
        digest.update((Path(__file__).parent / f"{module}.py").read_bytes())
    return digest.hexdigest()
