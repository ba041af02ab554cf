"""Where plugins are rehearsed: a forked process in which each is loaded, looked at, and may do no harm.

Nothing here runs in the calling process. What happens is told line by line to whoever forked this process, which cannot
rely on hearing an end.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NoReturn

from sensecf_bench import leftovers
from sensecf_bench.discovery.network import Network
from sensecf_bench.discovery.sources import Source
from sensecf_bench.discovery.verdicts import Verdict, verdict_of
from sensecf_bench.quiet import flush_all

Take = Callable[[object, Source], object]

HEAVY = (
    "cfnow", "dask", "datasets", "dice_ml", "distributed", "jax", "keras", "lightgbm", "matplotlib", "numba", "openai",
    "peft", "plotly", "scipy", "shap", "sklearn", "statsmodels", "tensorflow", "torch", "transformers", "xgboost",
)  # fmt: skip
"""Modules that a plugin should import where it uses them: every command would have to wait for them."""
SLOW = 0.3  # seconds an import may take without being remarked upon
PATIENCE = 0.1  # seconds for threads that are about to end
LOADING, CALLING = "while it was loaded", "while its hooks were called"


def perform(sources: Sequence[Source], take: Take, line: int, output: int, cue: int, deadline: float) -> NoReturn:
    """Rehearse plugins one after another, each on its cue, then end the process."""
    code = 1
    try:
        _settle(output)
        network = Network()
        sys.addaudithook(network)
        for source in sources:
            if not os.read(cue, 1):  # nobody is there any more
                break
            signal.setitimer(signal.ITIMER_REAL, 2 * deadline)  # should nobody be left to end this process
            network.occasion = "when it is imported"
            _give_streams()
            _tell(line, {"at": LOADING})
            _tell(line, {"verdict": asdict(_rehearsed(source, take, network, line))})
        code = 0
    finally:
        os._exit(code)


def _settle(output: int) -> None:
    """Part from the caller: its terminal, its signals, its streams."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGALRM, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    faulthandler.disable()
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    nowhere = os.open(os.devnull, os.O_RDONLY)
    for descriptor, target in ((nowhere, 0), (output, 1), (output, 2)):
        os.dup2(descriptor, target)


def _give_streams() -> None:
    """Fresh streams for each plugin: the one before may have closed or replaced them."""
    sys.stdin = open(0, closefd=False, encoding="utf-8")  # noqa: SIM115 it stays open as long as the process
    sys.stdout = open(1, "w", closefd=False, encoding="utf-8", errors="replace")  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, encoding="utf-8", errors="replace")  # noqa: SIM115


def _rehearsed(source: Source, take: Take, network: Network, line: int) -> Verdict:
    before = _Surroundings.now()
    began = time.perf_counter()
    seconds = 0.0
    verdict = Verdict()
    try:
        plugin = source.load()
        seconds = time.perf_counter() - began
        network.occasion = "when its hooks are called"
        _tell(line, {"at": CALLING})
        take(plugin, source)
    except BaseException as error:  # noqa: BLE001 a stranger's import may raise anything; the verdict names it
        verdict = verdict_of(error, source)
    flush_all()
    if used := network.used():
        verdict = Verdict("broken", "; ".join(used), "move it into fit or generate")
    warnings, leaves = before.remarks(seconds)
    return replace(verdict, warnings=tuple(warnings), leaves=leaves)


@dataclass(frozen=True)
class _Surroundings:
    """What was there before a plugin came."""

    modules: frozenset[str]
    threads: frozenset[threading.Thread]
    processes: frozenset[int]

    @classmethod
    def now(cls) -> _Surroundings:
        modules = frozenset(name for name in HEAVY if name in sys.modules)
        return cls(modules, frozenset(threading.enumerate()), frozenset(leftovers.children(of_all_threads=True)))

    def remarks(self, seconds: float) -> tuple[list[str], bool]:
        """What is remarkable about what is there now, and whether something was left running, which is ended."""
        words = []
        if heavy := [name for name in HEAVY if name in sys.modules and name not in self.modules]:
            words.append(f"loads {', '.join(heavy)} when it is imported: import that where it is used")
        if seconds > SLOW:
            words.append(f"takes {seconds:.1f} s to import")
        threads = _still_alive(set(threading.enumerate()) - self.threads)
        if threads:
            words.append(f"leaves {_count(len(threads), 'thread')} running: {', '.join(sorted(threads))}")
        processes = leftovers.running(leftovers.children(of_all_threads=True) - self.processes)
        if processes:
            words.append(f"leaves {_count(len(processes), 'process', 'processes')} running: ended once it is imported")
            leftovers.end(processes)
        return words, bool(threads or processes)


def _still_alive(threads: set[threading.Thread]) -> list[str]:
    end = time.monotonic() + PATIENCE
    for thread in threads:
        with contextlib.suppress(RuntimeError):  # a thread that no Python code started cannot be waited for
            thread.join(max(0.0, end - time.monotonic()))
    return [thread.name for thread in threads if thread.is_alive()]


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number} {one if number == 1 else several or f'{one}s'}"


def _tell(line: int, news: dict[str, Any]) -> None:
    text = json.dumps(news).encode() + b"\n"
    while text:
        text = text[os.write(line, text) :]
