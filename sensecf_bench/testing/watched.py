"""A generator seen from inside its process: runs another one and notes what it does to its input and to the machine.

The notes go to a file in the scratch folder, where the check that asked for them reads them.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.contracts import CounterfactualBatch, Generator, PluginOptions, QueryBatch, Task
from sensecf_bench.loading import find_class
from sensecf_bench.schema import QUERY_ID

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

NOTES = "watched.json"
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES_FILES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate"}
CALLS_OUT = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"}
HARMLESS = ("/dev/null", "/dev/tty", "/proc/")
MOST_NOTES = 20


class Watched(Generator):
    """Passes everything on to another generator, under global random states that `noise` decides."""

    name = "watched"
    access = "gradient"  # the inner one gets what it declares

    class Options(PluginOptions):
        where: tuple[str, str, str]
        given: dict[str, Any]
        noise: int = 0

    def fit(self, task: Task) -> None:
        random.seed(self.options.noise)
        np.random.seed(self.options.noise)
        cls = find_class(self.options.where)
        self.task = replace(task, access=cls.access)
        self._notes = _Notes(task.scratch, getattr(task, "cache", None))
        self._inner: Generator = cls(cls.Options.model_validate(self.options.given))
        with self._notes.taken(self._given_to_fit):
            self._inner.fit(self.task)

    def generate(self, queries: QueryBatch) -> pd.DataFrame | CounterfactualBatch | None:
        def given() -> dict[str, NDArray[Any]]:
            own = {name: getattr(queries, name) for name in ("matrix", "current", "target", "seeds")}
            return {**self._given_to_fit(), **{f"queries.{name}": array for name, array in own.items()}}

        with self._notes.taken(given):
            answer = self._inner.generate(queries)
        self._notes.count(answer, queries.ids)
        return answer

    def _given_to_fit(self) -> dict[str, NDArray[Any]]:
        scales = self.task.schema.frozen_scales()
        return {
            "task.train_matrix": self.task._train,
            "task.train_labels": self.task._train_labels,
            "task.schema.scales.low": scales.low,
            "task.schema.scales.high": scales.high,
        }


class _Notes:
    """What was seen so far."""

    def __init__(self, scratch: Path, cache: Path | None) -> None:
        self._file = scratch / NOTES
        self._own = tuple(os.path.realpath(folder) for folder in (scratch, cache) if folder is not None)
        self._altered: set[str] = set()
        self._written: list[str] = []
        self._called: list[str] = []
        self._most_rows = 0
        self._listening = False
        sys.addaudithook(self._hear)

    @contextmanager
    def taken(self, given: Any) -> Iterator[None]:
        """Watch what happens in the block, and whether it alters what `given()` tells."""
        before = {name: _digest(array) for name, array in given().items()}
        self._listening = True
        try:
            yield
        finally:
            self._listening = False
            after = given()
            self._altered |= {name for name, was in before.items() if _digest(after[name]) != was}
            self._save()

    def count(self, answer: object, asked: tuple[str, ...]) -> None:
        frame: Any = answer.rows if isinstance(answer, CounterfactualBatch) else answer
        if hasattr(frame, "columns") and QUERY_ID in frame.columns:
            listed = list(frame[QUERY_ID])
            self._most_rows = max(self._most_rows, *map(listed.count, asked), 0)
            self._save()

    def _save(self) -> None:
        content = {
            "altered": sorted(self._altered),
            "written": self._written[:MOST_NOTES],
            "called": self._called[:MOST_NOTES],
            "most_rows": self._most_rows,
        }
        self._file.write_text(json.dumps(content), encoding="utf-8")

    def _hear(self, event: str, details: tuple[Any, ...]) -> None:
        if not self._listening:
            return
        if event == "open" and isinstance(details[2], int) and details[2] & WRITING:
            self._note_path(details[0])
        elif event in CHANGES_FILES:
            if event == "os.mkdir" and os.path.isdir(details[0]):  # noqa: PTH112 makedirs asks for parents that exist
                return
            for path in details[:2] if event in ("os.rename", "os.link", "os.symlink") else details[:1]:
                self._note_path(path)
        elif event in CALLS_OUT:
            address = details[1] if event in ("socket.connect", "socket.sendto", "socket.sendmsg") else details[0]
            if not (isinstance(address, (str, bytes)) and event.startswith(("socket.connect", "socket.send"))):
                self._called.append(f"{event} {address!r}"[:200])

    def _note_path(self, path: Any) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return  # a file that is open already
        real = os.path.realpath(os.fsdecode(path))
        inside = any(real == own or real.startswith(own + os.sep) for own in self._own)
        if not inside and "__pycache__" not in real and not real.startswith(HARMLESS):
            self._written.append(real[:300])


def _digest(array: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
