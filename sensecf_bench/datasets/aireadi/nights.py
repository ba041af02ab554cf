"""Nights of sleep from the stages a watch recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.datasets.aireadi.catalogue import NIGHT_GAP_SECONDS, NIGHT_RANGE_SECONDS
from sensecf_bench.datasets.aireadi.local_time import DAY, HOUR

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.datasets.aireadi.local_time import LocalTime
    from sensecf_bench.datasets.aireadi.streams import Stream

    Integers = NDArray[np.int64]
    Numbers = NDArray[np.float64]

ASLEEP = ("light", "deep", "rem")


@dataclass(frozen=True, eq=False)
class Intervals:
    """Intervals that do not overlap, in order, with a label code each; shape `(n,)`."""

    starts: Integers
    ends: Integers
    labels: NDArray[np.int16]

    @classmethod
    def apart(cls, starts: Integers, ends: Integers, labels: NDArray[np.int16]) -> Intervals:
        """Intervals sorted by start, cut so that no second belongs to two: the one that begins first keeps it."""
        order = np.lexsort((ends, starts))
        starts, ends, labels = starts[order], ends[order], labels[order]
        if len(starts):
            reached = np.concatenate([starts[:1], np.maximum.accumulate(ends)[:-1]])
            starts = np.maximum(starts, reached)
        left = ends > starts
        return cls(starts[left], ends[left], labels[left])


def nightly_sleep(stream: Stream, local: LocalTime) -> tuple[Integers, dict[str, Numbers]]:
    """The local days on which a night ended, and the sleep of each.

    Stages more than 90 minutes apart belong to different episodes; an episode counts if it takes 4 to 14 hours from its
    beginning to its end, and the longest that ends on a day is that day's night. Release 1 has no stages: each record is
    a night, and only the hours of sleep are known.
    """
    usable = ~stream.sentinel & (stream.ends > stream.times)
    names = tuple(stream.label_names)
    if names == ("",):
        return _unstaged(stream, usable, local)
    stages = Intervals.apart(stream.times[usable], stream.ends[usable], stream.labels[usable])
    if not len(stages.starts):
        return _none()
    opens = np.concatenate([[True], stages.starts[1:] - stages.ends[:-1] > NIGHT_GAP_SECONDS])
    episode = np.cumsum(opens) - 1
    begins = stages.starts[opens]
    closes = stages.ends[np.concatenate([opens[1:], [True]])]
    lengths = (stages.ends - stages.starts).astype(np.float64)
    hours = {
        stage: np.bincount(episode, weights=lengths * (stages.labels == _code(names, stage)), minlength=len(begins))
        / HOUR
        for stage in (*ASLEEP, "awake")
    }
    asleep = hours["light"] + hours["deep"] + hours["rem"]
    chosen = _longest_by_day(begins, closes, local.seconds(closes) // DAY, eligible=asleep > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = {
            "sleep_hours": asleep,
            "sleep_efficiency_pct": 100 * asleep / (asleep + hours["awake"]),
            "deep_sleep_pct": 100 * hours["deep"] / asleep,
            "rem_sleep_pct": 100 * hours["rem"] / asleep,
            "light_sleep_pct": 100 * hours["light"] / asleep,
            "awake_pct": 100 * hours["awake"] / (asleep + hours["awake"]),
        }
    days = local.seconds(closes[chosen]) // DAY
    return days, {name: values[chosen] for name, values in columns.items()}


def _unstaged(stream: Stream, usable: NDArray[np.bool_], local: LocalTime) -> tuple[Integers, dict[str, Numbers]]:
    begins, closes, hours = stream.times[usable], stream.ends[usable], stream.values[usable]
    if not len(begins):
        return _none()
    days = local.seconds(closes) // DAY
    chosen = _longest_by_day(begins, closes, days, eligible=hours > 0)
    return days[chosen], {"sleep_hours": hours[chosen]}


def _longest_by_day(
    begins: Integers, closes: Integers, days: Integers, eligible: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Positions of the night of each day, in order of days."""
    shortest, longest = NIGHT_RANGE_SECONDS
    span = closes - begins
    candidates = np.flatnonzero(eligible & (span >= shortest) & (span <= longest))
    order = candidates[np.lexsort((-span[candidates], days[candidates]))]
    _, first = np.unique(days[order], return_index=True)
    return order[first]


def _code(names: tuple[str, ...], stage: str) -> int:
    return names.index(stage) if stage in names else -1


def _none() -> tuple[Integers, dict[str, Numbers]]:
    return np.zeros(0, dtype=np.int64), {}
