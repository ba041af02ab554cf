"""The release's time texts as whole seconds since 1970-01-01 UTC."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

UNREADABLE = np.iinfo(np.int64).min
SHAPE = "dddd-dd-dd?dd:dd:dd"
DIGITS = [i for i, letter in enumerate(SHAPE) if letter == "d"]
MARKS = [i for i, letter in enumerate(SHAPE) if letter in "-:"]
SEPARATOR = SHAPE.index("?")  # a "T", or a space in releases 1 and 2
ZONES = {len(SHAPE): b"", len(SHAPE) + 1: b"Z", len(SHAPE) + 6: b"+00:00"}  # by the length of the text; none means UTC
DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
FIRST_YEAR = 1  # as Python's datetime


def seconds_of_rows(rows: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Seconds of n texts of one length, given as an n × length matrix of ASCII bytes; UNREADABLE where a text is no time.

    Reads `YYYY-MM-DDTHH:MM:SS`, with a space for the T, and with `Z`, `+00:00` or nothing at the end.
    """
    zone = ZONES.get(rows.shape[1])
    if zone is None:
        return np.full(len(rows), UNREADABLE)
    figures = rows[:, DIGITS] - np.uint8(ord("0"))  # below "0" wraps round to a large number
    fine = (figures <= 9).all(axis=1)
    fine &= (rows[:, MARKS] == [ord(SHAPE[i]) for i in MARKS]).all(axis=1)
    fine &= (rows[:, SEPARATOR] == ord("T")) | (rows[:, SEPARATOR] == ord(" "))
    fine &= (rows[:, len(SHAPE) :] == np.frombuffer(zone, dtype=np.uint8)).all(axis=1)
    f = figures.T.astype(np.int64)
    year, month, day = f[0] * 1000 + f[1] * 100 + f[2] * 10 + f[3], f[4] * 10 + f[5], f[6] * 10 + f[7]
    hour, minute, second = f[8] * 10 + f[9], f[10] * 10 + f[11], f[12] * 10 + f[13]
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    last_day = DAYS[np.where(month <= 12, month, 0)] + (leap & (month == 2))
    fine &= (year >= FIRST_YEAR) & (month >= 1) & (day >= 1) & (day <= last_day)
    fine &= (hour <= 23) & (minute <= 59) & (second <= 59)
    seconds = ((_days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second
    return np.where(fine, seconds, UNREADABLE)


def _days_since_1970(year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.int64]:
    """Days of the proleptic Gregorian calendar, with the year begun in March so that the leap day comes last."""
    years = year - (month <= 2)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    since_year_0: NDArray[np.int64] = years * 365 + years // 4 - years // 100 + years // 400 + of_year
    return since_year_0 - 719_468


def seconds_of(texts: Sequence[object]) -> NDArray[np.int64]:
    """Seconds of JSON values, each UNREADABLE unless it is a text with a date and a time.

    Beyond the forms of `seconds_of_rows`, other offsets and fractions of a second (cut off) are understood.
    """
    seconds = np.full(len(texts), UNREADABLE)
    for length in ZONES:
        at = [i for i, text in enumerate(texts) if isinstance(text, str) and len(text) == length and text.isascii()]
        joined = "".join(str(texts[i]) for i in at).encode()
        seconds[at] = seconds_of_rows(np.frombuffer(joined, dtype=np.uint8).reshape(len(at), length))
    for i in np.flatnonzero(seconds == UNREADABLE).tolist():
        seconds[i] = _rare_seconds(texts[i])
    return seconds


def _rare_seconds(text: object) -> int:
    if not isinstance(text, str) or len(text) < len(SHAPE) or not text.isascii():
        return int(UNREADABLE)
    try:
        time = datetime.fromisoformat(text)
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return int(UNREADABLE)
    return (time.replace(microsecond=0) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
