"""LoRA adapters, trained once and used again: found by what decided them, checked before they are used.

CACHE/huggingface/adapters/KEY/    adapter_config.json, adapter_model.safetensors, sensecf.json
CACHE/huggingface/training/KEY/    one under way: a killed run goes on here
CACHE/huggingface/locks/KEY.lock   whoever trains it
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sensecf_bench import Unavailable
from sensecf_huggingface.locks import alone
from sensecf_huggingface.weights import BrokenWeightsError, read_header

if TYPE_CHECKING:
    from sensecf_huggingface.checkpoint import Checkpoint

MANIFEST, CONFIG, WEIGHTS = "sensecf.json", "adapter_config.json", "adapter_model.safetensors"
LIBRARIES = ("torch", "transformers", "peft", "sensecf-bench-huggingface")
SHA256 = r"^[0-9a-f]{64}$"


class Record(BaseModel):
    """Base of what stands in a manifest."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Identity(Record):
    """What decides an adapter. Two with the same key are the same, whatever the base is called and wherever it lies."""

    base: str
    revision: str
    base_fingerprint: str = Field(pattern=SHA256)
    recipe: dict[str, Any]
    seed: int
    data: str  # fingerprint of the examples it learns from

    @classmethod
    def of(cls, checkpoint: Checkpoint, recipe: Mapping[str, Any], seed: int, data: str) -> Identity:
        return cls(
            base=checkpoint.name,
            revision=checkpoint.revision,
            base_fingerprint=checkpoint.fingerprint,
            recipe=dict(recipe),
            seed=seed,
            data=data,
        )

    @property
    def key(self) -> str:
        deciding = [self.base_fingerprint, self.recipe, self.seed, self.data]
        return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:32]


class File(Record):
    """A file as it was when the adapter was finished."""

    sha256: str = Field(pattern=SHA256)
    bytes: int = Field(ge=0)


class Manifest(Record):
    """What is kept beside an adapter."""

    format: Literal[1] = 1
    identity: Identity
    validation: dict[str, Any]
    versions: dict[str, str]
    files: dict[Literal["adapter_config.json", "adapter_model.safetensors"], File]


@dataclass(frozen=True)
class Trained:
    """What training hands over: a folder as peft's `save_pretrained` writes it, and how it did on validation."""

    folder: Path
    validation: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Adapter:
    """A finished adapter; `folder` is what `loaded.load` takes."""

    folder: Path
    manifest: Manifest

    @property
    def key(self) -> str:
        return self.manifest.identity.key


class Adapters:
    """The adapters of a cache folder (`task.cache`), shared by all processes."""

    def __init__(self, cache: Path) -> None:
        home = cache / "huggingface"
        self.folder, self._training, self._locks = home / "adapters", home / "training", home / "locks"

    def obtain(self, identity: Identity, train: Callable[[Path], Trained]) -> Adapter:
        """The adapter of this identity, trained now if nobody has. One process trains, the others wait for it.

        `train` gets a folder of its own, in which it finds what an earlier attempt that was killed left there. Raises
        Unavailable when the one in the cache is damaged, and whatever `train` raises.
        """
        if found := self.get(identity):
            return found
        with alone(self._locks / f"{identity.key}.lock", f"adapter {identity.key[:12]}"):
            if found := self.get(identity):  # trained by whoever had the lock before
                return found
            under_way = self._training / identity.key
            under_way.mkdir(parents=True, exist_ok=True)
            adapter = self.keep(*sealed(train(under_way), identity, under_way / "sealed"))
            shutil.rmtree(under_way, ignore_errors=True)
            return adapter

    def get(self, identity: Identity) -> Adapter | None:
        """The adapter of this identity, checked; None if there is none. Raises Unavailable when it is damaged."""
        folder = self.folder / identity.key
        return checked(folder) if folder.exists() else None

    def keep(self, folder: Path, manifest: Manifest) -> Adapter:
        """Take a sealed adapter in, all at once. One that is there already stays."""
        place = self.folder / manifest.identity.key
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            folder.replace(place)
        except OSError:
            if not place.exists():
                raise
            shutil.rmtree(folder)
        return checked(place)

    def all(self) -> Iterator[Adapter]:
        """Every adapter, by key. Raises Unavailable at one that is damaged."""
        for folder in sorted(self.folder.iterdir()) if self.folder.is_dir() else []:
            yield checked(folder)


