"""A message in a file of its own: the hash of its bytes, then the bytes as on the pipe."""

from __future__ import annotations

import hashlib
from pathlib import Path

from sensecf_bench.engine.files import CorruptError, write_atomically
from sensecf_bench.engine.wire import Message, decode, encode

HASH_BYTES = 32


def write_sealed(path: Path, message: Message) -> None:
    data = encode(message)
    digest = hashlib.sha256(data).digest()
    write_atomically(path, lambda p: p.write_bytes(digest + data))


def read_sealed(path: Path) -> Message:
    """Raises CorruptError naming the file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CorruptError(f"{path.name}: {error.strerror}") from error
    digest, data = content[:HASH_BYTES], content[HASH_BYTES:]
    if hashlib.sha256(data).digest() != digest:
        raise CorruptError(f"{path.name} is not the file that was written")
    return decode(data)
