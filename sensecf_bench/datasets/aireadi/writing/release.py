"""A whole release: every file of a synthetic cohort, in the release's folders and under its names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sensecf_bench.datasets.aireadi.cohort import Cohort
from sensecf_bench.datasets.aireadi.cohort.draws import of_person
from sensecf_bench.datasets.aireadi.cohort.minutes import record
from sensecf_bench.datasets.aireadi.cohort.people import SITES
from sensecf_bench.datasets.aireadi.kinds import LAYOUT, StreamKind
from sensecf_bench.datasets.aireadi.writing.clinical_tables import write_clinical_tables
from sensecf_bench.datasets.aireadi.writing.descriptions import write_descriptions
from sensecf_bench.datasets.aireadi.writing.injection import Injected
from sensecf_bench.datasets.aireadi.writing.manifests import (
    HANDS,
    SENSOR_COLUMNS,
    sensor_row,
    watch_columns,
    watch_row,
    write_tsv,
)
from sensecf_bench.datasets.aireadi.writing.participants import id_column, write_participants
from sensecf_bench.datasets.aireadi.writing.stream_files import Owner, Style, sensor_id, stream_file
from sensecf_bench.errors import RunFolderError

if TYPE_CHECKING:
    from sensecf_bench.datasets.aireadi.cohort.recording import Recording, Samples, Spans

RELEASES = (1, 2, 3)
ZONES = {"pst": ZoneInfo("America/Los_Angeles"), "cst": ZoneInfo("America/Chicago")}
WATCH, SENSOR = "wearable_activity_monitor", "wearable_blood_glucose"
NESTED = (WATCH, "clinical_data")  # datatypes that some copies hold in a folder inside their own


@dataclass(frozen=True)
class Written:
    """What was written: the folder that holds participants.tsv, and which people each quirk was given to."""

    root: Path
    people: int
    files: int
    bytes: int
    injected: Mapping[str, tuple[str, ...]]


@dataclass
class _Tally:
    files: int = 0
    bytes: int = 0
    watch: list[list[str]] = field(default_factory=list)
    sensor: list[list[str]] = field(default_factory=list)
    has_watch: list[bool] = field(default_factory=list)
    has_sensor: list[bool] = field(default_factory=list)


def write_release(
    cohort: Cohort,
    out: Path,
    release: int = 3,
    quirks: Iterable[str] = (),
    progress: Callable[[int], None] = lambda written: None,
) -> Written:
    """Write a cohort as a release into `out/dataset`; `progress` hears of every person.

    Raises UnknownNameError for a quirk there is none of, and RunFolderError where files cannot be written or are there.
    """
    injected = Injected(quirks, cohort)
    cohort = injected.rescheduled(cohort)
    root = out / "dataset"
    if root.is_dir() and any(root.iterdir()):
        raise RunFolderError(f"{root} is not empty", "choose another --out: releases must not be mixed")
    tally = _Tally()
    try:
        root.mkdir(parents=True, exist_ok=True)
        for i in range(len(cohort)):
            _write_person(cohort, i, root, release, injected, tally)
            progress(i + 1)
        _write_tables(cohort, root, release, injected, tally)
    except OSError as error:
        raise RunFolderError(f"cannot write into {root}: {error.strerror}", "choose another --out") from error
    hit = {name: tuple(str(cohort.people.ids[i]) for i in injected.of(name)) for name in injected.names}
    return Written(root, len(cohort), tally.files, tally.bytes, hit)


def owner_of(cohort: Cohort, i: int) -> Owner:
    """Whose files they are, with the time zone of the site."""
    zone = "cst" if SITES[cohort.people.site[i]] == "UAB" else "pst"
    day = datetime.fromisoformat(str(cohort.people.visit[i].astype("M8[D]")))
    midnight = int(day.replace(tzinfo=ZONES[zone]).astimezone(UTC).timestamp())
    return Owner(str(cohort.people.ids[i]), zone, midnight)


def _write_person(cohort: Cohort, i: int, root: Path, release: int, injected: Injected, tally: _Tally) -> None:
    owner = owner_of(cohort, i)
    recording = injected.altered(record(cohort, i), i)
    written_as = (2 if release != 2 else 3) if injected.hits("mixed-release", i) else release
    paths: dict[str, str] = {}
    for kind in StreamKind:
        data: Samples | Spans | None = getattr(recording, kind.value)
        if data is None:
            continue
        layout = LAYOUT[kind]
        name = f"{owner.person_id}/{owner.person_id}_{layout.suffix}.json"
        relative = f"{layout.datatype}/{kind.value}/{layout.device}/{name}"
        paths[kind.value] = f"/{relative}"
        style = _style(kind, i, injected, empty=not len(data))
        content = stream_file(kind, written_as, owner, data, style)
        path = root / _nested(relative, injected)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        tally.files += 1
        tally.bytes += len(content)
    _list_in_manifests(cohort, i, owner, recording, paths, release, injected, tally)


def _style(kind: StreamKind, i: int, injected: Injected, empty: bool) -> Style:
    headless = injected.hits("null-header", i) or (injected.hits("empty-sleep", i) and empty)
    return Style(header=not headless, floats=kind == StreamKind.ACTIVITY and injected.hits("float-activity", i))


def _list_in_manifests(
    cohort: Cohort,
    i: int,
    owner: Owner,
    recording: Recording,
    paths: Mapping[str, str],
    release: int,
    injected: Injected,
    tally: _Tally,
) -> None:
    hands = of_person(cohort.seed, i, "hands").choice(HANDS, size=2, p=(0.45, 0.45, 0.05, 0.05))
    worn = str(hands[0]), str(hands[1])
    trace = recording.continuous_glucose_monitoring
    tally.has_watch.append(any(name != StreamKind.GLUCOSE.value for name in paths))
    tally.has_sensor.append(trace is not None)
    if tally.has_watch[-1]:
        floats = injected.hits("float-activity", i)
        row = watch_row(recording, paths, owner.midnight, release, worn, floats)
        tally.watch.append([owner.person_id, *row])
    if trace is not None:
        row = sensor_row(trace, paths[StreamKind.GLUCOSE.value], owner.midnight, sensor_id(owner))
        tally.sensor.append([owner.person_id, *row])


def _write_tables(cohort: Cohort, root: Path, release: int, injected: Injected, tally: _Tally) -> None:
    write_clinical_tables(root / _nested("clinical_data", injected), cohort, release, injected)
    write_participants(root, cohort.people, release, injected, tally.has_watch, tally.has_sensor)
    who = id_column(release)
    write_tsv(root / _nested(f"{WATCH}/manifest.tsv", injected), (who, *watch_columns(release)), tally.watch)
    write_tsv(root / SENSOR / "manifest.tsv", (who, *SENSOR_COLUMNS), tally.sensor)
    write_descriptions(root, release, cohort.seed, len(cohort))


def _nested(relative: str, injected: Injected) -> str:
    """A path as it lies in a copy whose datatypes ended up in a folder inside their own, where that is asked for."""
    datatype = relative.partition("/")[0]
    return f"{datatype}/{relative}" if "doubled-directory" in injected.names and datatype in NESTED else relative
