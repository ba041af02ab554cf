"""Where a model lies: a folder, or a snapshot in the local Hugging Face cache."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from sensecf_bench import Unavailable

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
COMMIT = re.compile(r"[0-9a-f]{40}")
LOCAL = "local"
PINNED = {  # a branch may move; a published row may not
    "BioMistral/BioMistral-7B": "9a11e1ffa817c211cbb52ee1fb312dc6b61b40a5",
    "meta-llama/Llama-3.1-8B-Instruct": "0e9e39f249a16976918f6564b8830bc894c89659",
}
GATED = ("meta-llama/",)
PICKLED = frozenset({"BioMistral/BioMistral-7B"})  # at its pinned revision


@dataclass(frozen=True)
class Origin:
    """A folder with a model, and how it came there."""

    folder: Path
    name: str
    revision: str

    @property
    def on_hub(self) -> bool:
        return self.revision != LOCAL

    @property
    def shown(self) -> str:
        return f"{self.name} at revision {self.revision}" if self.on_hub else str(self.folder)

    @property
    def cure(self) -> str:
        return download(self.name, self.revision) if self.on_hub else "copy it again, or name another with model=PATH"


def locate(model: str, revision: str | None = None, cache: Path | None = None) -> Origin:
    """The folder of a model. Without a revision a hub id means its pinned one, else the cache's "main".

    Raises Unavailable when there is no such folder, or nothing of that revision in the cache.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return Origin(folder.resolve(), folder.resolve().name, LOCAL)
    if folder.exists():
        raise Unavailable(f"{model} is a file, not the folder of a model", "name the folder that config.json lies in")
    if not HUB_ID.fullmatch(model):
        raise Unavailable(
            f"there is no model in {model}: no such folder",
            "name a folder that save_pretrained wrote, or a hub id OWNER/NAME",
        )
    return _cached(model, revision or PINNED.get(model, "main"), cache or hub_cache())


def hub_cache() -> Path:
    """The cache's folder, as huggingface_hub has it (whose import would take five times as long as all else here)."""
    if given := os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE"):
        return Path(given).expanduser()
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface")
    return Path(home, "hub").expanduser()


def download(name: str, revision: str) -> str:
    """What to do to have a model of the hub in the cache."""
    command = f"hf download {name} --revision {revision}"
    if name.startswith(GATED):
        return f"accept the licence at https://huggingface.co/{name}, then: hf auth login, {command}"
    if name in PICKLED:
        return f"{command}, then, as it is published as pickle: {conversion(name, revision)}"
    return command


def conversion(model: str, revision: str = LOCAL) -> str:
    """What to do about a model that is kept as pickle."""
    which = "" if revision == LOCAL else f" --revision {revision}"
    return (
        f"sensecf-bench checkpoint convert {model} OUT{which} writes it as safetensors to the folder OUT; use model=OUT"
    )


def _cached(name: str, revision: str, cache: Path) -> Origin:
    """A snapshot by commit, or by a branch or tag that the cache knows. See huggingface_hub's guide "Understand caching"."""
    kept = cache / f"models--{name.replace('/', '--')}"
    ref = kept / "refs" / revision
    commit = revision
    if not COMMIT.fullmatch(revision) and ref.is_file():
        commit = ref.read_text(encoding="utf-8").strip()
    snapshot = kept / "snapshots" / commit
    if COMMIT.fullmatch(commit) and snapshot.is_dir():
        return Origin(snapshot, name, commit)
    others = sorted(p.name for p in (kept / "snapshots").glob("*") if COMMIT.fullmatch(p.name))
    beside = f" (revision {others[0]} is there: revision={others[0]} takes it)" if others else ""
    raise Unavailable(f"{name} at revision {revision} is not in the local hub cache{beside}", download(name, revision))
