"""What a download holds, what is odd about it, and whom the benchmark task can use: for people and as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.datasets.aireadi.clinical import ITEMS
from sensecf_bench.datasets.aireadi.collecting import SPLIT, Collected
from sensecf_bench.datasets.aireadi.dataset import NOT_IN_RELEASE_1
from sensecf_bench.datasets.aireadi.kinds import StreamKind
from sensecf_bench.datasets.aireadi.quirks import MEANING, Quirk
from sensecf_bench.datasets.aireadi.synthetic_mark import is_synthetic
from sensecf_bench.datasets.aireadi.task import HIGH_STRESS, LABEL, LEAST_DAYS, eligibility, high_stress, narrowed

if TYPE_CHECKING:
    from pandas import Series

SHOWN = 20  # problems, and ids for a reason, in the text; the JSON has all
SHOWN_IDS = 5


@dataclass(frozen=True)
class StreamCount:
    """One stream over everybody: files that could be read, their records, and how often each quirk was met."""

    files: int
    records: int
    quirks: Mapping[str, int]


@dataclass(frozen=True)
class CheckReport:
    """What `data aireadi check` says. `excluded` has every reason against each person who is not usable, by id."""

    root: str
    release: int
    mini: bool
    synthetic: bool
    participants: int
    groups: Mapping[str, int]
    splits: Mapping[str, int]
    streams: Mapping[str, StreamCount]
    clinical: Mapping[str, int]  # how many people have each item
    clinical_quirks: Mapping[str, int]
    usable: int
    high_stress: int
    reasons: Mapping[str, int]
    excluded: Mapping[str, tuple[str, ...]]
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def text(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        what = "SYNTHETIC, in the layout of AI-READI" if self.synthetic else "AI-READI"
        yield f"{what} release {self.release}{' (mini)' if self.mini else ''} at {self.root}"
        yield f"{self.participants} participants{_brackets(self.groups)}; recommended split{_brackets(self.splits)}"
        yield ""
        yield "streams                          files       records"
        for name, stream in self.streams.items():
            yield f"  {name:<29} {stream.files:>6,} {stream.records:>13,}"
            for quirk, count in stream.quirks.items():
                yield f"      {count:,} × {quirk.replace('_', ' ')}: {MEANING[Quirk(quirk)]}"
        yield ""
        yield "visit                           people"
        for name, count in self.clinical.items():
            yield f"  {name:<29} {count:>6,}"
        for quirk, count in self.clinical_quirks.items():
            yield f"      {count:,} × {quirk}"
        yield ""
        yield (
            f"usable for the task: {self.usable} of {self.participants}, {self.high_stress} of them under high stress "
            f"(mean stress of at least {HIGH_STRESS:g})"
        )
        for reason, count in self.reasons.items():
            who = [person for person, reasons in self.excluded.items() if reason in reasons]
            more = ", …" if len(who) > SHOWN_IDS else ""
            yield f"  {count:>6,} {reason} ({', '.join(who[:SHOWN_IDS])}{more})"
        yield ""
        yield f"problems: {len(self.problems) or 'none'}"
        yield from (f"  {problem}" for problem in self.problems[:SHOWN])
        if len(self.problems) > SHOWN:
            yield f"  … and {len(self.problems) - SHOWN} more: see --json"


def check(collected: Collected) -> CheckReport:
    """Sum a release up."""
    release, people = collected.release, collected.people
    schema = narrowed(NOT_IN_RELEASE_1 if release.number == 1 else ())
    judged = eligibility({name: people[name].to_numpy() for name in people.columns}, LEAST_DAYS, schema)
    quirks = collected.quirks
    return CheckReport(
        root=str(release.root),
        release=release.number,
        mini=release.mini,
        synthetic=is_synthetic(release.root),
        participants=len(people),
        groups=_counts(people["study_group"]),
        splits=_counts(people[SPLIT]),
        streams={kind.value: _stream(kind, collected, quirks.get(kind.value, Counter())) for kind in StreamKind},
        clinical={name: int(people[name].notna().sum()) for name in ITEMS},
        clinical_quirks=dict(quirks.get("clinical", {})),
        usable=int(judged.eligible.sum()),
        high_stress=int(high_stress(people[LABEL].to_numpy()[judged.eligible]).sum()),
        reasons=judged.counts(),
        excluded={people.index[i]: judged.of(i) for i in np.flatnonzero(~judged.eligible).tolist()},
        problems=collected.problems,
    )


def _stream(kind: StreamKind, collected: Collected, quirks: Counter[str]) -> StreamCount:
    records = [s.records[kind.value] for s in collected.summaries.values() if kind.value in s.records]
    return StreamCount(len(records), sum(records), dict(quirks.most_common()))


def _counts(column: Series[Any]) -> dict[str, int]:
    return {str(name) or "not given": int(n) for name, n in column.value_counts().items()}


def _brackets(counts: Mapping[str, int]) -> str:
    return f" ({', '.join(f'{name} {count:,}' for name, count in counts.items())})" if counts else ""
