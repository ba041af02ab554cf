"""From a file's raw columns to a stream: what is no measurement is masked, duplicates go, every quirk is counted."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from sensecf_bench.datasets.aireadi.catalogue import LONGEST_ACTIVITY_SECONDS
from sensecf_bench.datasets.aireadi.columns import ABSENT, Column, Columns
from sensecf_bench.datasets.aireadi.identifiers import CENTRAL, PACIFIC, person_key
from sensecf_bench.datasets.aireadi.kinds import LAYOUT, KindLayout, StreamKind
from sensecf_bench.datasets.aireadi.quirks import Quirk
from sensecf_bench.datasets.aireadi.times import UNREADABLE, seconds_of

SLEEP_STAGES = ("awake", "light", "deep", "rem")
BEYOND_RANGE = ("", "Low", "High")
BEYOND = {"low": Quirk.LOW_READING, "high": Quirk.HIGH_READING}
TIMEZONES = {"pst": PACIFIC, "cst": CENTRAL}  # labels of civil time, daylight saving included
EARLIEST, AFTER_LATEST = seconds_of(["2020-01-01T00:00:00Z", "2040-01-01T00:00:00Z"]).tolist()  # collected from 2023 on

# Why a record is masked, as a small number; 0 for a measurement.
STATES: tuple[Quirk | None, ...] = (
    None,
    Quirk.SENTINEL,
    Quirk.NAN_VALUE,
    Quirk.BLANK_VALUE,
    Quirk.LOW_READING,
    Quirk.HIGH_READING,
    Quirk.IMPLAUSIBLE_VALUE,
    Quirk.UNREADABLE_VALUE,
    Quirk.UNEXPECTED_UNIT,
    Quirk.UNKNOWN_LABEL,
    Quirk.NEGATIVE_LENGTH,
    Quirk.LONG_ACTIVITY,
    Quirk.CONFLICTING_TIME,
)
CODE = {quirk: np.int8(code) for code, quirk in enumerate(STATES)}
MEASUREMENT = CODE[None]


@dataclass(frozen=True, eq=False)
class Records:
    """n records with one time each that can be read; `states` index STATES."""

    times: NDArray[np.int64]
    ends: NDArray[np.int64]
    values: NDArray[np.float64]
    states: NDArray[np.int8]
    labels: NDArray[np.int16]

    def take(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> Records:
        return Records(self.times[which], self.ends[which], self.values[which], self.states[which], self.labels[which])


@dataclass(frozen=True)
class HeaderFacts:
    timezone: str | None = None
    person_id: str | None = None
    releases: frozenset[int] = frozenset({1, 2, 3})


def judged(columns: Columns, kind: StreamKind, quirks: Counter[Quirk]) -> tuple[Records, tuple[str, ...]]:
    """The records in order of time, each once, with their states and the names of their labels; quirks are added up."""
    layout = LAYOUT[kind]
    quirks[Quirk.NOT_A_RECORD] += columns.not_records
    quirks[Quirk.NOT_A_READING] += columns.not_readings
    records, names = _judge_each(columns, kind, layout)
    readable = (records.times != UNREADABLE) & (records.ends != UNREADABLE)
    if not readable.all():
        quirks[Quirk.UNREADABLE_TIME] += int((~readable).sum())
        records = records.take(readable)
    plausible = _between(records.times, EARLIEST, AFTER_LATEST) & _between(records.ends, EARLIEST, AFTER_LATEST)
    if not plausible.all():
        quirks[Quirk.IMPLAUSIBLE_TIME] += int((~plausible).sum())
        records = records.take(plausible)
    records = _without_repeats(_ascending(records, quirks), quirks)
    if layout.instant:
        records = _without_conflicts(records)
    elif columns.ends is not None:
        records = _intervals(records, quirks, longest=LONGEST_ACTIVITY_SECONDS if kind is StreamKind.ACTIVITY else None)
    for quirk, count in zip(STATES, np.bincount(records.states, minlength=len(STATES)), strict=True):
        if quirk is not None:
            quirks[quirk] += int(count)
    if not len(records.times):
        quirks[Quirk.EMPTY_STREAM] += 1
    elif (records.states != MEASUREMENT).all():
        quirks[Quirk.DEAD_STREAM] += 1
    return records, names


def _judge_each(columns: Columns, kind: StreamKind, layout: KindLayout) -> tuple[Records, tuple[str, ...]]:
    ends = columns.starts if columns.ends is None or layout.instant else columns.ends
    pairs = [_value(value, layout) for value in columns.values.distinct]
    values = np.array([value for value, _ in pairs], dtype=np.float64)[columns.values.codes]
    states = np.array([CODE[quirk] for _, quirk in pairs], dtype=np.int8)[columns.values.codes]
    labels, names = _labels(columns.labels)
    strange_unit = np.array([_is_strange(unit, layout) for unit in columns.units.distinct], dtype=bool)
    states[strange_unit[columns.units.codes] & (states == MEASUREMENT)] = CODE[Quirk.UNEXPECTED_UNIT]
    if kind is StreamKind.GLUCOSE:
        names = BEYOND_RANGE
        labels = np.where(states == CODE[Quirk.LOW_READING], 1, np.where(states == CODE[Quirk.HIGH_READING], 2, 0))
    if kind is StreamKind.SLEEP:
        stage = np.array([name in SLEEP_STAGES for name in names], dtype=bool)[labels]
        unvalued = np.array([value is ABSENT for value in columns.values.distinct], dtype=bool)[columns.values.codes]
        values = np.where(unvalued, _hours(columns.starts, ends), values)
        states[unvalued] = np.where(stage[unvalued], MEASUREMENT, CODE[Quirk.UNKNOWN_LABEL])
        states[unvalued & (values > layout.plausible[1])] = CODE[Quirk.IMPLAUSIBLE_VALUE]
    return Records(columns.starts, ends, values, states, labels.astype(np.int16)), names


def _value(value: object, layout: KindLayout) -> tuple[float, Quirk | None]:
    """A JSON value as a number (NaN if it is none), and why it is no measurement."""
    if isinstance(value, str):
        return _word(value.strip().lower(), layout)
    if value is None:
        return math.nan, Quirk.BLANK_VALUE
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan, Quirk.UNREADABLE_VALUE
    try:
        number = float(value)
    except OverflowError:
        return math.nan, Quirk.IMPLAUSIBLE_VALUE
    low, high = layout.plausible
    if math.isnan(number):
        return number, Quirk.NAN_VALUE
    if layout.highest_sentinel is not None and number <= layout.highest_sentinel:
        return number, Quirk.SENTINEL
    return number, None if low <= number <= high else Quirk.IMPLAUSIBLE_VALUE


def _word(word: str, layout: KindLayout) -> tuple[float, Quirk | None]:
    if word in BEYOND and layout is LAYOUT[StreamKind.GLUCOSE]:
        return math.nan, BEYOND[word]
    if word in ("", "none", "null"):
        return math.nan, Quirk.BLANK_VALUE
    return math.nan, Quirk.NAN_VALUE if word == "nan" else Quirk.UNREADABLE_VALUE


def _is_strange(unit: object, layout: KindLayout) -> bool:
    return unit is not ABSENT and unit is not None and unit not in layout.file_units


def _labels(column: Column) -> tuple[NDArray[np.int16], tuple[str, ...]]:
    words = [value.strip().lower() if isinstance(value, str) else "" for value in column.distinct]
    names = tuple(sorted(set(words))) or ("",)
    codes = np.array([names.index(word) for word in words], dtype=np.int16)
    return codes[column.codes], names


def _hours(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.float64]:
    fine = (starts != UNREADABLE) & (ends != UNREADABLE)
    return np.where(fine, np.where(fine, ends, 0) - np.where(fine, starts, 0), 0) / 3600


def _ascending(records: Records, quirks: Counter[Quirk]) -> Records:
    if (np.diff(records.times) >= 0).all():
        return records
    quirks[Quirk.UNSORTED] += 1
    return records.take(np.argsort(records.times, kind="stable"))


def _shared_times(times: NDArray[np.int64]) -> NDArray[np.intp]:
    """Indices of the records that have company at their second; the times ascend."""
    same = np.diff(times) == 0
    return np.flatnonzero(np.append(same, False) | np.insert(same, 0, False)) if len(times) else np.empty(0, np.intp)


def _without_repeats(records: Records, quirks: Counter[Quirk]) -> Records:
    shared = _shared_times(records.times)
    if not len(shared):
        return records
    r = records.take(shared)
    bits = r.values.view(np.int64)  # NaN equals NaN
    order = np.lexsort((r.labels, r.states, bits, r.ends, r.times))  # stable, so the first of equals comes first
    columns = (r.times, r.ends, bits, r.states, r.labels)
    repeats = np.logical_and.reduce([np.diff(column[order]) == 0 for column in columns])
    quirks[Quirk.EXACT_DUPLICATE] += int(repeats.sum())
    keep = np.ones(len(records.times), dtype=bool)
    keep[shared[order[1:][repeats]]] = False
    return records.take(keep)


def _without_conflicts(records: Records) -> Records:
    """Mask readings that differ at one second: which is right cannot be known, as after the clocks' spring change."""
    beyond = (CODE[Quirk.LOW_READING], CODE[Quirk.HIGH_READING])
    readings = np.flatnonzero((records.states == MEASUREMENT) | np.isin(records.states, beyond))
    clash = readings[_shared_times(records.times[readings])]
    if not len(clash):
        return records
    states, labels = records.states.copy(), records.labels.copy()
    states[clash], labels[clash] = CODE[Quirk.CONFLICTING_TIME], 0
    return replace(records, states=states, labels=labels)


