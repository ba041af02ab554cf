"""Threads and processes that a plugin leaves behind when it is imported, and how they are kept from doing harm."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """Threads started within do not keep the process from ending, and processes started within are ended."""
    before, caller, start = children(), threading.get_ident(), threading.Thread.start

    def start_as_daemon(thread: threading.Thread) -> None:
        if threading.get_ident() == caller and not thread.is_alive():
            thread.daemon = True
        start(thread)

    threading.Thread.start = start_as_daemon  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        threading.Thread.start = start  # type: ignore[method-assign]
        end(children() - before)


def children(of_all_threads: bool = False) -> set[int]:
    """Processes that this thread has started. Where the system does not tell threads apart, those of all."""
    thread = "*" if of_all_threads else str(threading.get_native_id())
    lists = list(Path("/proc/self/task").glob(f"{thread}/children"))
    if lists:
        return {int(pid) for one in lists for pid in one.read_text().split()}
    import subprocess  # not where it is not needed: every generator's process imports this module

    told = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
    pairs = (line.split() for line in told.splitlines())
    return {int(pid) for pid, parent in pairs if int(parent) == os.getpid()}


def running(pids: Iterable[int]) -> set[int]:
    """Those of some children that have not ended."""
    return {pid for pid in pids if not _has_ended(pid)}


def end(pids: Iterable[int]) -> None:
    """Kill children, and the group of each that leads one."""
    for pid in pids:
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _has_ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
