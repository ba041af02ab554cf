"""A whole release as two tables: people, and their days."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.datasets.aireadi.catalogue import COLUMNS
from sensecf_bench.datasets.aireadi.clinical import TABLES, Clinical, read_clinical
from sensecf_bench.datasets.aireadi.daily import OF_DAYS
from sensecf_bench.datasets.aireadi.gathering import Progress, gather
from sensecf_bench.datasets.aireadi.kinds import StreamKind
from sensecf_bench.datasets.aireadi.layout import Release
from sensecf_bench.datasets.aireadi.participant import Participant, Summary
from sensecf_bench.datasets.aireadi.quirks import Quirk
from sensecf_bench.datasets.aireadi.store import FeatureStore
from sensecf_bench.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

SPLIT = "recommended_split"
OF_PEOPLE = tuple(c.name for c in COLUMNS if c.source in ("participants", "clinical"))


@dataclass(frozen=True, eq=False)
class Collected:
    """What a release gives: `summaries` of everybody in its participants table, and what its clinical tables say."""

    release: Release
    clinical: Clinical
    summaries: Mapping[str, Summary]

    @cached_property
    def people(self) -> pd.DataFrame:
        """Every column of the catalogue and the release's recommended split, indexed by `person_id`; NaN is missing."""
        import pandas as pd

        columns = self._background() | {
            c.name: np.array([s.features[c.name] for s in self.summaries.values()], dtype=np.float64)
            for c in COLUMNS
            if c.name not in OF_PEOPLE
        }
        index = pd.Index(list(self.summaries), name="person_id", dtype="str")
        return pd.DataFrame(columns, index=index)[[*(c.name for c in COLUMNS), SPLIT]]

    @cached_property
    def days(self) -> pd.DataFrame:
        """The same columns (but the counts of days) of each participant-day, indexed by `person_id` and `local_date`."""
        import pandas as pd

        counts = np.array([len(s.days.days) for s in self.summaries.values()], dtype=np.intp)
        whose = np.repeat(np.arange(len(counts)), counts)
        days = [s.days for s in self.summaries.values()]
        dates = np.concatenate([np.zeros(0, np.int64), *(d.days for d in days)]).astype("datetime64[D]")
        columns = {name: values[whose] for name, values in self._background().items()}
        columns |= {name: np.concatenate([np.zeros(0), *(d.columns[name] for d in days)]) for name in OF_DAYS}
        index = pd.MultiIndex.from_arrays(
            [np.array(list(self.summaries), dtype=object)[whose], np.datetime_as_string(dates)],
            names=["person_id", "local_date"],
        )
        return pd.DataFrame(columns, index=index)[[*(c.name for c in COLUMNS if c.daily), SPLIT]]

    @property
    def problems(self) -> tuple[str, ...]:
        """Everything that could not be used, each with its path."""
        files = [problem for summary in self.summaries.values() for problem in summary.problems]
        return (*map(str, self.release.problems), *self.clinical.problems, *self._of_other_releases(), *files)

    @property
    def quirks(self) -> dict[str, Counter[str]]:
        """How often each quirk was met, by stream; those of the clinical tables under `clinical`."""
        totals: dict[str, Counter[str]] = {}
        for summary in self.summaries.values():
            for stream, quirks in summary.quirks.items():
                totals.setdefault(stream, Counter()).update(quirks)
        if self.clinical.quirks:
            totals["clinical"] = Counter(self.clinical.quirks)
        return totals

    def _of_other_releases(self) -> Iterator[str]:
        """A line for each stream: whoever opened the release looked at a few files only."""
        for kind in StreamKind:
            having = [s for s in self.summaries.values() if kind.value in s.records]
            strange = [s.person_id for s in having if Quirk.OTHER_RELEASE.value in s.quirks.get(kind.value, ())]
            if strange:
                first = self.release.files[strange[0]][kind]
                yield (
                    f"{first}: one of {len(strange)} of {len(having)} {kind.value} files that another release than "
                    f"{self.release.number} wrote; releases must not be mixed"
                )

    def _background(self) -> dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]]:
        """What does not change from day to day, shape `(people,)` each."""
        people = [self.release.people[person] for person in self.summaries]
        visits = [self.clinical.people.get(person, {}) for person in self.summaries]
        ages = [np.nan if p.age_years is None else p.age_years for p in people]
        clinical = [name for name in OF_PEOPLE if name not in ("age_years", "study_group")]
        return {
            "age_years": np.array(ages, dtype=np.float64),
            "study_group": np.array([p.study_group for p in people], dtype=object),
            **{name: np.array([v.get(name, np.nan) for v in visits], dtype=np.float64) for name in clinical},
            SPLIT: np.array([p.split for p in people], dtype=object),
        }


def collect(
    folder: Path,
    cache: Path | None,
    *,
    jobs: int = 1,
    strict: bool = False,
    progress: Progress | None = None,
) -> Collected:
    """Everything a release in `folder` gives, read by so many processes. What was read before is kept in a folder of its own inside `cache`.

    With `strict`, the first problem raises DataError; it names the path. A folder without a release always does.
    """
    release = Release.open(folder)
    if strict and release.problems:
        raise DataError(str(release.problems[0]), "mend the download, or go on without --strict")
    with ExitStack() as stack:
        store = None
        if cache is not None:
            store = FeatureStore(cache / hashlib.sha256(str(release.root.resolve()).encode()).hexdigest()[:16])
            stack.enter_context(store.open())
        tables = {name: release.table(name) for name in TABLES}
        clinical = store.clinical(tables) if store is not None else read_clinical(tables)
        if strict and clinical.problems:
            raise DataError(clinical.problems[0], "mend the download, or go on without --strict")
        participants = [
            Participant(person, release.number, release.people[person].zone, release.files.get(person, {}))
            for person in release.people
        ]
        summaries = gather(participants, store, jobs=jobs, strict=strict, progress=progress)
    collected = Collected(release, clinical, summaries)
    if strict and collected.problems:
        raise DataError(collected.problems[0], "mend the download, or go on without --strict")
    return collected