def for_base(folder: Path, checkpoint: Checkpoint) -> Adapter:
    """The adapter in a folder, checked. Raises Unavailable when it is damaged, or was trained on another base."""
    adapter = checked(folder)
    base = adapter.manifest.identity
    if base.base_fingerprint != checkpoint.fingerprint:
        raise Unavailable(
            f"the adapter in {folder} was trained on {base.base} (revision {base.revision}, fingerprint "
            f"{base.base_fingerprint[:12]}), not on {checkpoint.name} (revision {checkpoint.revision}, fingerprint "
            f"{checkpoint.fingerprint[:12]})",
            f"use it with {base.base}, or leave the adapter out and have one trained on {checkpoint.name}",
        )
    return adapter


def checked(folder: Path) -> Adapter:
    """The adapter in a folder, every byte as it was. Raises Unavailable when it is not."""
    cure = f"delete {folder} and have it trained again, or import it again"
    if not folder.is_dir():
        raise Unavailable(f"there is no adapter in {folder}: no such folder", "name a folder that holds sensecf.json")
    try:
        manifest = read_manifest((folder / MANIFEST).read_bytes())
        for name, file in manifest.files.items():
            if (folder / name).stat().st_size != file.bytes or _hash(folder / name) != file.sha256:
                raise ValueError(f"{name} is not what it was when the adapter was finished")
        refuse_odd(folder)
    except OSError as error:
        missing = Path(error.filename).name if error.filename else folder.name
        raise Unavailable(f"the adapter in {folder} is damaged: {missing}: {error.strerror}", cure) from None
    except (ValueError, BrokenWeightsError) as error:
        raise Unavailable(f"the adapter in {folder} is damaged: {error}", cure) from None
    return Adapter(folder, manifest)


def read_manifest(content: bytes) -> Manifest:
    """Raises ValueError when it is none, or does not tell of both files."""
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{MANIFEST}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if set(manifest.files) != {CONFIG, WEIGHTS}:
        raise ValueError(f"{MANIFEST} does not tell of {CONFIG} and {WEIGHTS}")
    return manifest


def refuse_odd(folder: Path) -> None:
    """Raise ValueError or BrokenWeightsError unless a folder holds a LoRA adapter of whole safetensors."""
    _config(folder)
    if not read_header(folder / WEIGHTS):
        raise ValueError(f"{WEIGHTS} holds no tensors")


def sealed(trained: Trained, identity: Identity, into: Path) -> tuple[Path, Manifest]:
    """Put the two files of an adapter and a manifest into a new folder."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    config = _config(trained.folder)
    config["base_model_name_or_path"] = identity.base  # peft writes the path it had here, which is nobody's business
    (into / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")
    shutil.copyfile(trained.folder / WEIGHTS, into / WEIGHTS)
    refuse_odd(into)
    files = {name: File(sha256=_hash(into / name), bytes=(into / name).stat().st_size) for name in (CONFIG, WEIGHTS)}
    manifest = Manifest.model_validate(
        {"identity": identity, "validation": dict(trained.validation), "versions": _versions(), "files": files}
    )
    (into / MANIFEST).write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
    return into, manifest


def _config(folder: Path) -> dict[str, Any]:
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        raise ValueError(f"{CONFIG} is not that of a LoRA adapter")
    return config


def _hash(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _versions() -> dict[str, str]:
    import importlib.metadata

    return {name: importlib.metadata.version(name) for name in LIBRARIES}
