"""One generator's child process as the worker sees it: asked with a deadline, served with predictions, killed if need be."""

from __future__ import annotations

import contextlib
import select
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.engine.foreign import packages_of
from sensecf_bench.engine.means import Means
from sensecf_bench.engine.nursery import ChildProcess
from sensecf_bench.engine.wire import Message, receive, send
from sensecf_bench.errors import OverBudgetError

if TYPE_CHECKING:
    from sensecf_bench.engine.cells import CellSpec
    from sensecf_bench.engine.context import Explained
    from sensecf_bench.queries import QueryBatch
    from sensecf_bench.schema import Matrix

SLACK = 1.0
LONGEST_WAIT = 1e6  # seconds; the operating system counts milliseconds in 32 bits


class ChildTimeoutError(Exception):
    """The child did not answer before its deadline and was killed."""


class ChildCrashError(Exception):
    """The child died; the message says of what."""


class ChildRaisedError(Exception):
    """The generator raised; the child lives on."""


class ChildProtocolError(Exception):
    """The child's answer was no answer."""


@dataclass
class Meter:
    """What a call took: wall-clock seconds, prediction calls and predicted rows."""

    seconds: float = 0.0
    calls: int = 0
    rows: int = 0


class Supervisor:
    """Runs one cell's generator. After a crash or a timeout the next call needs `start` again.

    Everything it is asked may raise OverBudgetError, after which nothing is left to be asked for.
    `meter` tells what the latest call took, whether it came to an answer or not.
    """

    def __init__(
        self, explained: Explained, cell: CellSpec, scratch: Path, nursery: str, means: Means | None = None
    ) -> None:
        self._explained, self._cell, self._scratch = explained, cell, scratch
        self._nursery, self._means = nursery, means or Means()
        self._child: ChildProcess | None = None
        self.meter = Meter()

    @property
    def alive(self) -> bool:
        return self._child is not None

    def start(self, seconds: float) -> None:
        """Start a child and fit the generator in it, within so many seconds. Raises the Child… errors."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        try:
            generator = self._cell.generator
            packages = packages_of(generator.where) if generator.python else {}
            self._child = ChildProcess(self._nursery, self._scratch / "output.log", generator.python, packages)
        except (EOFError, OSError) as error:
            raise ChildCrashError(f"no process could be started for it: {error}") from error
        self._pipe = self._child.pipe
        self._ask(self._fit_message(), "fitted", seconds)

    def generate(self, queries: QueryBatch, seconds: float) -> Message:
        """Ask for counterfactuals of these queries, within so many seconds. Raises the Child… errors."""
        message = Message(
            "generate",
            {"ids": list(queries.ids)},
            {"matrix": queries.matrix, "current": queries.current, "target": queries.target, "seeds": queries.seeds},
        )
        return self._ask(message, "answer", seconds)

    def stop(self) -> None:
        """Let the child go. It ends by itself when it reads this, and at the latest when the pipe closes."""
        if self._child is not None:
            with contextlib.suppress(OSError):
                send(self._pipe, Message("stop"))
            self._pipe.close()
            self._child = None

    # -- inside ------------------------------------------------------------------------------------------------
    def _ask(self, message: Message, wanted: str, seconds: float) -> Message:
        assert self._child is not None
        self.meter, started = Meter(), time.monotonic()
        # Waiting for a message has a deadline; a message that stops half-way needs somebody to cut it short.
        watchdog = threading.Timer(seconds + SLACK, self._child.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            reply = self._converse(message, started + seconds)
            self.meter.seconds = time.monotonic() - started
        except TimeoutError:
            self.meter.seconds = time.monotonic() - started
            self._kill()
            raise ChildTimeoutError(f"no answer within {seconds:.3g} s; killed") from None
        except (EOFError, ConnectionError, ValueError) as error:
            self.meter.seconds = time.monotonic() - started
            raise ChildCrashError(self._obituary(error)) from error
        finally:
            watchdog.cancel()
        if reply.kind == "penniless":
            raise OverBudgetError(
                reply.content["why"], "raise --max-cost-usd and repeat the command: finished work is kept"
            )
        if reply.kind == "raised":
            raise ChildRaisedError(reply.content["why"])
        if reply.kind != wanted:
            raise ChildProtocolError(str(reply.content.get("why", f"said {reply.kind!r} instead of {wanted!r}")))
        return reply

    def _converse(self, message: Message, deadline: float) -> Message:
        """Say something, serve predictions, and return the first other thing that is said. Raises TimeoutError."""
        send(self._pipe, message)
        waiting = select.poll()  # `Connection.poll` would set up a selector for every prediction
        waiting.register(self._pipe.fileno(), select.POLLIN)
        while True:
            if not waiting.poll(1000 * min(max(0.0, deadline - time.monotonic()), LONGEST_WAIT)):
                raise TimeoutError
            reply = receive(self._pipe)
            if reply.kind not in ("predict", "differentiate"):
                return reply
            self._serve_model(reply)

    def _serve_model(self, request: Message) -> None:
        """Answer a request for predictions or derivatives, and count it."""
        rows: Matrix = request.arrays["rows"]
        width = len(self._explained.data.schema)
        if rows.ndim != 2 or rows.shape[1] != width or not np.isfinite(rows).all():
            why = f"cannot predict an array of shape {rows.shape}: it takes finite numbers of shape (n, {width})"
            send(self._pipe, Message("refused", {"why": why, "serial": request.content["serial"]}))
            return
        model = self._explained.model
        try:
            if request.kind == "differentiate":
                values = model.gradient(rows)
            else:
                values = model.predict_proba(rows) if len(rows) else np.empty((0, 2))
        except Exception as error:  # noqa: BLE001 a stranger's classifier may raise anything; its caller hears of it
            why = f"the classifier raised {type(error).__name__}: {error}"
            send(self._pipe, Message("refused", {"why": why, "serial": request.content["serial"]}))
            return
        self.meter.calls += 1
        self.meter.rows += len(rows)
        send(self._pipe, Message("values", {"serial": request.content["serial"]}, {"values": values}))

    def _fit_message(self) -> Message:
        data, cell = self._explained.data, self._cell
        scales = data.schema.frozen_scales()
        content: dict[str, Any] = {
            "where": list(cell.generator.where),
            "options": dict(cell.generator.options if cell.generator.python else cell.generator.given),
            "foreign": bool(cell.generator.python),
            "schema": data.schema.to_json(),
            "classes": list(data.table.classes),
            "target": data.target,
            "seed": data.seed,
            "k": cell.k,
            "seconds_per_query": cell.timeout,
            "scratch": str(self._scratch),
            **self._means.for_child(),
        }
        arrays = {
            "low": scales.low,
            "high": scales.high,
            "train": data.matrix[data.train],
            "labels": data.labels[data.train],
        }
        return Message("fit", content, arrays)

    def _obituary(self, error: Exception) -> str:
        code = self._kill()
        if isinstance(error, ValueError):
            return f"sent bytes that are no message: {error}"
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"process died of {signal.Signals(-code).name}"
        return f"process ended with exit code {code} in mid-call"

    def _kill(self) -> int | None:
        """End the child; how it ended, if it had by itself."""
        code = self._child.end() if self._child is not None else None
        self._child = None
        return code
