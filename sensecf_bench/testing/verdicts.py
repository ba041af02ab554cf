"""How a check ends when it does not simply pass."""

from __future__ import annotations


class CheckFailed(AssertionError):  # noqa: N818 what a reader of a test report looks for is the word, not the suffix
    """The contract is broken: what was expected, what was seen, and how to mend it."""

    def __init__(self, expected: str, seen: str, cure: str) -> None:
        super().__init__(f"expected {expected}; saw {seen}\n  cure: {cure}")
        self.expected, self.seen, self.cure = expected, seen, cure


class NotChecked(Exception):  # noqa: N818 no error: nothing is wrong with what could not be looked at
    """The check could not be made, for this reason."""


def require(holds: object, expected: str, seen: str, cure: str) -> None:
    """Raises CheckFailed unless it holds."""
    if not holds:
        raise CheckFailed(expected, seen, cure)