def _between(times: NDArray[np.int64], first: int, end: int) -> NDArray[np.bool_]:
    return (times >= first) & (times < end)


def _intervals(records: Records, quirks: Counter[Quirk], longest: int | None) -> Records:
    lengths = records.ends - records.times
    quirks[Quirk.ZERO_LENGTH] += int((lengths == 0).sum())
    latest_end = np.maximum.accumulate(records.ends) if len(records.ends) else records.ends
    quirks[Quirk.OVERLAPPING] += int((records.times[1:] < latest_end[:-1]).sum())
    states = np.where(lengths < 0, CODE[Quirk.NEGATIVE_LENGTH], records.states)
    if longest is not None:
        states = np.where(lengths > longest, CODE[Quirk.LONG_ACTIVITY], states)
    return replace(records, states=states)


def header_facts(header: object, quirks: Counter[Quirk]) -> HeaderFacts:
    """The time zone and the person that a header names, and the releases that write such a header."""
    if not isinstance(header, dict):
        quirks[Quirk.NULL_HEADER] += 1
        return HeaderFacts()
    person = next((header[key] for key in ("user_id", "patient_id") if isinstance(header.get(key), str)), None)
    label = header.get("timezone")
    zone = TIMEZONES.get(label.strip().lower(), label) if isinstance(label, str) else None
    if label is None:
        quirks[Quirk.NO_TIMEZONE] += 1
    elif zone is None or not _is_zone(zone):
        quirks[Quirk.UNKNOWN_TIMEZONE] += 1
        zone = None
    since_3 = frozenset({3}) if "timezone" in header else frozenset({1, 2})
    return HeaderFacts(zone, None if person is None else person_key(person), since_3)


@cache
def _is_zone(name: str) -> bool:
    try:
        return bool(ZoneInfo(name).key)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return False
