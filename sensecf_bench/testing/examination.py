"""Making the checks of a plugin class, one result each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from sensecf_bench.testing.bench import Bench
from sensecf_bench.testing.checks import CHECKS, Check, refuse_unknown
from sensecf_bench.testing.subject import Subject
from sensecf_bench.testing.verdicts import CheckFailed, NotChecked

Status = Literal["ok", "failed", "expected-failure", "unexpected-pass", "skipped"]


@dataclass(frozen=True)
class Result:
    """How one check ended, and why."""

    check: str
    status: Status
    reason: str = ""
    cure: str = ""

    @property
    def is_bad(self) -> bool:
        return self.status in ("failed", "unexpected-pass")


def examine(
    subject: Subject, bench: Bench, only: Collection[str] = (), expected: Mapping[str, str] | None = None
) -> Iterator[Result]:
    """The results of all checks of a class, or of `only` some, as they are made. What the class declares in
    `expected_failures` counts, unless `expected` says otherwise."""
    reasons = subject.expected_failures if expected is None else expected
    refuse_unknown([*only, *reasons])
    for check in CHECKS[subject.kind]:
        if not only or check.name in only:
            yield _examine(check, subject, bench, reasons.get(check.name))


def _examine(check: Check, subject: Subject, bench: Bench, expected: str | None) -> Result:
    try:
        check.function(subject, bench)
    except NotChecked as reason:
        return Result(check.name, "skipped", str(reason))
    except CheckFailed as failure:
        if expected is not None:
            return Result(check.name, "expected-failure", expected)
        return Result(check.name, "failed", f"expected {failure.expected}; saw {failure.seen}", failure.cure)
    except Exception as error:  # noqa: BLE001 a stranger's class may raise anything where nobody thought of it
        return Result(check.name, "failed", f"{type(error).__name__}: {error}", "raise nothing here")
    if expected is not None:
        return Result(
            check.name,
            "unexpected-pass",
            f"it passes, but was expected to fail: {expected}",
            "take it out of expected_failures",
        )
    return Result(check.name, "ok")
