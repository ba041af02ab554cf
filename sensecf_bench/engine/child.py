"""The process a generator runs in. It is told what to do over a pipe and asks for predictions over the same pipe.

Whatever happens here costs this process alone: the worker at the other end keeps the clock, the factual rows and the
classifier, and believes nothing it is told.
"""

from __future__ import annotations

import contextlib
import faulthandler
import itertools
import os
import select
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sensecf_bench.contracts import CounterfactualBatch, Generator, Task
from sensecf_bench.engine.wire import Message, receive, send
from sensecf_bench.errors import OverBudgetError
from sensecf_bench.loading import find_class
from sensecf_bench.purse import SharedPurse
from sensecf_bench.queries import QueryBatch, texts_of
from sensecf_bench.schema import QUERY_ID, FeatureSchema, Scales

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from numpy.typing import NDArray

    from sensecf_bench.schema import Matrix

LONGEST_TRACEBACK = 4000
ALARMS = {signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGUSR1, signal.SIGUSR2}


def child_main(pipe: Connection[Any, Any], log: str) -> None:
    """Serve one generator until told to stop; its output goes to the file `log`."""
    redirect_output(log)
    with contextlib.suppress(EOFError, BrokenPipeError):  # the worker is gone: there is nobody left to tell
        _serve(pipe)


def _serve(pipe: Connection[Any, Any]) -> None:
    generator: Generator | None = None
    task: Task | None = None
    model = _RemoteModel(pipe)
    while (message := receive(pipe)).kind != "stop":
        try:
            if message.kind == "fit":
                generator, task = _fit(model, message)
                send(pipe, Message("fitted"))
            elif message.kind == "generate" and generator is not None and task is not None:
                batch = _queries(message, task.schema)
                send(pipe, _pack(generator.generate(batch), len(batch), task.k))
        except (EOFError, BrokenPipeError):  # noqa: PERF203 the loop is a conversation
            raise
        except BaseException as error:  # noqa: BLE001 a generator may raise anything, SystemExit included
            send(pipe, _failure(error))


def _fit(model: _RemoteModel, message: Message) -> tuple[Generator, Task]:
    content, arrays = message.content, message.arrays
    schema = FeatureSchema.from_json(content["schema"], Scales(arrays["low"], arrays["high"]))
    cls = cast("type[Generator]", find_class(tuple(content["where"])))
    os.chdir(content["scratch"])
    purse = content["purse"]
    task = Task(
        schema=schema,
        classes=tuple(content["classes"]),
        target=content["target"],
        seed=content["seed"],
        k=content["k"],
        seconds_per_query=content["seconds_per_query"],
        scratch=Path(content["scratch"]),
        access=cls.access,
        predictor=model.predict_proba,
        differentiator=model.gradient,
        _train=arrays["train"],
        _train_labels=arrays["labels"],
        cache=Path(content["cache"] or content["scratch"]),
        purse=SharedPurse(Path(purse["file"]), purse["limit"]) if purse else None,
    )
    generator = cls(cls.Options.model_validate(content["options"]))
    if content["foreign"]:  # what the main process asks all others, only this environment can answer
        generator.available()
    generator.fit(task)
    return generator, task


class _RemoteModel:
    """The explained classifier at the other end of the pipe, also for a generator with threads or alarms: one request at
    a time, and a reply to a request that was given up in the middle is passed over."""

    def __init__(self, pipe: Connection[Any, Any]) -> None:
        self._pipe, self._lock, self._serials = pipe, threading.Lock(), itertools.count()

    def predict_proba(self, rows: Matrix) -> Matrix:
        return self._ask("predict", rows)

    def gradient(self, rows: Matrix) -> Matrix:
        return self._ask("differentiate", rows)

    def _ask(self, what: str, rows: Matrix) -> Matrix:
        matrix = np.atleast_2d(np.asarray(rows, dtype=np.float64))
        with self._lock, _undisturbed():
            serial = next(self._serials)
            send(self._pipe, Message(what, {"serial": serial}, {"rows": matrix}))
            while (answer := receive(self._pipe)).content.get("serial") != serial:
                pass
        if answer.kind == "refused":
            raise ValueError(answer.content["why"])
        return answer.arrays["values"].copy()


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold back alarms: a handler that raises in the middle of a message would leave half of it on the pipe."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ALARMS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _queries(message: Message, schema: FeatureSchema) -> QueryBatch:
    arrays = message.arrays
    return QueryBatch(
        schema=schema,
        ids=tuple(message.content["ids"]),
        matrix=arrays["matrix"].copy(),
        current=arrays["current"].copy(),
        target=arrays["target"].copy(),
        seeds=arrays["seeds"].copy(),
    )


