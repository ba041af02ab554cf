"""Plugins are loaded in a forked process first, and only those that come through it are loaded in this one.

Whoever ends the process, crashes, hangs or reaches for the network when it is imported does so where it costs nothing: it
is named with what it did, and the others go on. A fork costs milliseconds, because everything is imported already.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sensecf_bench.discovery.sources import Source
from sensecf_bench.discovery.stage import CALLING, LOADING, Take, perform
from sensecf_bench.discovery.verdicts import Verdict
from sensecf_bench.quiet import flush_all

DEADLINE = 60.0  # seconds a plugin may take
TICK = 0.05  # how often to see whether the process lives, should a survivor of it hold the line open
CHUNK = 1 << 16
GRACE = 1.0  # for a process that has hung up and is about to be gone


def rehearse(sources: Sequence[Source], take: Take) -> list[Verdict]:
    """A verdict on each plugin. Where no process can be forked all are taken to be sound."""
    verdicts: list[Verdict] = []
    while len(verdicts) < len(sources):
        heard = _rehearse_some(sources[len(verdicts) :], take)
        if heard is None:
            break
        verdicts += heard
    return verdicts + [Verdict()] * (len(sources) - len(verdicts))


def _rehearse_some(sources: Sequence[Source], take: Take) -> list[Verdict] | None:
    """Verdicts on the first plugins, at least one, as far as one process got; None when there is no process."""
    line, output, cue = os.pipe(), os.pipe(), os.pipe()
    pid = _fork()
    if pid == 0:
        for descriptor in (line[0], output[0], cue[1]):
            os.close(descriptor)
        perform(sources, take, line[1], output[1], cue[0], DEADLINE)
    for descriptor in (line[1], output[1], cue[0]):
        os.close(descriptor)
    with contextlib.closing(_Audience(pid, line[0], output[0], cue[1])) as audience:
        return audience.verdicts(len(sources)) if pid is not None else None


def _fork() -> int | None:
    flush_all()  # or what is waiting to be written would be written twice
    if not hasattr(os, "fork"):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of callers with threads: those are not needed there
        try:
            return os.fork()
        except OSError:
            return None


class _Audience:
    """Watches a rehearsal: hears verdicts, counts what is printed, and keeps the time."""

    def __init__(self, pid: int | None, line: int, output: int, cue: int) -> None:
        self._pid, self._line, self._output, self._cue = pid, line, output, cue
        self._ended: int | None = None
        self._text = b""
        self._printed = 0
        self._deadline = time.monotonic() + DEADLINE
        self._poll = select.poll()
        for descriptor in (line, output):
            os.set_blocking(descriptor, False)
            self._poll.register(descriptor, select.POLLIN)

    def verdicts(self, count: int) -> list[Verdict]:
        """Up to `count` verdicts: the last one is that on whoever ended the rehearsal, if anyone did."""
        found: list[Verdict] = []
        at = LOADING
        self._give_cue()
        while len(found) < count:
            try:
                news = self._next()
            except TimeoutError:
                words = "still not loaded" if at == LOADING else "its hooks have not answered"
                return [*found, self._broken(f"{words} after {DEADLINE:g} s")]
            if news is None:
                # something that an earlier one left running may be to blame: it gets a process of its own first
                return found or [self._broken(f"{self._how_it_ended()} {at}")]
            if "at" in news:
                at = CALLING if news["at"] == CALLING else LOADING
                if at == LOADING:
                    self._deadline = time.monotonic() + DEADLINE
            else:
                found.append(self._remarked(Verdict(**news["verdict"])))
                self._give_cue()
        return found

    def close(self) -> None:
        """End the process with whatever was started in it."""
        if self._pid is not None:
            for kill in (os.killpg, os.kill):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    kill(self._pid, signal.SIGKILL)
            self._wait(0)
        for descriptor in (self._line, self._output, self._cue):
            os.close(descriptor)

    def _give_cue(self) -> None:
        """Let the next plugin begin: not before what this one printed has been counted, or one would answer for the other."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._cue, b".")

    def _next(self) -> dict[str, Any] | None:
        """The next news; None when there will be none. Raises TimeoutError."""
        while b"\n" not in self._text:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            ready = [descriptor for descriptor, _ in self._poll.poll(1000 * min(left, TICK))]
            if self._output in ready:
                self._drain()
            if self._line in ready:
                chunk = os.read(self._line, CHUNK)
                if not chunk:
                    return None
                self._text += chunk
            elif self._ended is not None:
                return None
            else:
                self._wait(os.WNOHANG)
        text, _, self._text = self._text.partition(b"\n")
        try:
            news: dict[str, Any] = json.loads(text)
        except ValueError:  # somebody else wrote on this line
            return None
        return news

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for _ in range(16):  # more than a pipe holds, and yet an end, should somebody write without one
                chunk = os.read(self._output, CHUNK)
                if not chunk:  # nobody holds the other end any more
                    with contextlib.suppress(KeyError):
                        self._poll.unregister(self._output)
                    return
                self._printed += len(chunk)

    def _remarked(self, verdict: Verdict) -> Verdict:
        self._drain()
        remark = (f"prints {self._printed} bytes when it is imported",) if self._printed else ()
        self._printed = 0
        return replace(verdict, warnings=(*verdict.warnings, *remark))

    def _broken(self, reason: str) -> Verdict:
        return self._remarked(Verdict("broken", reason, "repair, block or uninstall the plugin"))

    def _how_it_ended(self) -> str:
        end = time.monotonic() + GRACE
        while self._ended is None and time.monotonic() < end:
            self._wait(os.WNOHANG)
            time.sleep(0.001)
        if self._ended is None:
            return "cut the line to the harness"
        code = os.waitstatus_to_exitcode(self._ended)
        return f"died of {signal.Signals(-code).name}" if code < 0 else f"ended the process with exit code {code}"

    def _wait(self, flags: int) -> None:
        if self._ended is None and self._pid is not None:
            try:
                pid, status = os.waitpid(self._pid, flags)
            except ChildProcessError:  # the caller waits for all its children
                pid, status = self._pid, 0
            if pid:
                self._ended = status
