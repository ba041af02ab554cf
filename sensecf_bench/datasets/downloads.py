"""Fetching a public file once, and only the very bytes that were meant."""

from __future__ import annotations

import hashlib
import http.client
import os
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from sensecf_bench.errors import DataError

SECONDS = 60.0


@dataclass(frozen=True)
class PublicFile:
    """A file on the web, known by its address, its size in bytes and the SHA-256 of its content."""

    url: str
    size: int
    sha256: str

    def fetched(self, folder: Path) -> Path:
        """Where the file lies in `folder`, downloaded there unless it is already. Raises DataError.

        It appears under its name only when it is whole and its checksum is right, so that an interrupted download leaves
        nothing behind, and of two at once either may win.
        """
        path = folder / self.url.rsplit("/", 1)[-1]
        try:
            if path.is_file() and _digest(path.read_bytes()) == self.sha256:
                return path
            content = self._download()
            folder.mkdir(parents=True, exist_ok=True)
            _write_atomically(path, content)
        except OSError as error:
            raise DataError(
                f"cannot keep {self.url} in {folder}: {error.strerror}", "make the folder usable, or give a path"
            ) from error
        return path

    def _download(self) -> bytes:
        try:
            with urllib.request.urlopen(self.url, timeout=SECONDS) as answer:
                content: bytes = answer.read(self.size + 1)  # one byte more tells that it is too long
        except (OSError, http.client.HTTPException) as error:  # URLError, HTTPError and timeouts are OSErrors
            reason = f"HTTP {error.code}" if isinstance(error, urllib.error.HTTPError) else str(error)
            raise DataError(
                f"cannot download {self.url}: {reason}", "try again later, or get the file elsewhere and give its path"
            ) from error
        if _digest(content) != self.sha256:
            raise DataError(
                f"{self.url} did not give the file that was meant: {len(content)} bytes with SHA-256 "
                f"{_digest(content)}, expected {self.size} bytes with {self.sha256}",
                "try again; if it stays so, get the original file elsewhere and give its path",
            )
        return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _write_atomically(path: Path, content: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
