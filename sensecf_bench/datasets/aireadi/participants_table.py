"""participants.tsv: who took part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sensecf_bench.datasets.aireadi.identifiers import ID_COLUMNS, id_of, site_zone
from sensecf_bench.datasets.aireadi.problems import Problem, Trouble
from sensecf_bench.errors import DataError

FILE = "participants.tsv"
GROUP_ALIASES = {"insulin_controlled": "insulin_dependent"}
SPLITS = ("train", "val", "test")
BLANK = " \x00"  # NUL bytes are what a download that broke off may leave of a line
AGES = (18, 120)  # years; outside, the cell is a mistake


@dataclass(frozen=True)
class Person:
    """A row of the table. Cells that are missing or cannot be used are empty, or None for the age.

    `datatypes` are the datatypes flagged TRUE: at least one file of them exists, which may be empty or hold no signal.
    """

    person_id: str
    clinical_site: str = ""
    study_group: str = ""
    age_years: int | None = None
    visit_date: str = ""
    split: str = ""
    datatypes: frozenset[str] = frozenset()

    @property
    def zone(self) -> str:
        """IANA name of the site's zone, for files whose header names none."""
        return site_zone(self.clinical_site, self.person_id)


def table_rows(path: Path) -> tuple[list[str], Iterator[tuple[int, dict[str, str]]]]:
    """The columns of a tab-separated file, and its rows with their line numbers; cells stripped, `None` as empty text.

    A row that is too short lacks its last columns. Line ends may be LF or CRLF. Raises DataError.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}", "check that the download is complete") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is no UTF-8 text at byte {error.start:,}", "download the file again") from None
    header, *lines = text.splitlines() or [""]
    columns = [name.strip() for name in header.split("\t")]

    def rows() -> Iterator[tuple[int, dict[str, str]]]:
        for number, line in enumerate(lines, start=2):
            if line.strip():
                cells = [cell.strip(BLANK) for cell in line.split("\t")]  # the csv module refuses long lines
                yield number, dict(zip(columns, ("" if cell == "None" else cell for cell in cells), strict=False))

    return columns, rows()


def read_participants(path: Path) -> tuple[dict[str, Person], str, tuple[Problem, ...]]:
    """Everyone by id, the name of the id column, and what is wrong with single rows. Raises DataError for no id column."""
    columns, rows = table_rows(path)
    id_column = next((name for name in ID_COLUMNS if name in columns), None)
    if id_column is None:
        found = ", ".join(columns[:15]) or "nothing"
        raise DataError(
            f"{path}: no column {' or '.join(ID_COLUMNS)}; found {found}",
            "give the folder that holds the release's own",
        )
    people: dict[str, Person] = {}
    problems: list[Problem] = []
    for line, row in rows:
        person_id = id_of(row)
        if not person_id or len(row) < len(columns):
            what = "no id" if not person_id else f"{len(row)} cells instead of {len(columns)}"
            problems.append(Problem(Trouble.BAD_ROW, path, f"line {line}: {what}; left out", person_id or None))
        elif person_id in people:
            what = f"line {line}: {person_id} stands there already; the first row is used"
            problems.append(Problem(Trouble.REPEATED_ID, path, what, person_id))
        else:
            people[person_id], unusable = _person(person_id, row)
            problems += [Problem(Trouble.BAD_VALUE, path, f"line {line}: {what}", person_id) for what in unusable]
    return people, id_column, tuple(problems)


def _person(person_id: str, row: dict[str, str]) -> tuple[Person, list[str]]:
    unusable = []
    age = row.get("age", "")
    years = int(age.removesuffix(".0")) if age.removesuffix(".0").isdecimal() else None
    if age and (years is None or not AGES[0] <= years <= AGES[1]):
        unusable.append(f"the age is not that of an adult, {AGES[0]} to {AGES[1]} years")
        years = None
    split = row.get("recommended_split", "").lower()
    if split and split not in SPLITS:
        unusable.append(f"recommended_split is none of {', '.join(SPLITS)}")
        split = ""
    group = row.get("study_group", "")
    person = Person(
        person_id=person_id,
        clinical_site=row.get("clinical_site", ""),
        study_group=GROUP_ALIASES.get(group, group),
        age_years=years,
        visit_date=row.get("study_visit_date", ""),
        split=split,
        datatypes=frozenset(name for name, cell in row.items() if cell.upper() == "TRUE"),
    )
    return person, unusable
