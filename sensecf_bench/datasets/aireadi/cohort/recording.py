"""What one person's devices recorded, second by second: the form in which it is altered by quirks and then written.

Times are seconds since the local midnight before the visit, by a clock that is never changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]
    Numbers = NDArray[np.float64]

STAGES = ("awake", "light", "deep", "rem", "unknown")
ACTIVITIES = ("sedentary", "generic", "walking", "running", "")


@dataclass(frozen=True, eq=False)
class Samples:
    """Readings, shape `(n,)`. A value that is no number is NaN; glucose below or above what is reported is -inf or inf."""

    times: Integers
    values: Numbers

    def __len__(self) -> int:
        return len(self.times)

    def take(self, order: NDArray[np.intp] | NDArray[np.bool_]) -> Samples:
        return Samples(self.times[order], self.values[order])


@dataclass(frozen=True, eq=False)
class Spans:
    """Intervals with a name, shape `(n,)`: positions in `STAGES` or `ACTIVITIES`, and a value where there is one."""

    starts: Integers
    ends: Integers
    names: NDArray[np.intp]
    values: Numbers

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, order: NDArray[np.intp] | NDArray[np.bool_]) -> Spans:
        return Spans(self.starts[order], self.ends[order], self.names[order], self.values[order])


@dataclass(frozen=True, eq=False)
class Recording:
    """All streams of one person; None where there is no file."""

    heart_rate: Samples | None
    stress: Samples | None
    respiratory_rate: Samples | None
    oxygen_saturation: Samples | None
    physical_activity: Spans | None
    physical_activity_calorie: Samples | None
    sleep: Spans | None
    continuous_glucose_monitoring: Samples | None


def joined(parts: list[Samples]) -> Samples:
    return Samples(np.concatenate([p.times for p in parts]), np.concatenate([p.values for p in parts]))
