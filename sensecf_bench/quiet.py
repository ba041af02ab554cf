"""Keeping standard output clean: the results of commands go there, and what a plugin prints must not."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

STDOUT = 1


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """What is printed within, by Python or by C, is thrown away."""
    flush_all()
    stream, aside = sys.stdout, _set_aside()
    hush = _Hushed(stream)
    if stream is not None:
        sys.stdout = hush
    try:
        yield
    finally:
        flush_all()
        hush.on = False
        sys.stdout = stream  # whatever a plugin has put there instead
        if aside is not None:
            os.dup2(aside, STDOUT)
            os.close(aside)


class _Hushed:
    """Stands in for a stream; whoever keeps hold of it has the stream itself once the hush is over."""

    def __init__(self, stream: Any) -> None:
        self.on = True
        self._stream = stream

    def write(self, text: str) -> int:
        return len(text) if self.on else int(self._stream.write(text))

    def close(self) -> None:
        """Not a plugin's to close."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def flush_all() -> None:
    """Empty the buffers of Python's streams and of C's, so that nothing turns up where it was not written."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):  # none, closed, or its reader is gone
            stream.flush()
    _c_flush()(None)


def _set_aside() -> int | None:
    """Let descriptor 1 lead nowhere; a copy of where it led. None when it is not open."""
    try:
        aside = os.dup(STDOUT)
    except OSError:
        return None
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STDOUT)
    os.close(nowhere)
    return aside


@functools.cache
def _c_flush() -> Callable[[None], object]:
    try:
        import ctypes

        flush: Callable[[None], object] = ctypes.CDLL(None).fflush
    except (ImportError, OSError, AttributeError):  # a Python without ctypes has no plugin that prints through it
        return lambda _: None
    return flush
