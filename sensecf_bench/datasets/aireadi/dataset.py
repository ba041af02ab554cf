"""The dataset `aireadi`: the benchmark task on a release that the user downloaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field, field_validator

from sensecf_bench.contracts import Dataset, PluginOptions, Split, Table
from sensecf_bench.errors import DataError, SchemaError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sensecf_bench.datasets.aireadi.task import Eligibility
    from sensecf_bench.queries import Classes
    from sensecf_bench.schema import FeatureSchema

NOT_IN_RELEASE_1 = ("sleep_efficiency_pct", "deep_sleep_pct", "rem_sleep_pct")  # its nights have hours and no stages
PARTS = ("train", "val", "test")
SYNTHETIC_FILES = "aireadi-synthetic-files"  # what leaderboards call a folder in which nobody exists
LICENSED = "AI-READI is licensed to you for research on type 2 diabetes; its rows, altered ones among them, may not be passed on"


@dataclass(frozen=True, eq=False)
class ReleaseTable(Table):
    """A table that remembers whose each row is and which part the release recommends for them, shape `(n,)` each."""

    people: tuple[str, ...] = ()
    recommended: tuple[str, ...] = ()


class Aireadi(Dataset):
    """AI-READI, a release you downloaded: glucose, sleep, activity and clinic; undesired: high stress.

    `path` is the release's folder; `unit` is what a row is, a person or a person's day. High stress is a mean stress
    score of at least `threshold`. A person needs `least_days` days of glucose and of wear and as many nights, and every
    feature of the task; `leave_out` names features to do without. The release's recommended split is kept
    (`split: seeded` deals people anew). What was read is kept in `cache`, your own cache folder unless you name another.
    """

    name = "aireadi"
    argument = "path"
    expected_failures: ClassVar[Mapping[str, str]] = {
        "split-follows-the-seed": "the release recommends one split, which is kept whatever the seed"
    }

    class Options(PluginOptions):
        path: Path | None = None
        threshold: float = Field(default=26.0, ge=1, le=99)
        unit: Literal["person", "person-day"] = "person"
        least_days: int = Field(default=3, ge=1, le=10)
        leave_out: tuple[str, ...] = ()
        split: Literal["recommended", "seeded"] = "recommended"
        cache: Path | None = None

        @field_validator("leave_out", mode="before")
        @classmethod
        def _listed(cls, given: object) -> object:
            return tuple(name.strip() for name in given.split(",")) if isinstance(given, str) else given

        @field_validator("leave_out")
        @classmethod
        def _are_features(cls, names: tuple[str, ...]) -> tuple[str, ...]:
            from sensecf_bench.datasets.aireadi.task import SCHEMA

            strangers = sorted(set(names) - set(SCHEMA.names))
            if strangers:
                raise ValueError(f"{strangers[0]!r} is no feature of the task: {', '.join(SCHEMA.names)}")
            if set(names) >= set(SCHEMA.names):
                raise ValueError("no feature would be left")
            return names

    def restricted(self) -> str:
        from sensecf_bench.datasets.aireadi.roots import find_root
        from sensecf_bench.datasets.aireadi.synthetic_mark import is_synthetic

        try:
            return "" if is_synthetic(find_root(self._path)) else LICENSED
        except (DataError, SchemaError):
            return LICENSED

    def load(self) -> Table:
        from sensecf_bench.datasets.aireadi.collecting import SPLIT, collect
        from sensecf_bench.datasets.aireadi.store import default_folder
        from sensecf_bench.datasets.aireadi.synthetic_mark import is_synthetic
        from sensecf_bench.datasets.aireadi.task import CLASSES, LABEL, UNDESIRED, narrowed

        collected = collect(self._path, self.options.cache or default_folder())
        release = collected.release
        schema = narrowed({*self.options.leave_out, *(NOT_IN_RELEASE_1 if release.number == 1 else ())})
        frame, excluded = self._rows(collected.people, collected.days, schema)
        _refuse_constant(frame, schema)
        synthetic = is_synthetic(release.root)
        return ReleaseTable(
            name=SYNTHETIC_FILES if synthetic else self.name,
            schema=schema,
            frame=frame[list(schema.names)].astype({f.name: "int64" for f in schema.features if f.kind == "integer"}),
            outcome=frame[LABEL].to_numpy(),
            ids=tuple(frame.index),
            classes=CLASSES,
            undesired=UNDESIRED,
            source="; ".join(
                [
                    f"{'SYNTHETIC files in the layout of ' if synthetic else ''}AI-READI release {release.number}"
                    f"{' (mini)' if release.mini else ''}",
                    excluded,
                    *self._dealt_because(frame[SPLIT]),
                    *_told(len(collected.problems)),
                ]
            ),
            licence="synthetic" if synthetic else "AI-READI licence: not to be passed on",
            people=tuple(frame["person_id"]),
            recommended=tuple(frame[SPLIT]),
        )

    def labels(self, table: Table, train: NDArray[np.intp]) -> Classes:
        from sensecf_bench.datasets.aireadi.task import high_stress

        return high_stress(table.outcome, self.options.threshold)

    def split(self, table: Table, seed: int) -> Split:
        """The release's recommended split where it names all three parts for these people; otherwise, and with `split:
        seeded`, people are dealt 60 / 20 / 20. Either way all days of a person stand in one part. People whom the release
        puts in no part are training rows."""
        if not isinstance(table, ReleaseTable):
            return super().split(table, seed)
        parts = np.array(table.recommended, dtype=object)
        if self.options.split == "recommended" and set(PARTS) <= set(parts):
            validation, test = np.flatnonzero(parts == "val"), np.flatnonzero(parts == "test")
            return Split(np.flatnonzero(~np.isin(parts, ("val", "test"))), validation, test)
        return self._dealt(table, seed)

    def _dealt_because(self, parts: pd.Series[str]) -> list[str]:
        nobody = [part for part in PARTS if part not in set(parts)]
        if self.options.split == "seeded" or not nobody:
            return []
        return [
            f"the release recommends none of them for {' and '.join(nobody)}, so the seed deals people 60 / 20 / 20"
        ]

    def _dealt(self, table: ReleaseTable, seed: int) -> Split:
        from sensecf_bench.datasets.aireadi.task import high_stress
        from sensecf_bench.datasets.splits import stratified

        _, whose = np.unique(np.array(table.people, dtype=object), return_inverse=True)
        mean = np.bincount(whose, weights=table.outcome) / np.bincount(whose)
        dealt = stratified(high_stress(mean, self.options.threshold), seed)
        parts = (dealt.train, dealt.validation, dealt.test)
        return Split(*(np.flatnonzero(np.isin(whose, part)) for part in parts))

    def _rows(self, people: pd.DataFrame, days: pd.DataFrame, schema: FeatureSchema) -> tuple[pd.DataFrame, str]:
        """The rows that are complete, and in words how many are not and why. Raises DataError when none is."""
        from sensecf_bench.datasets.aireadi.task import COUNTS, eligibility

        if self.options.unit == "person":
            rows = people.assign(person_id=people.index)
        else:
            rows = days.reset_index()
            rows.index = rows["person_id"] + "/" + rows["local_date"]
            for count in COUNTS:
                rows[count] = people[count].reindex(rows["person_id"]).to_numpy()
        columns = {name: rows[name].to_numpy() for name in rows.columns}
        judged = eligibility(columns, self.options.least_days, schema)
        words = in_words(judged, self.options.unit)
        if not judged.eligible.any():
            raise DataError(
                f"{self._path}: {words}",
                "see `sensecf-bench data aireadi check`; ask for fewer days with least_days, or leave features out",
            )
        return rows[judged.eligible], words

    @property
    def _path(self) -> Path:
        path: Path | None = self.options.path
        if path is None:
            raise SchemaError("dataset 'aireadi' needs the folder of a release", "write `--datasets aireadi:DIR`")
        return path


def in_words(judged: Eligibility, unit: str) -> str:
    """How many rows are complete, and what the others lack."""
    kept, asked = int(judged.eligible.sum()), len(judged.eligible)
    plural = "people" if unit == "person" else "person-days"
    lacking = "; ".join(f"{count} have {reason}" for reason, count in judged.counts().items())
    return f"{kept} of {asked} {plural} are complete{f' (of the others, {lacking})' if lacking else ''}"


def _told(problems: int) -> list[str]:
    many = f"{problems} problem{'s' * (problems > 1)} in the files"
    return [f"{many}: see `sensecf-bench data aireadi check`"] if problems else []


def _refuse_constant(frame: pd.DataFrame, schema: FeatureSchema) -> None:
    constant = [name for name in schema.names if frame[name].nunique() < 2]
    if constant and len(frame) > 1:
        raise DataError(
            f"the same for everybody who is complete: {', '.join(constant)}",
            f"do without: --set aireadi.leave_out={','.join(constant)}",
        )
