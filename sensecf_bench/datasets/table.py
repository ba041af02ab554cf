"""A user's own table: CSV or Parquet beside a YAML schema that says what its columns are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from sensecf_bench.contracts import Dataset, Feature, FeatureSchema, LinearConstraint, PluginOptions, Table
from sensecf_bench.datasets.drafting import MOST_LEVELS, draft_feature
from sensecf_bench.errors import DataError, SchemaError, describe
from sensecf_bench.schema import HARNESS_PREFIX, QUERY_ID, level_name

if TYPE_CHECKING:
    import pandas as pd


NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class TableFile(BaseModel):
    """The YAML file: where the table is, which column is the outcome, and what the features are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    file: Path  # relative to the YAML file
    target: str
    classes: tuple[str, str]  # the two values of the target column
    undesired: str
    id: str | None = None  # column of unique ids; the row number if left out
    source: str = ""
    licence: str = ""
    restricted: str = ""  # why its rows may not be passed on; empty where they may
    features: tuple[Feature, ...]
    constraints: tuple[LinearConstraint, ...] = ()  # between numeric features

    @field_validator("name")
    @classmethod
    def _names_a_file(cls, name: str) -> str:
        if not NAME.fullmatch(name) or _is_readme(name):
            raise ValueError(
                "leaderboard files are called by this name: write letters, digits, '.', '_' and '-', "
                "with a letter or digit first, and not README"
            )
        return name


class UserTable(Dataset):
    """Your own CSV or Parquet with a YAML schema: `--datasets table:FILE.yaml` (draft one with `data infer`).

    `schema_file` is that YAML file.
    """

    name = "table"
    argument = "schema_file"

    class Options(PluginOptions):
        schema_file: Path | None = None

    def restricted(self) -> str:
        return read_table_file(self._path).restricted

    @property
    def _path(self) -> Path:
        path: Path | None = self.options.schema_file
        if path is None:
            raise SchemaError("dataset 'table' needs a schema file", "write `--datasets table:FILE.yaml`")
        return path

    def load(self) -> Table:
        path = self._path
        described = read_table_file(path)
        frame = read_frame(path.parent / described.file)
        if described.target not in frame.columns:
            raise SchemaError(
                f"{path}: target column {described.target!r} is not in {described.file}",
                f"its columns are {', '.join(map(str, frame.columns[:20]))}",
            )
        schema = _schema(described, path)
        for role, column in (("target", described.target), ("id", described.id)):
            if column in schema.names:
                raise SchemaError(f"{path}: {role} column {column!r} is also a feature", "take it out of the features")
        _refuse_missing(frame, _columns_needed(described), described.file)
        if described.undesired not in described.classes:
            raise SchemaError(
                f"{path}: undesired class {described.undesired!r} is not one of {list(described.classes)}"
            )
        outcome = _outcome(frame[described.target], described, path)
        return Table(
            name=described.name,
            schema=schema,
            frame=frame[list(schema.names)] if set(schema.names) <= set(frame.columns) else frame,
            outcome=outcome,
            ids=_ids(frame, described.id, path),
            classes=described.classes,
            undesired=described.classes.index(described.undesired),
            source=described.source,
            licence=described.licence,
        )


def _schema(described: TableFile, path: Path) -> FeatureSchema:
    try:
        return FeatureSchema(described.features, constraints=described.constraints)
    except SchemaError as error:
        raise SchemaError(f"{path}: {error.message}", error.fix) from error


