"""The visit's measurements and questionnaires from the OMOP tables, one row a person.

`*_source_value` is a REDCap variable and its label, cut off after 49 characters: the text before the first comma is the
item's key. One OMOP concept may back two items, so keys are matched and never concepts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.datasets.aireadi.identifiers import person_key
from sensecf_bench.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

SURVEY_SENTINELS = frozenset({55, 77, 88, 99, 555, 777, 888, 999})
WRONG_UNITS = frozenset({"mmol/mol", "mmol/l", "kpa", "lb/in2"})
BLOCK_BYTES = 8 << 20
TABLES = ("measurement", "observation")


@dataclass(frozen=True)
class Item:
    """An item of one table: the feature it makes, and what its numbers can be."""

    table: str
    keys: tuple[str, ...]
    possible: tuple[float, float]
    survey: bool = False


ITEMS: Mapping[str, Item] = {
    "bmi_kg_m2": Item("measurement", ("bmi_vsorres",), (8, 120)),
    "hba1c_pct": Item("measurement", ("import_hba1c", "hba1c (%)"), (2, 20)),
    "systolic_bp_mmhg": Item("measurement", ("bp1_sysbp_vsorres", "bp2_sysbp_vsorres"), (40, 300)),
    "diastolic_bp_mmhg": Item("measurement", ("bp1_diabp_vsorres", "bp2_diabp_vsorres"), (20, 200)),
    "paid5_score": Item("observation", ("paidscore",), (0, 20), survey=True),
    "cesd10_score": Item("observation", ("cestl",), (0, 30), survey=True),
}
PARTS: Mapping[str, Item] = {
    "paid5_score": Item(
        "observation", ("paid_scrd", "paid_dpr", "paid_wr", "paid_eng", "paid_cml"), (0, 4), survey=True
    ),
    "cesd10_score": Item("observation", tuple(f"ces{i}" for i in range(1, 11)), (0, 3), survey=True),
}


@dataclass(frozen=True, eq=False)
class Clinical:
    """What the visit recorded: per person, the features that are known.

    `quirks` counts what was met in the tables, and `problems` names what could not be used, without any value in it.
    """

    people: Mapping[str, Mapping[str, float]]
    quirks: Counter[str] = field(default_factory=Counter)
    problems: tuple[str, ...] = ()


def read_clinical(tables: Mapping[str, Path | None]) -> Clinical:
    """Read the tables `measurement` and `observation`, a block at a time.

    A table that is not there (None) or cannot be read is a problem, not an error: its features are then missing.
    """
    answers: dict[tuple[str, str], list[float]] = {}
    quirks: Counter[str] = Counter()
    problems: list[str] = []
    for table, path in tables.items():
        if path is None:
            problems.append(f"clinical_data/{table}.csv: not in this download")
            continue
        wanted = {key: item for item in (*ITEMS.values(), *PARTS.values()) if item.table == table for key in item.keys}
        mistakes: Counter[str] = Counter()
        try:
            for person, key, value, unit in _rows(path, table, wanted, mistakes):
                number = _possible(value, unit, wanted[key], quirks, mistakes, f"{table}.{key}")
                if number is not None:
                    answers.setdefault((person, key), []).append(number)
        except DataError as error:
            problems.append(error.message)
        problems += [f"{path}: {count:,} × {what}; left out" for what, count in mistakes.items()]
        quirks += mistakes
    return Clinical(_features(answers), quirks, tuple(problems))


def item_key(source_value: str) -> str:
    """The key of an item from its source value: `"bmi_vsorres, BMI"` is `"bmi_vsorres"`."""
    return source_value.split(",", 1)[0].strip().lower()


def _features(answers: Mapping[tuple[str, str], Sequence[float]]) -> dict[str, dict[str, float]]:
    people: dict[str, dict[str, float]] = {person: {} for person, _ in answers}
    for person, known in people.items():
        for feature, item in ITEMS.items():
            values = [value for key in item.keys for value in answers.get((person, key), ())]
            parts = _parts(person, feature, answers)
            if values:  # a score is a whole number, so the first of several; a measurement is their mean
                known[feature] = values[0] if item.survey else float(np.mean(values))
            elif parts is not None:
                known[feature] = parts
    return people


def _parts(person: str, feature: str, answers: Mapping[tuple[str, str], Sequence[float]]) -> float | None:
    if feature not in PARTS:
        return None
    values = [answers.get((person, key), (np.nan,))[0] for key in PARTS[feature].keys]
    total = float(np.sum(values))
    return None if np.isnan(total) else total


def _possible(
    value: str, unit: str, item: Item, quirks: Counter[str], mistakes: Counter[str], name: str
) -> float | None:
    """The number of an answer, or None (and a count under its reason) where it is none.

    People who gave no answer are among the release's `quirks`; what cannot be right is among `mistakes`.
    """
    low, high = item.possible
    try:
        number = float(value)
    except ValueError:
        number = np.nan
    if np.isnan(number):
        quirks[f"{name}: no number"] += 1
    elif item.survey and number in SURVEY_SENTINELS and not low <= number <= high:
        quirks[f"{name}: not answered"] += 1
    elif unit.strip().lower() in WRONG_UNITS:
        mistakes[f"{name}: in {unit.strip()}"] += 1
    elif item.survey and not number.is_integer():
        mistakes[f"{name}: no whole number"] += 1
    elif not low <= number <= high:
        mistakes[f"{name}: outside [{low:g}, {high:g}]"] += 1
    else:
        return number
    return None


def _rows(
    path: Path, table: str, wanted: Mapping[str, Item], mistakes: Counter[str]
) -> Iterator[tuple[str, str, str, str]]:
    """Person, key, value and unit of the wanted items."""
    import pyarrow as pa
    import pyarrow.compute as pc

    names = ("person_id", f"{table}_source_value", "value_as_number", "unit_source_value")
    keys = pa.array(list(wanted), pa.string())
    for batch in _batches(path, names, mistakes):
        first = pc.list_element(pc.split_pattern(batch[names[1]], ","), 0)
        chosen = batch.filter(pc.is_in(pc.utf8_lower(pc.utf8_trim_whitespace(first)), value_set=keys))
        people, sources, values, units = (chosen[name].to_pylist() for name in names)
        for person, source, value, unit in zip(people, sources, values, units, strict=True):
            yield person_key(person), item_key(source), value, unit or ""


def _batches(path: Path, columns: Sequence[str], mistakes: Counter[str]) -> Iterator[pa.RecordBatch]:
    """The columns by name, as text, a block at a time, whatever index columns stand before them. Raises DataError."""
    import pyarrow as pa
    from pyarrow import csv

    def skip(row: csv.InvalidRow) -> str:
        mistakes[f"{path.stem}: row with {row.actual_columns} fields instead of {row.expected_columns}"] += 1
        return "skip"

    try:
        reader = csv.open_csv(
            path,
            read_options=csv.ReadOptions(block_size=BLOCK_BYTES),
            parse_options=csv.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
            convert_options=csv.ConvertOptions(
                include_columns=list(columns),
                column_types=dict.fromkeys(columns, pa.string()),
                strings_can_be_null=False,
                include_missing_columns=True,  # a table without units is read; one without values is refused below
            ),
        )
        with reader:
            for batch in reader:
                absent = [c for c in columns[:3] if batch[c].null_count == len(batch) > 0]
                if absent:
                    raise DataError(f"{path}: has no column {', '.join(map(repr, absent))}")
                yield batch
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {str(error).splitlines()[0]}") from error
