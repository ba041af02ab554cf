"""One generator's child process as the worker sees it: asked with a deadline, served with predictions, killed if need be."""

from __future__ import annotations

import contextlib
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.engine.nursery import ChildProcess
from sensecf_bench.engine.wire import Message, receive, send

if TYPE_CHECKING:
    from sensecf_bench.engine.context import Explained
    from sensecf_bench.engine.plan import CellSpec
    from sensecf_bench.queries import QueryBatch
    from sensecf_bench.schema import Matrix


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
    """What a call took: wall-clock seconds, prediction calls and predicted rows, seconds inside the model."""

    seconds: float = 0.0
    calls: int = 0
    rows: int = 0
    predict_seconds: float = 0.0


class Supervisor:
    """Runs one cell's generator. After a crash or a timeout the next call needs `start` again.

    `meter` tells what the latest call took, whether it came to an answer or not.
    """

    def __init__(self, explained: Explained, cell: CellSpec, scratch: Path, nursery: str) -> None:
        self._explained, self._cell, self._scratch = explained, cell, scratch
        self._nursery = nursery
        self._child: ChildProcess | None = None
        self.meter = Meter()

    @property
    def alive(self) -> bool:
        return self._child is not None

    def start(self, seconds: float) -> None:
        """Start a child and fit the generator in it, within so many seconds. Raises the Child… errors."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        self._child = ChildProcess(self._nursery, self._scratch / "output.log")
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
        self.meter, started = Meter(), time.monotonic()
        deadline = started + seconds
        try:
            send(self._pipe, message)
            while True:
                if not self._pipe.poll(max(0.0, deadline - time.monotonic())):
                    self._kill()
                    raise ChildTimeoutError(f"no answer within {seconds:.3g} s; killed")
                reply = receive(self._pipe)
                if reply.kind != "predict":
                    break
                self._serve_prediction(reply)
        except (EOFError, ConnectionError, ValueError) as error:
            raise ChildCrashError(self._obituary(error)) from error
        finally:
            self.meter.seconds = time.monotonic() - started
        if reply.kind == "raised":
            raise ChildRaisedError(reply.content["why"])
        if reply.kind != wanted:
            raise ChildProtocolError(str(reply.content.get("why", f"said {reply.kind!r} instead of {wanted!r}")))
        return reply

    def _serve_prediction(self, request: Message) -> None:
        rows: Matrix = request.arrays["rows"]
        started = time.monotonic()
        width = len(self._explained.data.schema)
        if rows.ndim != 2 or rows.shape[1] != width or not np.isfinite(rows).all():
            why = f"cannot predict an array of shape {rows.shape}: it takes finite numbers of shape (n, {width})"
            send(self._pipe, Message("refused", {"why": why}))
            return
        probabilities = self._explained.model.predict_proba(rows) if len(rows) else np.empty((0, 2))
        self.meter.calls += 1
        self.meter.rows += len(rows)
        self.meter.predict_seconds += time.monotonic() - started
        send(self._pipe, Message("probabilities", arrays={"probabilities": probabilities}))

    def _fit_message(self) -> Message:
        data, cell = self._explained.data, self._cell
        scales = data.schema.frozen_scales()
        content: dict[str, Any] = {
            "where": list(cell.generator.where),
            "options": dict(cell.generator.options),
            "features": data.schema.to_json(),
            "classes": list(data.table.classes),
            "target": data.target,
            "seed": data.seed,
            "k": cell.k,
            "seconds_per_query": cell.timeout,
            "scratch": str(self._scratch),
        }
        arrays = {
            "low": scales.low,
            "high": scales.high,
            "train": data.matrix[data.train],
            "labels": data.labels[data.train],
        }
        return Message("fit", content, arrays)

    def _obituary(self, error: Exception) -> str:
        if isinstance(error, ValueError):
            self._kill()
            return f"sent bytes that are no message: {error}"
        assert self._child is not None
        code = self._child.exit_code()
        self._kill()
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"process died of {signal.Signals(-code).name}"
        return f"process ended with exit code {code} in mid-call"

    def _kill(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None
