"""One test a check, for pytest, in the manner of scikit-learn's decorator of the same name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sensecf_bench.contracts import Plugin
from sensecf_bench.testing.bench import shared_bench
from sensecf_bench.testing.checks import CHECKS, Check, refuse_unknown
from sensecf_bench.testing.subject import Subject, subject_of
from sensecf_bench.testing.verdicts import CheckFailed, NotChecked

if TYPE_CHECKING:
    import pytest

Expected = Mapping[str, str] | Callable[[type[Plugin]], Mapping[str, str]]


@dataclass(frozen=True)
class BoundCheck:
    """A check of one class, to be called by a test."""

    subject: Subject
    check: Check

    def __call__(self) -> None:
        """Raises CheckFailed; skips the test where the check cannot be made."""
        import pytest

        try:
            self.check.function(self.subject, shared_bench())
        except NotChecked as reason:
            pytest.skip(str(reason))

    def __str__(self) -> str:
        return f"{self.subject.name}-{self.check.name}"


def parametrize_with_checks(
    what: Sequence[type[Plugin] | str], *, expected_failures: Expected | None = None
) -> pytest.MarkDecorator:
    """Parametrize a test with every check of these classes, or of what is installed under these names::

        @parametrize_with_checks([Mine, "nice"])
        def test_conformance(check):
            check()

    `expected_failures` gives reasons by check, or is called with each class to tell them; what a class declares
    itself counts too. An expected failure that passes is a failure.
    """
    import pytest

    params = []
    for subject in map(subject_of, what):
        told = expected_failures(subject.cls) if callable(expected_failures) else expected_failures
        reasons = {**subject.expected_failures, **(told or {})}
        refuse_unknown(reasons)
        for check in CHECKS[subject.kind]:
            reason = reasons.get(check.name)
            marks = () if reason is None else (pytest.mark.xfail(reason=reason, raises=CheckFailed, strict=True),)
            params.append(pytest.param(BoundCheck(subject, check), id=f"{subject.name}-{check.name}", marks=marks))
    return pytest.mark.parametrize("check", params)
