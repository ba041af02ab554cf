"""Where plugins come from: the built-in modules, installed entry points, named files, and a folder of files."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sensecf_bench.errors import ConfigError
from sensecf_bench.loading import load_file

ENTRY_POINTS = "sensecf_bench"
BUILT_IN = {
    "built-in generators": "sensecf_bench.generators",
    "built-in classifiers": "sensecf_bench.classifiers",
    "built-in metrics": "sensecf_bench.metrics",
    "built-in datasets": "sensecf_bench.datasets",
}


@dataclass(frozen=True)
class Source:
    """A plugin that has not been loaded yet."""

    name: str
    load: Callable[[], object]
    distribution: str = ""
    version: str = ""
    file: str = ""
    module: str = ""
    dist: importlib.metadata.Distribution | None = None


def built_in() -> Iterator[Source]:
    own_version = importlib.metadata.version("sensecf-bench")
    for name, module in BUILT_IN.items():
        yield Source(name, lambda m=module: importlib.import_module(m), "sensecf-bench", own_version)  # type: ignore[misc]


def strangers(files: Sequence[Path] = (), folder: Path | None = None) -> Iterator[Source]:
    """Installed plugins, then files. Raises ConfigError when the folder is none."""
    for entry in sorted(importlib.metadata.entry_points(group=ENTRY_POINTS), key=lambda e: e.name):
        dist = entry.dist
        name, version = (dist.name, dist.version) if dist else ("", "")
        yield Source(entry.name, entry.load, name, version, module=entry.module, dist=dist)
    named: dict[Path, Path] = {}
    for file in [*files, *(files_in(folder) if folder is not None else ())]:
        named.setdefault(file.resolve(), file)  # one named twice is one
    for path, file in named.items():
        yield Source(str(file), lambda f=file: load_file(f), "file", "", str(path), file.stem)  # type: ignore[misc]


def files_in(folder: Path) -> list[Path]:
    """The single-file plugins of a folder, by name. Raises ConfigError when the folder is none."""
    try:
        return sorted(p for p in folder.iterdir() if p.suffix == ".py" and not p.name.startswith(("_", ".")))
    except FileNotFoundError:
        raise ConfigError(f"plugins folder {folder} does not exist", "make it, or name another") from None
    except NotADirectoryError:
        raise ConfigError(
            f"plugins folder {folder} is no folder", f"name a single file with --plugin {folder}"
        ) from None
    except OSError as error:
        raise ConfigError(f"plugins folder {folder} cannot be read: {error.strerror}", "name another") from error
