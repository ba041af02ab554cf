"""What became of a plugin, and how an error that it met turns into words."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sensecf_bench.discovery.sources import Source
from sensecf_bench.errors import PluginError, Unavailable

Status = Literal["ok", "broken", "unavailable", "blocked"]
LONGEST = 2000  # characters of a stranger's message
OTHER_NAMES = {"cv2": "opencv-python", "PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn", "yaml": "pyyaml"}  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """Whether a plugin is usable, why not, and what is remarkable about it all the same."""

    status: Status = "ok"
    reason: str = ""
    fix: str = ""
    warnings: tuple[str, ...] = ()
    leaves: bool = False  # threads or processes that go on when it has been loaded


def verdict_of(error: BaseException, source: Source) -> Verdict:
    """The verdict on a plugin that raised while it was loaded or checked."""
    if isinstance(error, Unavailable):
        return Verdict("unavailable", error.reason, error.fix)
    if isinstance(error, PluginError):
        return Verdict("broken", error.message, error.fix)
    if isinstance(error, ModuleNotFoundError) and error.name and not _is_its_own(error.name, source):
        reason = f"needs the module {error.name}, which is not installed"
        return Verdict("unavailable", reason, f"pip install {shlex.quote(_provider(error.name, source))}")
    return Verdict("broken", in_words(error), "repair or uninstall the plugin")


def in_words(error: BaseException) -> str:
    """An error's type and message, whatever a stranger's class makes of being asked for it."""
    try:
        message = str(error)
    except Exception as worse:  # noqa: BLE001 even the message is a stranger's code
        message = f"its message cannot be shown: {type(worse).__name__}"
    if len(message) > LONGEST:
        message = message[:LONGEST] + " …"
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _is_its_own(module: str, source: Source) -> bool:
    """Whether a module that was not found should have come with the plugin itself, or with this package."""
    top = module.partition(".")[0]
    if source.file:
        beside = Path(source.file).parent / top  # not importable from a single-file plugin, but clearly meant
        own = {source.module, f"sensecf_bench_plugin_{source.module}"}
        return top in own | {"sensecf_bench"} or beside.is_dir() or beside.with_suffix(".py").exists()
    listed = (source.dist.read_text("top_level.txt") or "").split() if source.dist else []
    return top in {"sensecf_bench", source.module.partition(".")[0], *listed}


def _provider(module: str, source: Source) -> str:
    """What to install for a module: an extra of the plugin's distribution, a requirement of it, or the module's name."""
    top = module.partition(".")[0]
    wanted = {_normal(top), _normal(OTHER_NAMES.get(top, top))}
    declared = (source.dist.requires or []) if source.dist else []
    found = [r for r in declared if (name := re.match(r"[\w.-]+", r)) and _normal(name.group()) in wanted]
    for requirement in found:
        if extra := re.search(r"""\bextra\s*==\s*['"]([^'"]+)""", requirement.partition(";")[2]):
            return f"{source.distribution}[{extra.group(1)}]"
    return found[0].partition(";")[0].strip() if found else OTHER_NAMES.get(top, top)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
