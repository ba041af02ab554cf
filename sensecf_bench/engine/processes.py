"""Starting processes: a fork server with preloaded imports, one numeric thread each, and nobody left behind.

The caller's main module is never imported again in the new processes, so a script or notebook that calls
`sensecf_bench.api.run` needs no `if __name__ == "__main__"` guard.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from multiprocessing import forkserver
from multiprocessing.connection import wait
from multiprocessing.context import BaseContext
from typing import Any

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def fork_server() -> BaseContext:
    """A context whose processes fork from this process's server (see `warm_up`); a plain spawn where there is none."""
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    return multiprocessing.get_context(method)


def warm_up(preload: Sequence[str]) -> None:
    """Start this process's fork server, which imports `preload` in the background. Without effect if it is running."""
    context = fork_server()
    if context.get_start_method() == "forkserver":
        context.set_forkserver_preload(list(preload))
        with quiet_start(), _deaf_to_interrupts():
            forkserver.ensure_running()


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Start processes in here: they do not run the caller's main module again, and use one numeric thread each."""
    main = sys.modules["__main__"]
    hidden: dict[str, Any] = {n: main.__dict__.pop(n) for n in ("__file__", "__spec__") if n in main.__dict__}
    main.__dict__["__spec__"] = None
    before = {name: os.environ.get(name) for name in (*ONE_THREAD, "PYTHONWARNINGS")}
    os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
    # A generator that was killed leaves semaphores behind; Python cleans them up and need not say so at exit.
    os.environ["PYTHONWARNINGS"] = ",".join(
        filter(None, [before["PYTHONWARNINGS"], "ignore:resource_tracker:UserWarning"])
    )
    try:
        yield
    finally:
        main.__dict__.update(hidden)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes started in here do not hear Ctrl-C: it is the main process's business, also while they import."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def die_with_parent() -> None:
    """End this process when the one that started it is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch(sentinel: Any = parent.sentinel) -> None:
        wait([sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="die-with-parent").start()


def usable_cores() -> int:
    """Cores this process may use, which in a container or a batch job is fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
