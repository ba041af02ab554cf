"""What a run may spend, kept in one file that all its processes share: standard library only, as every child needs it."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sensecf_bench.errors import OverBudgetError

PATIENCE = 60.0  # seconds that a process waits for the others
TABLE = "CREATE TABLE IF NOT EXISTS calls (ticket INTEGER PRIMARY KEY, reserved REAL NOT NULL, spent REAL, at REAL, pid INTEGER)"


@dataclass(frozen=True)
class SharedPurse:
    """Every call is paid for before it is made, at the most it may cost, and settled when it is over. A call whose end
    nobody saw, because its process was killed, stays paid at the most it may have cost."""

    file: Path
    limit: float | None

    def reserve(self, usd: float) -> int:
        """Put aside what a call may cost at most; returns its ticket. Raises OverBudgetError when that is not left."""
        with self._held() as book:
            gone = _sum(book)
            if self.limit is not None and gone + usd > self.limit:
                raise OverBudgetError(
                    f"a call of up to {usd:.4f} USD would exceed the limit of {self.limit:g} USD, "
                    f"of which {gone:.4f} USD are spent or put aside",
                    "raise --max-cost-usd and repeat the command: finished work is kept",
                )
            entry = book.execute(
                "INSERT INTO calls (reserved, at, pid) VALUES (?, ?, ?)", (usd, time.time(), os.getpid())
            )
            assert entry.lastrowid is not None
            return entry.lastrowid

    def settle(self, ticket: int, usd: float) -> None:
        """Replace what was put aside by what the call did cost; 0 if it was never made."""
        with self._held() as book:
            book.execute("UPDATE calls SET spent = ? WHERE ticket = ?", (usd, ticket))

    def gone(self) -> float:
        """US dollars that are spent or put aside."""
        if not self.file.exists():
            return 0.0
        with self._held() as book:
            return _sum(book)

    @contextmanager
    def _held(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.file, timeout=PATIENCE, isolation_level=None)) as book:
            book.execute("PRAGMA journal_mode=WAL")  # one write to disk instead of several
            book.execute("PRAGMA synchronous=NORMAL")
            book.execute(TABLE)
            book.execute("BEGIN IMMEDIATE")
            try:
                yield book
            except BaseException:
                book.execute("ROLLBACK")
                raise
            book.execute("COMMIT")


def _sum(book: sqlite3.Connection) -> float:
    (total,) = book.execute("SELECT COALESCE(SUM(COALESCE(spent, reserved)), 0) FROM calls").fetchone()
    return float(total)
