"""What the worker and a generator's child process say to each other, and how it is written on the pipe.

A message is a JSON header followed by raw little-endian arrays; nothing is pickled, so a child can never make the
worker execute anything, and may run on other versions of Python, numpy or pandas. Layout: length of the header as a
little-endian uint32, the header as UTF-8 JSON, then the arrays one after another as the header describes them.
"""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from numpy.typing import NDArray

VERSION = 1
LARGEST_FRAME = 1 << 24  # beyond it copying costs more than waking somebody twice


@dataclass(frozen=True, eq=False)
class Message:
    """`kind` says what is meant, `content` is plain JSON, `arrays` are numeric arrays by name."""

    kind: str
    content: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)


def send(pipe: Connection[Any, Any], message: Message) -> None:
    """Write a message, framed as the other side's `recv_bytes` expects it, but in one piece: `send_bytes` would write the
    length of a larger message first and by itself, and wake the reader twice."""
    parts = _parts(message)
    length = sum(part.nbytes for part in parts)
    if length > LARGEST_FRAME:
        pipe.send_bytes(b"".join(parts))
        return
    left = memoryview(b"".join([struct.pack("!i", length), *parts]))
    while left:
        left = left[os.write(pipe.fileno(), left) :]


def receive(pipe: Connection[Any, Any]) -> Message:
    """Wait for the next message. Raises EOFError when the other side is gone."""
    return decode(pipe.recv_bytes())


def encode(message: Message) -> bytes:
    return b"".join(_parts(message))


def _parts(message: Message) -> list[memoryview]:
    """What a message is written as, one after another; arrays as they lie in memory, for they may be large."""
    arrays = {name: _little_endian(array) for name, array in message.arrays.items()}
    header = {
        "version": VERSION,
        "kind": message.kind,
        "content": message.content,
        "arrays": [[name, array.dtype.str, list(array.shape)] for name, array in arrays.items()],
    }
    text = json.dumps(header).encode()
    return [memoryview(struct.pack("<I", len(text)) + text), *(array.data for array in arrays.values())]


def decode(data: bytes) -> Message:
    """Raises ValueError for bytes that are no message of this version."""
    try:
        (length,) = struct.unpack_from("<I", data)
        header = json.loads(data[4 : 4 + length])
        if header["version"] != VERSION:
            raise ValueError(f"message of protocol version {header['version']}, expected {VERSION}")
        arrays, offset = {}, 4 + length
        for name, dtype, shape in header["arrays"]:
            count = math.prod(shape)
            arrays[name] = np.frombuffer(data, dtype=np.dtype(dtype), count=count, offset=offset).reshape(shape)
            offset += arrays[name].nbytes
        return Message(header["kind"], header["content"], arrays)
    except (struct.error, KeyError, TypeError) as error:
        raise ValueError(f"no message: {type(error).__name__}: {error}") from error


def _little_endian(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind not in "biuf":
        raise ValueError(f"only numeric arrays travel, not {array.dtype}")
    return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).reshape(array.shape)
