"""One process at a time: what is dear is made once, and the others wait for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def alone(lock: Path, what: str) -> Iterator[None]:
    """Only one process at a time is in here; the operating system frees the lock of one that dies."""
    import filelock

    lock.parent.mkdir(parents=True, exist_ok=True)
    held = filelock.FileLock(lock)
    try:
        held.acquire(blocking=False)
    except filelock.Timeout:
        sys.stderr.write(f"another process makes {what}; waiting for it\n")
        held.acquire()
    try:
        yield
    finally:
        held.release()
