"""Run as a script in a fresh interpreter: imports what a plugin class is in, and writes down what that did.

Arguments: the file for the findings, then the file (empty for an installed module) and the module.
"""

from __future__ import annotations

import importlib
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy  # noqa: F401 every process that runs a plugin has these
import pandas  # noqa: F401

import sensecf_bench.contracts
import sensecf_bench.hookspecs  # noqa: F401
from sensecf_bench.loading import load_file

SOCKETS = {"socket.__new__", "socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname"}
PROCESSES = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"}


def main() -> None:
    out, file, module = sys.argv[1:]
    heard: list[tuple[str, str]] = []

    def hear(event: str, details: tuple[Any, ...]) -> None:
        if event in SOCKETS or event in PROCESSES:
            heard.append((event, str(details)[:200]))

    sys.addaudithook(hear)
    known, threads = set(sys.modules), set(threading.enumerate())
    started, failure = time.perf_counter(), ""
    try:
        load_file(Path(file)) if file else importlib.import_module(module)
    except BaseException as error:  # noqa: BLE001 a stranger's import may raise anything; the finding names it
        failure = f"{type(error).__name__}: {error}"
    findings = {
        "seconds": time.perf_counter() - started,
        "modules": sorted({name.partition(".")[0] for name in set(sys.modules) - known}),
        "sockets": [f"{event} {details}" for event, details in heard if event in SOCKETS],
        "processes": [f"{event} {details}" for event, details in heard if event in PROCESSES],
        "threads": [thread.name for thread in threading.enumerate() if thread not in threads],
        "failure": failure,
    }
    sys.stdout.flush()
    Path(out).write_text(json.dumps(findings), encoding="utf-8")


if __name__ == "__main__":
    main()