def read_table_file(path: Path) -> TableFile:
    """Read and check the YAML. Raises SchemaError naming the field at fault."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SchemaError(
            f"cannot read schema file {path}: {error.strerror}",
            "draft one with `sensecf-bench data infer FILE.csv --target COLUMN --out FILE.yaml`",
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SchemaError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(content, dict):
        raise SchemaError(f"{path} is not a YAML mapping", "see the `table` dataset in the docs for its fields")
    try:
        return TableFile.model_validate(content)
    except ValidationError as error:
        problems = describe(error, TableFile, content, noun="field")
        raise SchemaError(f"{path}: {problems}", "correct the file, or draft it anew with `data infer`") from error


def read_frame(path: Path) -> pd.DataFrame:
    """Read CSV or Parquet by its ending. Raises DataError."""
    import pandas as pd

    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            return pd.read_parquet(path)
        if path.suffix.lower() in (".csv", ".tsv", ".txt"):
            return pd.read_csv(path, sep="\t" if path.suffix.lower() == ".tsv" else ",")
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read table {path}: {error}") from error
    raise DataError(f"cannot read table {path}: unknown ending {path.suffix!r}", "use .csv, .tsv or .parquet")


def infer(path: Path, target: str, undesired: str | None = None) -> tuple[dict[str, Any], list[str]]:
    """Draft the YAML of a table, and say what a person must look at.

    Raises DataError when the target is not a column of two values.
    """
    frame = read_frame(path)
    if target not in frame.columns:
        raise DataError(
            f"{path} has no column {target!r}", f"its columns are {', '.join(map(str, frame.columns[:20]))}"
        )
    classes = sorted({level_name(v) for v in frame[target].dropna().unique()})
    if len(classes) != 2:
        raise DataError(f"target {target!r} has {len(classes)} values, not 2", "choose or make a column of two classes")
    if undesired is not None and undesired not in classes:
        raise DataError(f"undesired class {undesired!r} is not a value of {target!r}", f"its values are {classes}")
    notes, features, id_column = _missing_note(frame, target), [], None
    for column in frame.columns.drop(target):
        distinct = frame[column].nunique()
        if str(column) == QUERY_ID or str(column).startswith(HARNESS_PREFIX):
            notes.append(f"left out {column!r}: the harness has columns of that name; rename it to keep it")
            continue
        if distinct < 2:
            notes.append(f"left out {column!r}: it is constant")
        elif frame[column].dtype.kind not in "iufb" and distinct == len(frame) and id_column is None:
            id_column = str(column)
            notes.append(f"took {column!r} for the id: every row has its own value")
        elif frame[column].dtype.kind not in "iufb" and distinct > MOST_LEVELS:
            notes.append(f"left out {column!r}: text with {distinct} different values")
        else:
            features.append(draft_feature(str(column), frame[column]))
        notes += _missing_note(frame, column)
    if not features:
        raise DataError(f"{path}: no column besides the target can be a feature")
    chosen = undesired or classes[1]
    if undesired is None:
        notes.append(f"took {chosen!r} for the undesired class: correct it if people want to be there")
    notes.append(
        "say which features cannot be changed (mutable: false), which only one way (direction), and hard bounds"
    )
    draft = {
        "name": _name_from(path),
        "file": path.name,
        "target": target,
        "classes": classes,
        "undesired": chosen,
        **({"id": id_column} if id_column else {}),
        "features": [_brief(f) for f in features],
    }
    return draft, notes


def _missing_note(frame: pd.DataFrame, column: str) -> list[str]:
    missing = int(frame[column].isna().sum())
    return [f"{column!r} has {missing} missing values: fill or drop them first"] if missing else []


def _name_from(path: Path) -> str:
    """The table's name after its file's, made to fit what `TableFile` takes."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._") or "table"
    return f"{name}-table" if _is_readme(name) else name


def _is_readme(name: str) -> bool:
    return name.lower() in ("readme", "readme.md")  # whatever its case: some file systems know none


def _columns_needed(described: TableFile) -> list[str]:
    names = [*(feature.name for feature in described.features), described.target]
    return [*names, described.id] if described.id else names


def _brief(feature: Feature) -> dict[str, Any]:
    entry = feature.model_dump(mode="json", exclude_defaults=True)
    entry.setdefault("mutable", True)
    return entry


def _refuse_missing(frame: pd.DataFrame, columns: list[str], file: Path) -> None:
    present = [c for c in columns if c in frame.columns]
    gaps = frame[present].isna().sum()
    gaps = gaps[gaps > 0]
    if len(gaps):
        listed = ", ".join(f"{column} ({count})" for column, count in list(gaps.items())[:5])
        raise DataError(
            f"{file} has missing values: {listed}", "drop or impute those rows: the benchmark never guesses values"
        )


def _outcome(column: pd.Series[Any], described: TableFile, path: Path) -> np.ndarray[Any, Any]:
    values = column.map(level_name)
    strangers = sorted(set(values.unique()) - set(described.classes))
    if strangers:
        held = f"{len(strangers)} other value(s)" if described.restricted else f"{strangers[:5]}"
        raise SchemaError(
            f"{path}: target {described.target!r} holds {held}, which is not in classes {list(described.classes)}",
            "binarise the target or correct `classes`",
        )
    return (values == described.classes[1]).to_numpy().astype(np.int64)


def _ids(frame: pd.DataFrame, column: str | None, path: Path) -> tuple[str, ...]:
    if column is None:
        return tuple(f"row-{i}" for i in range(len(frame)))
    if column not in frame.columns:
        raise SchemaError(f"{path}: id column {column!r} is not in the table")
    ids = tuple(frame[column].map(level_name))
    if len(set(ids)) != len(ids):
        raise DataError(f"{path}: id column {column!r} has duplicates", "ids must be unique")
    return ids
