"""What a training under way says about itself: a line now and then, for people, and never on stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True)
class Progress:
    """Where a training stands. `loss` is the mean over the steps since the last report; `left` in seconds."""

    step: int
    steps: int
    loss: float | None = None
    validity: float | None = None  # of the best weights so far
    seconds: float = 0.0
    left: float | None = None
    remark: str = ""  # something that happened: resumed, a better validity, stopped early

    def __str__(self) -> str:
        parts = [f"step {self.step}/{self.steps}"]
        if self.loss is not None:
            parts.append(f"loss {self.loss:.4f}")
        if self.validity is not None:
            parts.append(f"best validity {100 * self.validity:.1f} %")
        if self.left is not None:
            parts.append(f"{clock(self.left)} left")
        return ", ".join(parts) + (f": {self.remark}" if self.remark else "")


def printer(name: str, stream: TextIO | None = None) -> Callable[[Progress], None]:
    """Writes each report as one line to the stream (stderr unless another is given), after the name of what is trained."""

    def note(progress: Progress) -> None:
        out = stream if stream is not None else sys.stderr
        out.write(f"{name}: {progress}\n")
        out.flush()

    return note


def quiet(progress: Progress) -> None:
    """Says nothing."""


def clock(seconds: float) -> str:
    """Seconds as people write them: 9 s, 4 min 30 s, 2 h 05 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
