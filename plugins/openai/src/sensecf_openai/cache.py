"""Answers that were paid for, kept for good: one SQLite file for all processes and threads."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import astuple, fields
from pathlib import Path

from sensecf_openai.answers import Answer

FILE = Path("openai") / "answers.sqlite"
PATIENCE = 60.0  # seconds that a process waits for the others
NAMES = tuple(f.name for f in fields(Answer))
TABLE = f"""CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, request TEXT NOT NULL, {", ".join(NAMES)}) WITHOUT ROWID"""
READ = f"SELECT {', '.join(NAMES)} FROM answers WHERE key = ?"
WRITE = f"INSERT OR IGNORE INTO answers VALUES ({', '.join('?' * (2 + len(NAMES)))})"

Entry = tuple[str, str, Answer]  # key, request, answer


class AnswerCache:
    """Answers by the hash of their request. The first answer to a request stays: whoever asks later gets the same one."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / FILE
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._book = _opened(self.file)

    def get(self, key: str) -> Answer | None:
        with self._lock:
            found = self._book.execute(READ, (key,)).fetchone()
        return None if found is None else _answer(found)

    def put(self, key: str, request: str, answer: Answer) -> None:
        """Keep an answer. It outlives this process as soon as this returns."""
        with self._lock:
            self._book.execute(WRITE, _row(key, request, answer))

    def put_all(self, entries: Iterable[Entry]) -> int:
        """Keep many; how many of them were new."""
        with self._lock:
            before = self._book.total_changes
            self._book.execute("BEGIN IMMEDIATE")
            try:
                self._book.executemany(WRITE, (_row(*entry) for entry in entries))
            except BaseException:
                self._book.execute("ROLLBACK")
                raise
            self._book.execute("COMMIT")
            return self._book.total_changes - before

    def entries(self, keys: Iterable[str] | None = None) -> Iterator[Entry]:
        """Those of these keys that are there, or all, in order of their keys."""
        columns = f"SELECT key, request, {', '.join(NAMES)} FROM answers"
        with self._lock:
            if keys is None:
                rows = self._book.execute(f"{columns} ORDER BY key").fetchall()
            else:
                asked = sorted(set(keys))
                rows = [r for k in asked for r in self._book.execute(f"{columns} WHERE key = ?", (k,)).fetchall()]
        for key, request, *rest in rows:
            yield key, request, _answer(rest)

    def close(self) -> None:
        with self._lock:
            self._book.close()


def _opened(file: Path) -> sqlite3.Connection:
    """A connection in autocommit mode. Several processes may be creating the file at this moment."""
    deadline = time.monotonic() + PATIENCE
    while True:
        book = sqlite3.connect(file, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            book.execute("PRAGMA journal_mode = WAL")  # does not wait for a lock, whatever the timeout
            # A power failure may cost the last answers, the death of a process none; waiting for the disk costs milliseconds.
            book.execute("PRAGMA synchronous = NORMAL")
            book.execute(TABLE)
        except sqlite3.OperationalError as error:
            book.close()
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return book


def _row(key: str, request: str, answer: Answer) -> tuple[object, ...]:
    return (key, _storable(request), *(_storable(v) if isinstance(v, str) else v for v in astuple(answer)))


def _storable(text: str) -> str:
    """Without half characters, which a cut-off answer may hold and SQLite does not."""
    return text.encode("utf-8", "replace").decode()


def _answer(row: Iterable[object]) -> Answer:
    content = dict(zip(NAMES, row, strict=True))
    content["counted"] = bool(content["counted"])
    return Answer(**content)  # type: ignore[arg-type]
