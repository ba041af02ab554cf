"""What importing a plugin may not do: every command of sensecf-bench imports all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensecf_bench.discovery.stage import HEAVY
from sensecf_bench.testing.fresh import Seen, seconds_again, seen_at_import
from sensecf_bench.testing.verdicts import NotChecked, require

if TYPE_CHECKING:
    from sensecf_bench.testing.bench import Bench
    from sensecf_bench.testing.subject import Subject

IMPORT_SECONDS = 0.3
TRIES = 5
CURE = "move it into `fit`, or into the function that uses it"


def imports_quickly(subject: Subject, bench: Bench) -> None:
    """Importing its module takes less than 0.3 s beyond what the contracts, numpy and pandas take."""
    seen = _seen(subject)
    # A busy machine only ever adds time, so the quickest of several tries is the nearest to the truth.
    quickest = seen.seconds
    for _ in range(TRIES - 1):
        if quickest < IMPORT_SECONDS:
            return
        quickest = min(quickest, seconds_again(subject))
    require(
        quickest < IMPORT_SECONDS,
        f"an import of less than {IMPORT_SECONDS} s",
        f"{quickest:.2f} s at the quickest of {TRIES} tries; it loads {', '.join(seen.modules[:12])}",
        f"find what is slow with `python -X importtime`; {CURE}",
    )


def imports_nothing_heavy(subject: Subject, bench: Bench) -> None:
    """Importing its module loads no heavy library."""
    loaded = [name for name in _seen(subject).modules if name in HEAVY]
    require(not loaded, "no heavy library loaded", f"{', '.join(loaded)}", CURE)


def opens_no_socket(subject: Subject, bench: Bench) -> None:
    """Importing its module opens no socket and asks no name server."""
    opened = _seen(subject).sockets
    require(not opened, "no socket opened", "; ".join(opened[:3]), CURE)


def prints_nothing(subject: Subject, bench: Bench) -> None:
    """Importing its module prints nothing: standard output is for results."""
    output = _seen(subject).output
    require(
        not output, "no output", repr(output[:200]), "take the print, or the cause of the warning, out of the module"
    )


def leaves_nothing_running(subject: Subject, bench: Bench) -> None:
    """Importing its module starts no thread and no process."""
    seen = _seen(subject)
    started = [*(f"thread {name}" for name in seen.threads), *seen.processes]
    require(not started, "no thread or process started", "; ".join(started[:3]), CURE)


def _seen(subject: Subject) -> Seen:
    seen = seen_at_import(subject)
    if seen.failure:
        raise NotChecked("it cannot be imported in another process: see can-be-found-again")
    return seen
