"""Whether a model fits, reckoned from its checkpoint before anything is loaded. Imports neither torch nor transformers."""

from __future__ import annotations

import importlib.metadata
import math
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sensecf_bench import Unavailable

if TYPE_CHECKING:
    from sensecf_huggingface.checkpoint import Checkpoint

BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0}
FOUR_BITS = (
    0.56  # bytes a quantised number takes: 4 bits, and its block's constants quantised too (arXiv 2305.14314, 3)
)
LIBRARIES = 512 * 2**20  # what torch, transformers and peft take in a process; 465 MiB were measured on a CPU
TOKENS = 4096  # at once: one prompt, or the rows of one training step
TRAINED = (
    0.02  # share of the numbers that a LoRA adapter of rank 32 has, on all linear layers of a 7B model about 1.2 %
)
PER_TRAINED = 16  # bytes: the number, its gradient, and Adam's two moments
GROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Free:
    """Bytes to be had. `gpu` is None without a GPU, and infinite where it does not say how much is free."""

    ram: float
    gpu: float | None = None


def refuse_too_large(
    checkpoint: Checkpoint,
    *,
    device: str = "auto",
    dtype: str = "auto",
    quantise: str | None = None,
    training: bool = False,
    free: Free | None = None,
) -> None:
    """Raise Unavailable when a checkpoint does not fit where it is to run, loaded as `loaded.load` would."""
    there = free or measure()
    on_gpu = there.gpu is not None if device == "auto" else device.startswith("cuda")
    if on_gpu and there.gpu is None:
        raise Unavailable(f"device={device} was asked for, and there is no GPU that torch can use", "use device=cpu")
    kind = resolved(dtype, checkpoint, on_gpu)
    need = needed(checkpoint, kind, quantise, training)
    have = there.gpu if on_gpu and there.gpu is not None else there.ram
    if need <= have:
        return
    what = "4 bits" if quantise else kind
    cures = ["free some", "name a smaller checkpoint with model=PATH"]
    if on_gpu and not quantise:
        cures.append(f"use quantise=4bit (about {_gib(needed(checkpoint, kind, '4bit', training))})")
    if kind == "float32":
        cures.append("use dtype=bfloat16")
    raise Unavailable(
        f"{checkpoint.name} has {checkpoint.parameters / 1e9:.3g} billion parameters and needs about {_gib(need)} in {what}"
        f"{' to be trained' if training else ''}; {_gib(have)} of {'GPU memory' if on_gpu else 'memory'} are free",
        ", or ".join(cures),
    )


def resolved(dtype: str, checkpoint: Checkpoint, on_gpu: bool) -> str:
    """What "auto" comes to: bfloat16, save for weights stored as float32 on a CPU."""
    if dtype != "auto":
        return dtype
    return "float32" if not on_gpu and checkpoint.dtype in ("float32", "float64") else "bfloat16"


def needed(checkpoint: Checkpoint, dtype: str, quantise: str | None = None, training: bool = False) -> int:
    """Bytes that it takes to answer one prompt of 4,096 tokens, or to take one training step of as many; an estimate.

    Training means LoRA with gradient checkpointing: the layers' inputs are kept, and the inside of one layer at a time.
    """
    size = BYTES[dtype]
    ends = min(2 * checkpoint.vocabulary * checkpoint.hidden, checkpoint.parameters)  # embeddings are not quantised
    weights = checkpoint.parameters * size
    if quantise:
        weights = (checkpoint.parameters - ends) * FOUR_BITS + ends * size
    if not training:
        kept = TOKENS * checkpoint.layers * checkpoint.kv_width * size
        return int(weights + kept + LIBRARIES)
    inputs = TOKENS * checkpoint.hidden * (checkpoint.layers + 16) * size
    logits = TOKENS * checkpoint.vocabulary * (size + 4)
    adapter = checkpoint.parameters * TRAINED * PER_TRAINED
    return int(weights + inputs + logits + adapter + LIBRARIES)


def measure() -> Free:
    """What is free now, of this machine and of the control group that a container runs in."""
    import psutil

    left = [float(psutil.virtual_memory().available)]
    for most, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        limit, taken = _number(GROUP / most), _number(GROUP / used)
        if limit is not None and taken is not None:
            left.append(limit - taken + _reclaimable((GROUP / used).with_name("memory.stat")))
    return Free(max(min(left), 0.0), _gpu())


def _gpu() -> float | None:
    """Free bytes of the GPU that has most; None where torch would not use one."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "all").strip() in ("", "-1")
    program = shutil.which("nvidia-smi")
    if hidden or program is None or not _torch_is_for_gpus():
        return None
    command = [program, "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    figures = [line.strip() for line in said.splitlines() if line.strip()]
    if not figures:
        return None
    return max(float(figure) * 2**20 if figure.isdigit() else math.inf for figure in figures)


def _torch_is_for_gpus() -> bool:
    try:
        return not importlib.metadata.version("torch").endswith("+cpu")
    except importlib.metadata.PackageNotFoundError:
        return False


def _number(file: Path) -> float | None:
    try:
        return float(file.read_text(encoding="ascii"))  # "max" is no limit
    except (OSError, ValueError):
        return None


def _reclaimable(file: Path) -> float:
    """Bytes of files that the kernel keeps in memory for as long as nobody needs it."""
    try:
        entries = dict(line.split() for line in file.read_text(encoding="ascii").splitlines())
        return float(entries.get("inactive_file", entries.get("total_inactive_file", 0)))
    except (OSError, ValueError):
        return 0.0


def _gib(size: float) -> str:
    return f"{size / 2**30:.3g} GiB"
