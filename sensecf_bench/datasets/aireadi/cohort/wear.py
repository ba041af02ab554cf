"""When the watch and the glucose sensor record, in whole local minutes since the midnight before the visit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.datasets.aireadi.cohort.draws import Draws

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

DAY = 1440  # minutes
WARM_UP_READINGS = 24  # two hours without readings
SHORT_DAY_END = 480  # a watch taken off at eight in the morning and put on again at midnight
SHORT_DAY_SHARE, EARLY_END_SHARE = 0.04, 0.04


@dataclass(frozen=True, eq=False)
class Wear:
    """The recording of `n` people over local days 0 (the visit) to W (the watch comes off), whatever was on file."""

    begin: Integers  # (n, W+1) minute of the day at which wear begins
    end: Integers  # (n, W+1) minute of the day at which it ends; equal to `begin` on a day without wear
    last: Integers  # (n,) last day of wear
    sensor_start: Integers  # (n,) minute since the first midnight of the first glucose reading
    readings: NDArray[np.bool_]  # (n, R) which of the readings, one every five minutes, were kept
    second: Integers  # (n,) second of the minute of everything the watch records

    @property
    def days(self) -> int:
        return int(self.begin.shape[1]) - 1

    @property
    def minutes(self) -> Integers:
        """Minutes of wear, shape `(n, W+1)`."""
        return self.end - self.begin


def draw_wear(draws: Draws, days: int) -> Wear:
    """Wear of at most `days` times 24 hours from the hour of the visit."""
    n = draws.n
    start = (540 + 360 * draws.uniform("start")).astype(np.int64)
    last = np.full(n, days)
    early = draws.uniform("early end") < EARLY_END_SHARE
    last[early] = 1 + (draws.uniform("end day")[early] * (days - 1)).astype(np.int64)
    day = np.arange(days + 1)
    begin = np.where(day == 0, start[:, None], 0)
    end = np.where(day == last[:, None], start[:, None], DAY)
    short = draws.uniform("short days", days + 1) < SHORT_DAY_SHARE
    end = np.where(short & (day > 0) & (day < last[:, None]), SHORT_DAY_END, end)
    end = np.where(day > last[:, None], begin, end)
    delay = (96 + 102 * draws.uniform("sensor")).astype(np.int64)  # 1.6 to 3.3 hours after the watch
    return Wear(
        begin=begin,
        end=end,
        last=last,
        sensor_start=start + delay + 5 * WARM_UP_READINGS,
        readings=_kept(draws, days * 288 - WARM_UP_READINGS),
        second=(60 * draws.uniform("second")).astype(np.int64),
    )


def _kept(draws: Draws, count: int) -> NDArray[np.bool_]:
    """Five in six sensors lose up to twenty readings in a row, the others stop before their time."""
    index, u = np.arange(count), draws.uniform("coverage")
    share = np.where(
        u < 0.84, 1.0, np.where(u < 0.97, 0.30 + 0.68 * (u - 0.84) / 0.13, 0.03 + 0.27 * (u - 0.97) / 0.03)
    )
    gap = (draws.uniform("gap at") * (count - 20)).astype(np.int64)
    length = (21 * draws.uniform("gap length")).astype(np.int64)
    stopped = index >= (share * count)[:, None]
    return ~stopped & ~((index >= gap[:, None]) & (index < (gap + length)[:, None]))
