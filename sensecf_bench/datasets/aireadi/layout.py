"""A release on disk: its root, its number, who took part, where each stream of each person lies, and what is wrong.

release = Release.open(folder)
release.people["1999"].zone, release.files["1999"][StreamKind.STRESS], release.table("measurement"), release.problems
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sensecf_bench.datasets.aireadi import manifests, participants_table, versions
from sensecf_bench.datasets.aireadi.identifiers import person_key as person_key
from sensecf_bench.datasets.aireadi.kinds import LAYOUT, StreamKind
from sensecf_bench.datasets.aireadi.manifests import Manifest
from sensecf_bench.datasets.aireadi.participants_table import Person
from sensecf_bench.datasets.aireadi.problems import Problem, Trouble
from sensecf_bench.datasets.aireadi.roots import (
    CLINICAL,
    DATATYPES,
    datatype_folders,
    find_root,
    is_file,
    is_folder,
    subfolders,
)
from sensecf_bench.datasets.aireadi.synthetic_mark import is_synthetic
from sensecf_bench.errors import DataError

FOLDER_ALIASES = {StreamKind.CALORIES: ("physical_activity_cal",)}  # as the documentation prints it
Files = dict[str, dict[StreamKind, Path]]


@dataclass(frozen=True)
class Release:
    """What `open` found. `files` has the streams of everybody in `people`; files of zero bytes are left out."""

    root: Path
    number: int  # 1, 2 or 3
    mini: bool
    people: Mapping[str, Person]
    files: Mapping[str, Mapping[StreamKind, Path]]
    problems: tuple[Problem, ...]

    @classmethod
    def open(cls, folder: Path) -> Release:
        """Look through a download; stream files are listed, not read. Raises DataError if there is no release at all."""
        root = find_root(folder.expanduser())
        problems: list[Problem] = []
        clues = []
        doi, clue = versions.described(root)
        people: dict[str, Person] | None = None
        table = root / participants_table.FILE
        if is_file(table) and _size(table) > 0:
            people, id_column, wrong = participants_table.read_participants(table)
            problems += wrong
            clues.append(versions.Clue(table, versions.OF_ID_COLUMN[id_column]))
        listed = _manifests(root, problems)
        found = _found(root, problems)
        if people is None:
            what = f"{'has zero bytes' if is_file(table) else 'is missing'}; everybody with a file is taken for a participant, without age, group or split"
            problems.append(Problem(Trouble.NO_PARTICIPANTS_TABLE, table, what))
            people = {person: Person(person) for person in sorted(found)}
        _unknown(found, people, problems)
        files = {person: _files_of(person, root, found.get(person, {}), listed, problems) for person in people}
        clues += [versions.of_manifest(manifest) for manifest in listed]
        clues += versions.of_streams(files)
        number, against = versions.decide([*clues, *([clue] if clue else [])])
        for other in against:
            wrote = " or ".join(map(str, sorted(other.releases))) or "no"
            what = f"is of release {wrote}, the folder of release {number}; releases must not be mixed"
            problems.append(Problem(Trouble.MIXED_RELEASES, other.path, what))
        like_mini = doi is None and len(people) == versions.MINI_SIZE and not is_synthetic(root)
        mini = number == 3 and (doi == versions.MINI_DOI or like_mini)
        return cls(root, number, mini, people, files, tuple(problems))

    def table(self, name: str) -> Path | None:
        """The CSV file of a clinical table such as `measurement`, if it is there."""
        paths = (folder / f"{name}.csv" for folder in datatype_folders(self.root, CLINICAL))
        return next((path for path in paths if is_file(path)), None)


def _manifests(root: Path, problems: list[Problem]) -> list[Manifest]:
    read = []
    for datatype in DATATYPES:
        folders = datatype_folders(root, datatype)
        if not folders:
            problems.append(Problem(Trouble.NO_DATATYPE, root / datatype, "is not in this download"))
            continue
        paths = [folder / manifests.FILE for folder in folders]
        path = next((path for path in paths if is_file(path)), None)
        if path is None:
            what = "is missing; files are found by their names alone"
            problems.append(Problem(Trouble.NO_MANIFEST, paths[0], what))
            continue
        try:
            read.append(manifests.read_manifest(path, datatype))
        except DataError as error:
            what = f"{error.message.removeprefix(f'{path}: ')}; files are found by their names alone"
            problems.append(Problem(Trouble.BAD_MANIFEST, path, what))
    return read


def _found(root: Path, problems: list[Problem]) -> Files:
    """Files by the pattern `<datatype>/<modality>/<device>/<id>/<id>_<suffix>.json`, whatever the manifests say."""
    found: Files = {}
    for kind, layout in LAYOUT.items():
        for folder in _folders_of_people(root, kind, problems):
            person = person_key(folder.name)
            names = dict.fromkeys(f"{name}_{layout.suffix}.json" for name in (folder.name, person))
            path = next((folder / name for name in names if _is_there(folder / name, problems)), None)
            if path is not None:
                found.setdefault(person, {}).setdefault(kind, path)
    return found


def _folders_of_people(root: Path, kind: StreamKind, problems: list[Problem]) -> Iterator[Path]:
    for datatype in datatype_folders(root, LAYOUT[kind].datatype):
        for name in (kind.value, *FOLDER_ALIASES.get(kind, ())):
            for device in _subfolders(datatype / name, problems):
                yield from _subfolders(device, problems)


def _subfolders(folder: Path, problems: list[Problem]) -> list[Path]:
    if not is_folder(folder):
        return []
    try:
        return subfolders(folder)
    except DataError as error:
        problems.append(Problem(Trouble.UNREADABLE, folder, error.message.removeprefix(f"{folder}: ")))
        return []


def _is_there(path: Path, problems: list[Problem]) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        problems.append(Problem(Trouble.UNREADABLE, path, f"cannot be looked at: {error.strerror}"))
        return False


def _unknown(found: Files, people: Mapping[str, Person], problems: list[Problem]) -> None:
    for person in sorted(found.keys() - people.keys()):
        paths = found.pop(person)
        path = next(iter(paths.values())).parent
        what = f"{len(paths)} stream file{'s' * (len(paths) > 1)} of {person}, who is not in the participants table"
        problems.append(Problem(Trouble.UNKNOWN_ID, path, what, person))


def _files_of(
    person: str, root: Path, found: Mapping[StreamKind, Path], listed: list[Manifest], problems: list[Problem]
) -> dict[StreamKind, Path]:
    """The person's streams: where the manifest says, else where the pattern says."""
    files = dict(found)
    for manifest in listed:
        for kind, name in manifest.listed.get(person, {}).items():
            path = _inside(root, name)
            if path is not None and is_file(path):
                files[kind] = path
            elif name is not None and kind not in found:
                what = f"{kind} of {person} is in the manifest and not in this folder: the copy is incomplete"
                problems.append(Problem(Trouble.NOT_THERE, root / name, what, person))
            elif name is None and kind in found:
                what = f"{kind} of {person} is here and not in the manifest; used"
                problems.append(Problem(Trouble.NOT_LISTED, found[kind], what, person))
    for kind, path in list(files.items()):
        if _size(path) == 0:
            what = f"{kind} of {person} has zero bytes: its download did not finish"
            problems.append(Problem(Trouble.EMPTY_FILE, path, what, person))
            del files[kind]
    return files


def _inside(root: Path, name: str | None) -> Path | None:
    """The path of a manifest's cell, unless it leads out of the release."""
    if name is None or ".." in Path(name).parts:
        return None
    return root / name


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
