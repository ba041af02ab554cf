"""The safety net under searches that end by themselves."""

from __future__ import annotations

import time

SHARE = 0.8  # of the time allowed: the call of the classifier that is under way must come back, too


class OutOfTimeError(BaseException):
    """The deadline is near. What was found by then depends on the machine, so it is not an answer.

    Not an Exception, because cfnow catches those around its first call of a model.
    """


class Deadline:
    """Set when made, to most of the given seconds."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + SHARE * seconds

    def check(self) -> None:
        """Raises OutOfTimeError once the deadline has passed."""
        if time.monotonic() > self._ends:
            raise OutOfTimeError