def _pack(answer: object, asked: int, k: int) -> Message:
    """Write an answer as columns. What is not an answer at all becomes a broken protocol, with the reason."""
    import pandas as pd

    batch = answer if isinstance(answer, CounterfactualBatch) else CounterfactualBatch(cast("Any", answer))
    frame = batch.rows
    try:
        usage = {
            str(i): [_count(u.prompt_tokens), _count(u.completion_tokens), _count(u.usd)]
            for i, u in batch.usage.items()
        }
    except (TypeError, ValueError) as error:
        return _broken(f"usage that cannot be counted: {error}")
    try:
        rationales = texts_of(batch.rationales)
    except ValueError as error:
        return _broken(str(error))
    unparsable = {str(i): str(text) for i, text in batch.unparsable.items()}
    notes = {"unparsable": unparsable, "usage": usage, "rationales": rationales}
    if frame is None:
        return Message("answer", {**notes, "columns": None})
    if not isinstance(frame, pd.DataFrame):
        return _broken(f"generate returned {type(frame).__name__}, not a DataFrame, a CounterfactualBatch or None")
    if QUERY_ID not in frame.columns and frame.index.name == QUERY_ID:
        frame = frame.reset_index()
    if not frame.columns.is_unique:
        return _broken(f"a column is there twice: {sorted(map(str, frame.columns[frame.columns.duplicated()]))[:5]}")
    if len(frame) > asked * k:
        return _broken(f"{len(frame)} rows for {asked} queries of at most k={k} rows each")
    columns: dict[str, list[Any]] = {}
    arrays: dict[str, NDArray[Any]] = {}
    for name in frame.columns:
        values = frame[name].to_numpy()
        if values.dtype.kind in "iuf" and str(name) != QUERY_ID:
            arrays[str(name)] = values.astype(np.float64)
        else:
            columns[str(name)] = [_plain(v) for v in values]
    return Message("answer", {**notes, "columns": columns}, arrays)


def _plain(value: object) -> Any:
    """A value as JSON can hold it; anything exotic travels as its text, for admission to refuse."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, (str, int, float, bool)) or value is None else repr(value)[:200]


def _count(value: float) -> float:
    number = float(value)
    if not 0 <= number < float("inf"):
        raise ValueError(f"{value!r}")
    return number


def _broken(why: str) -> Message:
    return Message("broken", {"why": why})


def _failure(error: BaseException) -> Message:
    text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    sys.stderr.write(text)
    if isinstance(error, OverBudgetError):
        return Message("penniless", {"why": error.message})
    return Message("raised", {"why": f"{type(error).__name__}: {error}"[:1000], "traceback": text[-LONGEST_TRACEBACK:]})


def redirect_output(log: str) -> None:
    """Send everything the generator prints, from C code too, to its log; keep a crash's stack there as well."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False, encoding="utf-8", errors="backslashreplace")
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False, encoding="utf-8", errors="backslashreplace")
    faulthandler.enable(file=2)


def leave_when_abandoned(line: Connection[Any, Any]) -> None:
    """End this process when the worker hangs up, whatever it is doing."""
    hung_up = select.poll()
    hung_up.register(line.fileno(), 0)  # no events asked for: only the hang-up is reported

    def watch() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are for the generator's own thread
        hung_up.poll()
        leave()

    threading.Thread(target=watch, daemon=True, name="leave-when-abandoned").start()


def leave() -> None:
    """End this child with whatever it started."""
    os.killpg(os.getpid(), signal.SIGKILL)
