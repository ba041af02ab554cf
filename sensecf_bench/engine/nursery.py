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
import shutil
import signal
import socket
import tempfile
import time
import traceback
from collections.abc import Mapping
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sensecf_bench.engine.child import child_main, leave, leave_when_abandoned, redirect_output
from sensecf_bench.engine.foreign import become_foreign
from sensecf_bench.engine.processes import fork_server, quiet_start
from sensecf_bench.engine.wire import Message, receive, send
from sensecf_bench.errors import WorkersDiedError

if TYPE_CHECKING:
    from types import TracebackType

REAP_SECONDS = 0.5
PATIENCE_AT_BIRTH = 60.0
PATIENCE_AT_DEATH = 5.0
GRACE = 0.2  # for a child that has hung up and is about to be gone


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

    def check(self) -> None:
        """Raises WorkersDiedError when the nursery is gone, without which no generator can run."""
        if not self._process.is_alive():
            raise WorkersDiedError(
                f"the process that generators are forked from died (exit code {self._process.exitcode})",
                "look at the modules that plugins preload; finished work is kept",
            )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()
        self._folder.cleanup()


class ChildProcess:
    """A child as the process that asked for it sees it. With `python` it runs under that interpreter, which finds the
    `packages` at the paths given and everything else in its own environment."""

    def __init__(self, nursery: str, log: Path, python: str = "", packages: Mapping[str, str] | None = None) -> None:
        self._nursery = nursery
        request = {"log": str(log), "python": python, "packages": dict(packages or {})}
        self.pipe = _ask(nursery, Message("child", request))
        self._pid = int(receive(self.pipe).content["pid"])

    def kill(self) -> None:
        """Kill the child and whatever it started, at once."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)

    def end(self) -> int | None:
        """See to it that the child is gone, and whatever it started with it. How it ended, if it had by itself: an exit
        code, or minus a signal's number."""
        with contextlib.closing(_ask(self._nursery, Message("end", {"pid": self._pid}))) as line:
            code: int | None = receive(line).content["code"]
        self.pipe.close()
        return code


def nursery_main(address: str, preload: tuple[str, ...]) -> None:
    """Serve until the run's main process is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen(64)
        _import(preload)
        _serve_all(door)
    shutil.rmtree(Path(address).parent, ignore_errors=True)  # the main process was killed and cannot


def _import(preload: tuple[str, ...]) -> None:
    for name in preload:
        with contextlib.suppress(Exception):  # whoever needs the module will say so when it is fitted
            importlib.import_module(name)
    gc.freeze()  # what is imported stays shared between the children


def _serve_all(door: socket.socket) -> None:
    """Answer workers until the main process is gone."""
    parent = parent_process()
    assert parent is not None
    codes: dict[int, int] = {}
    while parent.sentinel not in (ready := wait([door, parent.sentinel], REAP_SECONDS)):
        _reap(codes)
        if door in ready:
            line = Connection(door.accept()[0].detach())
            with contextlib.suppress(EOFError, OSError):  # a worker that died while asking
                _serve(line, receive(line), codes, door)
            line.close()


def _serve(line: Connection[Any, Any], request: Message, codes: dict[int, int], door: socket.socket) -> None:
    if request.kind == "end":
        send(line, Message("ended", {"code": _end(int(request.content["pid"]), codes)}))
    elif os.fork() == 0:
        os.setsid()  # what the child starts can be ended with it
        door.close()
        send(line, Message("born", {"pid": os.getpid()}))
        try:
            _live(line, request)
        except BaseException:  # noqa: BLE001 nothing may return from here into the nursery's own code
            traceback.print_exc()
            os._exit(1)


def _live(line: Connection[Any, Any], request: Message) -> None:
    """Be the child that was asked for, under this interpreter or another one; does not return."""
    log = str(request.content["log"])
    if request.content["python"]:
        redirect_output(log)
        become_foreign(line, log, request.content["python"], request.content["packages"])
    leave_when_abandoned(line)
    child_main(line, log)
    leave()


def _reap(codes: dict[int, int]) -> None:
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            codes[pid] = os.waitstatus_to_exitcode(status)


def _end(pid: int, codes: dict[int, int]) -> int | None:
    """End a child with whatever it started; its exit code if it had ended by itself."""
    by_itself = pid in codes or _ended_within(pid, GRACE, codes)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)  # the group outlives its leader while a descendant is in it
    if not by_itself:
        _ended_within(pid, PATIENCE_AT_DEATH, codes)
    code = codes.pop(pid, None)
    return code if by_itself else None


def _ended_within(pid: int, seconds: float, codes: dict[int, int]) -> bool:
    deadline = time.monotonic() + seconds
    while pid not in codes and time.monotonic() < deadline:
        _reap(codes)
        time.sleep(0.001)
    return pid in codes


def _ask(address: str, request: Message) -> Connection[Any, Any]:
    """A connection to the nursery with a request on its way; waits for a nursery that is still importing."""
    deadline = time.monotonic() + PATIENCE_AT_BIRTH
    while True:
        caller = socket.socket(socket.AF_UNIX)
        try:
            caller.connect(address)
            break
        except (FileNotFoundError, ConnectionRefusedError):  # not there yet, or there and not listening yet
            caller.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
    line: Connection[Any, Any] = Connection(caller.detach())
    send(line, request)
    return line
