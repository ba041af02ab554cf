"""Writing a new plugin project from the templates that come with the package."""

from __future__ import annotations

import datetime
import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from sensecf_bench.errors import ClaimedNameError, ConfigError, RunFolderError, UnknownNameError
from sensecf_bench.registry import Registry

KEBAB = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST = 40  # characters, so that no line of the project grows too long
TAKEN = ("False", "None", "True", "Field", "Generator", "Matrix", "PluginOptions", "QueryBatch", "Task")
ENDING = ".template"
DOT = "dot_"  # how a leading dot is written in the templates, which packaging tools would pass over


def write_project(name: str, into: Path, registry: Registry) -> Path:
    """Write the project of a generator to the folder `into / name`, and return that folder.

    Raises ConfigError for a name that cannot be used, RunFolderError for a folder that cannot.
    """
    _refuse_name(name, registry)
    folder = into / name
    _refuse_folder(folder)
    words = _words(name)
    try:
        _write(files("sensecf_bench") / "templates" / "plugin", folder, words)
    except OSError as error:
        raise RunFolderError(f"cannot write {folder}: {error.strerror}", "choose another folder with --into") from error
    return folder


def module_of(name: str) -> str:
    """The module of a new project; the prefix keeps it from hiding one that exists."""
    return f"sensecf_{name.replace('-', '_')}"


def _words(name: str) -> dict[str, str]:
    parts = name.split("-")
    class_name = "".join(part.capitalize() for part in parts)
    return {
        "name": name,
        "distribution": f"sensecf-bench-{name}",
        "module": module_of(name),
        "class_name": f"{class_name}Method" if class_name in TAKEN else class_name,
        "title": " ".join([parts[0].capitalize(), *parts[1:]]),
        "year": str(datetime.date.today().year),
    }


def _write(template: Traversable, target: Path, words: dict[str, str]) -> None:
    if template.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        for entry in template.iterdir():
            _write(entry, target / _named(entry.name, words), words)
    elif template.name.endswith(ENDING):
        text = Template(template.read_text(encoding="utf-8")).substitute(words)
        target.write_text(text, encoding="utf-8")


def _named(name: str, words: dict[str, str]) -> str:
    name = name.removesuffix(ENDING).replace("__module__", words["module"])
    return f".{name.removeprefix(DOT)}" if name.startswith(DOT) else name


def _refuse_name(name: str, registry: Registry) -> None:
    if not KEBAB.fullmatch(name):
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")
        hint = f", such as {near!r}" if KEBAB.fullmatch(near) else ""
        raise ConfigError(
            f"{name!r} cannot be the name of a generator",
            f"use lower-case words with hyphens between them, a letter first{hint}",
        )
    if len(name) > LONGEST:
        raise ConfigError(f"the name has {len(name)} characters", f"find one of at most {LONGEST}")
    try:
        registered = registry.get("generator", name)
    except ClaimedNameError as error:
        raise ConfigError(error.message, "choose another name") from error
    except UnknownNameError:
        return
    raise ConfigError(f"there is a generator {name!r} already, of plugin {registered.plugin}", "choose another name")


def _refuse_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise RunFolderError(f"{folder} is a file", "choose another folder with --into")
    if folder.is_dir() and any(folder.iterdir()):
        raise RunFolderError(f"{folder} is there and not empty", "choose another folder with --into, or empty it")
