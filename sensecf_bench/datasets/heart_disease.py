"""Coronary heart disease at the Cleveland Clinic: the UCI table from its original file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.contracts import Dataset, Feature, FeatureSchema, PluginOptions, Table
from sensecf_bench.datasets.downloads import PublicFile
from sensecf_bench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from sensecf_bench.queries import Classes

# The checksum is that of two unrelated public copies, byte for byte alike, and the one that others pin for this address.
SOURCE = PublicFile(
    url="https://archive.ics.uci.edu/ml/machine-learning-databases/heart-disease/processed.cleveland.data",
    size=18_461,
    sha256="a74b7efa387bc9d108d7d0115d831fe9b414b29ae7124f331b622b4efa0427c8",
)
ASK = "--datasets heart-disease:FILE, or --set heart-disease.download=true to fetch it once"
MISSING = "?"
GRADES = range(5)  # `num`, the last column: 0 is no disease, 1 to 4 are narrowed vessels


@dataclass(frozen=True)
class Column:
    """A column of the file: the name it has there, what it is to the harness, and the levels its codes stand for."""

    original: str
    feature: Feature
    codes: Mapping[int, str] | None = None

    def value(self, number: float) -> float | int | str:
        """The value in raw units. Raises ValueError for a number that it cannot be."""
        if self.codes is not None:
            if number not in self.codes:
                raise ValueError(f"one of the codes {', '.join(map(str, self.codes))}")
            return self.codes[int(number)]
        low, high = self.feature.bounds
        if low is None or high is None or not low <= number <= high:
            raise ValueError(f"between {low} and {high}")
        if self.feature.kind == "integer":
            if not number.is_integer():
                raise ValueError("a whole number")
            return int(number)
        return number


class HeartDisease(Dataset):
    """Cleveland heart disease (UCI): 297 patients with all 13 findings; undesired: disease. Needs its original file.

    `path` is `processed.cleveland.data` as UCI has it; `download` fetches it once into the user's cache folder, and checks
    its SHA-256. Rows with a missing finding (`?`, 6 of 303) are left out.
    """

    name = "heart-disease"
    argument = "path"

    class Options(PluginOptions):
        path: Path | None = None
        download: bool = False

    def load(self) -> Table:
        file = self._file()
        rows = read_rows(file)
        complete = {i: row for i, row in enumerate(rows) if row is not None}
        if not complete:
            raise DataError(f"{file} has no row without missing values", f"get the original file: {ASK}")
        return Table(
            name=self.name,
            schema=FeatureSchema(tuple(column.feature for column in COLUMNS)),
            frame=_frame([findings for findings, _ in complete.values()]),
            outcome=_diseased([grade for _, grade in complete.values()]),
            ids=tuple(f"patient-{i:03d}" for i in complete),
            classes=("no disease", "disease"),
            undesired=1,
            source=(
                "Heart Disease, Cleveland Clinic Foundation; Janosi, Steinbrunn, Pfisterer, Detrano 1988, UCI "
                f"(doi 10.24432/C52P4X); {len(rows) - len(complete)} of {len(rows)} rows have missing values and are left out"
            ),
            licence="CC BY 4.0",
        )

    def _file(self) -> Path:
        path: Path | None = self.options.path
        if path is not None:
            return path
        if self.options.download:
            import platformdirs

            return SOURCE.fetched(platformdirs.user_cache_path("sensecf-bench") / "heart-disease")
        raise DataError("dataset 'heart-disease' needs UCI's file processed.cleveland.data", f"give {ASK}")


Findings = list[float | int | str]


def read_rows(file: Path) -> list[tuple[Findings, int] | None]:
    """The findings and the grade of disease of each row of the file; None where one is missing.

    Raises DataError naming the line and the column.
    """
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror}", f"give {ASK}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is not text in ASCII, as the original is", f"get the original file: {ASK}") from error
    return [_row(line.split(","), f"{file}, line {i}") for i, line in enumerate(lines, start=1) if line.strip()]


def _row(cells: list[str], place: str) -> tuple[Findings, int] | None:
    if len(cells) != len(COLUMNS) + 1:
        raise DataError(f"{place} has {len(cells)} columns, not {len(COLUMNS) + 1}", f"get the original file: {ASK}")
    named = [*(column.original for column in COLUMNS), "num"]
    numbers = [
        None if cell.strip() == MISSING else _number(cell, name, place) for cell, name in zip(cells, named, strict=True)
    ]
    *findings, grade = numbers
    if grade is None or grade not in GRADES:
        raise _wrong(place, "num", cells[-1], "a grade from 0 to 4")
    values: Findings = []
    for column, number, cell in zip(COLUMNS, findings, cells[:-1], strict=True):
        if number is not None:
            try:
                values.append(column.value(number))
            except ValueError as error:
                raise _wrong(place, column.original, cell, str(error)) from error
    return (values, int(grade)) if len(values) == len(COLUMNS) else None


def _number(cell: str, name: str, place: str) -> float:
    try:
        return float(cell)
    except ValueError as error:
        raise _wrong(place, name, cell, "a number or ?") from error


def _wrong(place: str, name: str, cell: str, expected: str) -> DataError:
    return DataError(
        f"{place}, column {name!r}: {cell.strip()!r} is not {expected}",
        f"the original file has no header and UCI's own codes: {ASK}",
    )


def _frame(rows: list[Findings]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=[column.feature.name for column in COLUMNS])


def _diseased(grades: list[int]) -> Classes:
    return (np.array(grades) > 0).astype(np.int64)


def _coded(original: str, codes: Mapping[int, str], **feature: Any) -> Column:
    return Column(original, Feature(levels=tuple(codes.values()), **feature), codes)


_NO_YES = {0: "no", 1: "yes"}

# Age, sex and what an image of the heart showed cannot be changed. What is measured at rest and under exercise may come out
# otherwise after treatment or training, and so may pain.
COLUMNS = (
    Column(
        "age",
        Feature(
            name="age_years",
            kind="integer",
            unit="years",
            bounds=(0, 120),
            mutable=False,
            description="age",
            group="person",
        ),
    ),
    _coded(
        "sex",
        {0: "female", 1: "male"},
        name="sex",
        kind="categorical",
        mutable=False,
        description="sex",
        group="person",
    ),
    _coded(
        "cp",
        {1: "typical angina", 2: "atypical angina", 3: "non-anginal pain", 4: "asymptomatic"},
        name="chest_pain",
        kind="categorical",
        description="type of chest pain",
        group="symptoms",
    ),
    Column(
        "trestbps",
        Feature(
            name="resting_systolic_bp_mmhg",
            kind="integer",
            unit="mmHg",
            bounds=(50, 300),
            description="resting blood pressure on admission (the source gives one number, taken as systolic)",
            group="at rest",
        ),
    ),
    Column(
        "chol",
        Feature(
            name="cholesterol_mg_dl",
            kind="integer",
            unit="mg/dL",
            bounds=(50, 1000),
            description="total serum cholesterol",
            group="blood",
        ),
    ),
    _coded(
        "fbs",
        _NO_YES,
        name="fasting_glucose_above_120_mg_dl",
        kind="binary",
        description="fasting blood sugar above 120 mg/dL",
        group="blood",
    ),
    _coded(
        "restecg",
        {0: "normal", 1: "ST-T abnormality", 2: "left ventricular hypertrophy"},
        name="resting_ecg",
        kind="categorical",
        description="resting electrocardiogram",
        group="at rest",
    ),
    Column(
        "thalach",
        Feature(
            name="max_heart_rate_bpm",
            kind="integer",
            unit="1/min",
            bounds=(40, 250),
            description="highest heart rate reached under exercise",
            group="exercise",
        ),
    ),
    _coded(
        "exang",
        _NO_YES,
        name="exercise_angina",
        kind="binary",
        description="angina brought on by exercise",
        group="exercise",
    ),
    Column(
        "oldpeak",
        Feature(
            name="st_depression_mm",
            kind="continuous",
            unit="mm",
            bounds=(0, 10),
            precision=0.1,
            description="ST depression under exercise relative to rest (the source names no unit; mm by convention)",
            group="exercise",
        ),
    ),
    _coded(
        "slope",
        {1: "upsloping", 2: "flat", 3: "downsloping"},
        name="st_slope",
        kind="ordinal",
        description="slope of the ST segment at peak exercise",
        group="exercise",
    ),
    Column(
        "ca",
        Feature(
            name="major_vessels",
            kind="integer",
            bounds=(0, 3),
            mutable=False,
            description="number of major vessels coloured by fluoroscopy",
            group="imaging",
        ),
    ),
    _coded(
        "thal",
        {3: "normal", 6: "fixed defect", 7: "reversible defect"},
        name="thallium_scan",
        kind="categorical",
        mutable=False,
        description="perfusion of the heart in a thallium scan",
        group="imaging",
    ),
)
