"""Where generators' processes are born: one process that has everything imported, and forks a child on request.

Starting Python and importing pandas, scikit-learn and a generator's library takes seconds; forking from a process that
has done so takes milliseconds. There is one nursery a run, and every worker asks it over a local socket. The connection
a worker makes becomes its child's pipe. The nursery has no threads and knows nothing of any data.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import tempfile
import threading
import time
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sensecf_bench.engine.child import child_main
from sensecf_bench.engine.processes import fork_server, quiet_start
from sensecf_bench.engine.wire import Message, receive, send

if TYPE_CHECKING:
    from types import TracebackType

REAP_SECONDS = 0.5
PATIENCE_AT_BIRTH = 60.0
PATIENCE_AT_DEATH = 5.0


class Nursery:
    """The nursery of a run, in its own process, for as long as the `with` block lasts."""

    def __init__(self, preload: tuple[str, ...]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="sensecf-")
        self.address = str(Path(self._folder.name) / "nursery")
        self._process: Any = fork_server().Process(  # type: ignore[attr-defined]
            target=nursery_main, args=(self.address, preload), daemon=False
        )

    def __enter__(self) -> Self:
        with quiet_start():
            self._process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()
        self._folder.cleanup()


class ChildProcess:
    """A child as the process that asked for it sees it."""

    def __init__(self, nursery: str, log: Path) -> None:
        self._nursery = nursery
        self.pipe = _ask(nursery, Message("child", {"log": str(log)}))
        self.pid = int(receive(self.pipe).content["pid"])

    def end(self) -> int | None:
        """Kill the child if it is still there; how it ended: an exit code, or minus a signal's number."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.pipe.close()
        return self.exit_code()

    def exit_code(self) -> int | None:
        """How the child ended, or None if it has not within some seconds."""
        with contextlib.closing(_ask(self._nursery, Message("status", {"pid": self.pid}))) as line:
            code: int | None = receive(line).content["code"]
            return code


def nursery_main(address: str, preload: tuple[str, ...]) -> None:
    """Serve until the run's main process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in preload:
        with contextlib.suppress(ImportError):  # whoever needs it will say so when it is fitted
            importlib.import_module(name)
    gc.freeze()  # what is imported stays shared between the children
    parent = parent_process()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen(64)
        codes: dict[int, int] = {}
        while parent is None or parent.sentinel not in (ready := wait([door, parent.sentinel], REAP_SECONDS)):
            _reap(codes)
            if door in ready:
                line = Connection(door.accept()[0].detach())
                with contextlib.suppress(EOFError, OSError):  # a worker that died while asking
                    _serve(line, receive(line), codes, door)
                line.close()


def _serve(line: Connection[Any, Any], request: Message, codes: dict[int, int], door: socket.socket) -> None:
    if request.kind == "status":
        send(line, Message("status", {"code": _code_of(int(request.content["pid"]), codes)}))
    elif os.fork() == 0:
        door.close()
        _leave_when_abandoned(line)
        send(line, Message("born", {"pid": os.getpid()}))
        try:
            child_main(line, str(request.content["log"]))
        finally:
            os._exit(0)


def _leave_when_abandoned(line: Connection[Any, Any]) -> None:
    """End this process when the worker hangs up, whatever it is doing."""
    hung_up = select.poll()
    hung_up.register(line.fileno(), 0)  # no events asked for: only the hang-up is reported

    def watch() -> None:
        hung_up.poll()
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="leave-when-abandoned").start()


def _reap(codes: dict[int, int]) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            codes[pid] = os.waitstatus_to_exitcode(status)


def _code_of(pid: int, codes: dict[int, int]) -> int | None:
    deadline = time.monotonic() + PATIENCE_AT_DEATH
    while pid not in codes and time.monotonic() < deadline:
        _reap(codes)
        time.sleep(0.001)
    return codes.pop(pid, None)


def _ask(address: str, request: Message) -> Connection[Any, Any]:
    """A connection to the nursery with a request on its way; waits for a nursery that is still importing."""
    deadline = time.monotonic() + PATIENCE_AT_BIRTH
    while True:
        caller = socket.socket(socket.AF_UNIX)
        try:
            caller.connect(address)
            break
        except (FileNotFoundError, ConnectionRefusedError):
            caller.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
    line: Connection[Any, Any] = Connection(caller.detach())
    send(line, request)
    return line
