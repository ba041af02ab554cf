"""Weights as they lie on disk: whole or not, how many, and a fingerprint, read without torch.

The format is safetensors: eight bytes (little-endian) say how long the header is, the header is JSON that gives each tensor's
type, shape and place, and the rest of the file is the tensors, without gaps (https://github.com/huggingface/safetensors).
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
LONGEST_HEADER = 100_000_000  # as the format's own reader has it
BITS = {
    **dict.fromkeys(("F4",), 4),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
}
FLOATS = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
READ_WHOLE = 64 * 2**20  # bytes of weights up to which a fingerprint reads them all
SAMPLE = 1024  # bytes read at the start, the middle and the end of a tensor otherwise


class BrokenWeightsError(Exception):
    """A file that is not what its header, or the index beside it, says."""


@dataclass(frozen=True)
class Tensor:
    """Where a tensor lies: `start` and `stop` count from the beginning of the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    start: int
    stop: int

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Weights:
    """All tensors of a checkpoint, in order of their names."""

    tensors: tuple[Tensor, ...]

    @property
    def parameters(self) -> int:
        return sum(t.size for t in self.tensors)

    @property
    def nbytes(self) -> int:
        return sum(t.stop - t.start for t in self.tensors)

    @property
    def dtype(self) -> str:
        """The type of most parameters: "bfloat16", or the format's own word where it is none that models compute in."""
        sizes: dict[str, int] = {}
        for t in self.tensors:
            sizes[t.dtype] = sizes.get(t.dtype, 0) + t.size
        most = max(sizes, key=lambda dtype: sizes[dtype])
        return FLOATS.get(most, most)

    def content(self) -> Iterator[bytes]:
        """What a fingerprint is made of, whatever files the tensors are spread over.

        Up to 64 MiB of weights are read whole; of larger ones three places of every tensor are, so that it takes a moment and
        still tells apart models of which one layer differs.
        """
        whole = self.nbytes <= READ_WHOLE
        for t in self.tensors:
            yield f"{t.name} {t.dtype} {t.shape}\n".encode()
            with t.file.open("rb") as file:
                yield from _pieces(file, t, whole)


def read_weights(folder: Path) -> Weights:
    """The weights of a folder, sharded or not. Raises BrokenWeightsError when a file is missing, cut off, or lies."""
    files = [folder / name for name in _shards(folder)] if (folder / INDEX).exists() else [folder / SINGLE]
    tensors = [tensor for file in files for tensor in read_header(file)]
    if (folder / INDEX).exists():
        _agree(folder / INDEX, tensors)
    if not tensors:
        raise BrokenWeightsError(f"{files[0].name} holds no tensors")
    return Weights(tuple(sorted(tensors, key=lambda t: t.name)))


def read_header(file: Path) -> list[Tensor]:
    """The tensors of one file. Raises BrokenWeightsError when the file is missing, cut off, or not what its header says."""
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            start = opened.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
            if not 2 <= length <= min(LONGEST_HEADER, size - 8):
                raise BrokenWeightsError(f"{file.name} is cut off or no safetensors file ({size:,} bytes)")
            header = json.loads(opened.read(length))
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        tensors = [_tensor(name, entry, file, 8 + length) for name, entry in entries.items()]
    except OSError as error:
        raise BrokenWeightsError(f"{file.name} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BrokenWeightsError(f"the header of {file.name} is broken: {error}") from None
    _refuse_gaps(tensors, file, 8 + length, size)
    return tensors


def _tensor(name: str, entry: dict[str, Any], file: Path, data: int) -> Tensor:
    shape = tuple(entry["shape"])
    start, stop = entry["data_offsets"]
    if entry["dtype"] not in BITS:
        raise ValueError(f"{name} is of an unknown type, {entry['dtype']!r}")
    if not all(type(n) is int and n >= 0 for n in (*shape, start, stop)):
        raise ValueError(f"{name} has a shape or place that is none")
    if (stop - start) * 8 != math.prod(shape) * BITS[entry["dtype"]]:
        raise ValueError(
            f"{name} has {stop - start:,} bytes, which its shape {shape} and type {entry['dtype']} are not"
        )
    return Tensor(name, entry["dtype"], shape, file, data + start, data + stop)


def _refuse_gaps(tensors: list[Tensor], file: Path, data: int, size: int) -> None:
    place = data
    for t in sorted(tensors, key=lambda t: (t.start, t.stop)):
        if t.start != place:
            raise BrokenWeightsError(f"the header of {file.name} is broken: {t.name} overlaps another or leaves a gap")
        place = t.stop
    if place > size:
        raise BrokenWeightsError(f"{file.name} is cut off: {size:,} bytes of {place:,} are there")
    if place < size:
        raise BrokenWeightsError(f"{file.name} has {size - place:,} bytes more than its header says")


def _shards(folder: Path) -> list[str]:
    """The names of the shards that the index lists, each of which must be there."""
    try:
        listed = json.loads((folder / INDEX).read_text(encoding="utf-8"))["weight_map"]
        names = sorted(set(listed.values()))
        inside = bool(names) and all(isinstance(name, str) and Path(name).name == name for name in names)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BrokenWeightsError(f"{INDEX} is broken: {type(error).__name__}: {error}") from None
    if not inside:
        raise BrokenWeightsError(f"{INDEX} is broken: it lists no files, or such as do not lie beside it")
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise BrokenWeightsError(f"{len(missing)} of {len(names)} shards are missing, {missing[0]} first")
    return names


def _agree(index: Path, tensors: list[Tensor]) -> None:
    listed = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
    found = {t.name: t.file.name for t in tensors}
    if odd := sorted(set(listed.items()) ^ set(found.items())):
        raise BrokenWeightsError(f"{index.name} and the shards disagree on {odd[0][0]} ({odd[0][1]})")


def _pieces(file: BinaryIO, tensor: Tensor, whole: bool) -> Iterator[bytes]:
    length = tensor.stop - tensor.start
    if whole or length <= 3 * SAMPLE:
        file.seek(tensor.start)
        yield file.read(length)
        return
    for place in (tensor.start, tensor.start + length // 2, tensor.stop - SAMPLE):
        file.seek(place)
        yield file.read(SAMPLE)
