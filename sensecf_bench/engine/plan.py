"""The plan: which cells a configuration asks for, and which generators are left out and why.

Nothing is loaded to plan: names are resolved, options checked, and generators asked whether they can run here.
"""

from __future__ import annotations

import fnmatch
import hashlib
import importlib.metadata
import json
import platform
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from sensecf_bench.contracts import PluginKind
from sensecf_bench.engine.config import ALL, RunConfig, describe
from sensecf_bench.errors import ConfigError, Unavailable, UnknownNameError
from sensecf_bench.registry import Registered, Registry, find_class

if TYPE_CHECKING:
    from sensecf_bench.contracts import Classifier, Dataset, Generator

MUST_BE_ALLOWED = {"network", "paid"}  # weights and GPUs are free: whether they are there, a generator says itself
CORE_LIBRARIES = ("sensecf-bench", "numpy", "pandas", "scikit-learn", "scipy", "xgboost")


@dataclass(frozen=True)
class Component:
    """A plugin class with its options: all that another process needs to make the same thing.

    `given` are the options somebody chose, `options` those with the defaults filled in.
    """

    name: str
    where: tuple[str, str, str]
    given: Mapping[str, Any]
    options: Mapping[str, Any]
    versions: Mapping[str, str]
    label: str  # its name, and for a dataset with an argument what that was

    @property
    def key(self) -> str:
        return content_hash(asdict(self))

    @property
    def identity(self) -> dict[str, Any]:
        """What it is, wherever it lies: without file paths, which say nothing about its answers."""
        return {"name": self.name, "options": dict(self.options), "versions": dict(self.versions)}

    def make(self) -> Any:
        cls = find_class(self.where)
        return cls(cls.Options.model_validate(self.given))

    @property
    def cls(self) -> Any:
        return find_class(self.where)


@dataclass(frozen=True)
class ContextSpec:
    """What cells share: a dataset, a classifier and a seed."""

    dataset: Component
    classifier: Component
    seed: int

    @cached_property
    def key(self) -> str:
        return content_hash({"data": self.data_key, "classifier": asdict(self.classifier)})

    @cached_property
    def data_key(self) -> str:
        return content_hash({"dataset": asdict(self.dataset), "seed": self.seed})

    def make_dataset(self) -> Dataset:
        made: Dataset = self.dataset.make()
        return made

    def make_classifier(self) -> Classifier:
        made: Classifier = self.classifier.make()
        return made


@dataclass(frozen=True)
class CellSpec:
    """One generator explaining one classifier on one dataset under one seed."""

    context: ContextSpec
    generator: Component
    k: int
    queries: int
    timeout: float
    cell_timeout: float
    shard_size: int
    libraries: Mapping[str, str]

    @property
    def title(self) -> str:
        c = self.context
        return f"{c.dataset.label} · {c.classifier.name} · {self.generator.name} · seed {c.seed}"

    @property
    def name(self) -> str:
        """What it is called, whatever versions it runs on."""
        c, asked = self.context, {"k": self.k, "queries": self.queries, "seed": self.context.seed}
        parts = {
            kind: [part.label, dict(part.options) if part.label == part.name else {}]  # no paths: tables may move
            for kind, part in (("dataset", c.dataset), ("classifier", c.classifier), ("generator", self.generator))
        }
        return json.dumps({**asked, **parts}, sort_keys=True)

    def key(self, data_fingerprint: str) -> str:
        """A hash of everything that can change the answers, and of nothing else."""
        c = self.context
        asked = {"k": self.k, "queries": self.queries, "shard_size": self.shard_size, "seed": c.seed}
        limits = {"timeout": self.timeout, "cell_timeout": self.cell_timeout}
        who = {"classifier": c.classifier.identity, "generator": self.generator.identity}
        return content_hash({"data": data_fingerprint, **asked, **limits, **who, "libraries": dict(self.libraries)})

    def folder(self, key: str) -> str:
        c = self.context
        parts = (c.dataset.label, c.classifier.name, self.generator.name, f"seed{c.seed}", key[:12])
        return "--".join(re.sub(r"[^A-Za-z0-9@._-]+", "_", part) for part in parts)

    @property
    def generator_class(self) -> type[Generator]:
        cls: type[Generator] = self.generator.cls
        return cls


@dataclass(frozen=True)
class Skipped:
    """A generator that a run leaves out, why, and what would bring it in."""

    generator: str
    reason: str
    fix: str


@dataclass(frozen=True)
class Plan:
    config: RunConfig
    cells: tuple[CellSpec, ...]
    skipped: tuple[Skipped, ...]
    metrics: tuple[Component, ...]
    panel: tuple[Component, ...]  # the classifiers of cross-validity

    @property
    def contexts(self) -> tuple[ContextSpec, ...]:
        return tuple({cell.context.key: cell.context for cell in self.cells}.values())

    @property
    def preload(self) -> tuple[str, ...]:
        """Modules that the generators of this plan want imported once rather than in every process."""
        return tuple(dict.fromkeys(name for cell in self.cells for name in cell.generator_class.preload))


def make_plan(config: RunConfig, registry: Registry) -> Plan:
    """Resolve every name and option. Raises UnknownNameError or ConfigError before anything runs."""
    _refuse_unused_options(config, registry)
    datasets = [_dataset(item, config, registry) for item in config.datasets]
    classifiers = [component("classifier", name, config, registry) for name in config.classifiers]
    generators, skipped = _generators(config, registry)
    libraries = {name: importlib.metadata.version(name) for name in CORE_LIBRARIES}
    libraries["python"] = ".".join(platform.python_version_tuple()[:2])
    contexts = [ContextSpec(d, c, seed) for d in datasets for seed in config.seeds for c in classifiers]
    cells = tuple(
        CellSpec(
            context,
            generator,
            config.k,
            config.asked,
            config.timeout,
            config.cell_timeout,
            config.shard_size,
            libraries,
        )
        for context in contexts
        for generator in generators
    )
    metrics = _names("metric", config.metrics, registry)
    return Plan(
        config,
        cells,
        tuple(skipped),
        tuple(component("metric", name, config, registry) for name in metrics),
        tuple(component("classifier", name, RunConfig(), registry) for name in _families(registry)),
    )


def component(
    kind: PluginKind, name: str, config: RunConfig, registry: Registry, extra: Mapping[str, Any] | None = None
) -> Component:
    """A class by name with its options checked."""
    registered = registry.get(kind, name)
    given = {**config.options_for(name), **(extra or {})}
    try:
        options = registered.cls.Options.model_validate(given)
    except ValidationError as error:
        raise ConfigError(f"{kind} {name!r}: {describe(error, registered.cls.Options)}") from error
    chosen = options.model_dump(mode="json", exclude_unset=True)
    label = ":".join([name, *(Path(str(v)).stem for v in (extra or {}).values())])
    return Component(name, registered.where, chosen, options.model_dump(mode="json"), _versions(registered), label)


def content_hash(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _versions(registered: Registered) -> dict[str, str]:
    """Versions of whatever the class runs on: its own, its source's, its distribution's and of the libraries that
    declares. The source counts, because an installed plugin may be one that is being worked on."""
    versions = {"class": str(getattr(registered.cls, "version", "1")), "source": _source_hash(registered)}
    if registered.distribution not in ("", "file", "sensecf-bench"):
        versions[registered.distribution] = registered.version
        for requirement in importlib.metadata.requires(registered.distribution) or []:
            library = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
            if "extra ==" not in requirement and library not in CORE_LIBRARIES:
                try:
                    versions[library] = importlib.metadata.version(library)
                except importlib.metadata.PackageNotFoundError:
                    versions[library] = "absent"
    return versions


def _source_hash(registered: Registered) -> str:
    """A hash of the file that defines a built-in or single-file class, or of the whole package of an installed plugin."""
    file = sys.modules[registered.cls.__module__].__file__
    if file is None:
        return "unknown"
    files = [Path(file)]
    package = sys.modules[registered.cls.__module__.partition(".")[0]].__file__
    if registered.distribution not in ("file", "sensecf-bench") and package and package.endswith("__init__.py"):
        files = sorted(Path(package).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:16]


def _families(registry: Registry) -> list[str]:
    """The panel is always the built-in families, so that cross-validity means the same in every run."""
    return [
        name
        for name in registry.names("classifier")
        if registry.get("classifier", name).distribution == "sensecf-bench"
    ]


def _dataset(item: str, config: RunConfig, registry: Registry) -> Component:
    name, colon, argument = item.partition(":")
    option = registry.dataset(name).argument
    if colon and option is None:
        raise ConfigError(f"dataset {name!r} takes no argument (got {argument!r})")
    if not colon and option is not None and option not in config.options_for(name):
        raise ConfigError(f"dataset {name!r} needs an argument", f"write {name}:FILE")
    extra = {option: str(Path(argument).resolve())} if colon and option else None
    return component("dataset", name, config, registry, extra)


def _generators(config: RunConfig, registry: Registry) -> tuple[list[Component], list[Skipped]]:
    chosen: list[Component] = []
    skipped: list[Skipped] = []
    for name in _names("generator", config.generators, registry):
        if config.options_for(name) or ALL not in config.generators:
            component("generator", name, config, registry)  # a mistake in options that somebody gave is the user's
        try:
            resolved = component("generator", name, config, registry)
            reason, fix = _obstacle(resolved, registry.generator(name), config)
        except Exception as error:  # noqa: BLE001 a stranger's class may raise anything; it is named and left out
            reason, fix = f"broken: {type(error).__name__}: {error}", "report it to the plugin's author"
        if reason:
            skipped.append(Skipped(name, reason, fix))
        else:
            chosen.append(resolved)
    if ALL in config.generators:
        skipped += [Skipped(r.name, r.reason, r.fix) for r in registry.reports if r.status in ("broken", "unavailable")]
    return chosen, skipped


def _obstacle(resolved: Component, cls: type[Generator], config: RunConfig) -> tuple[str, str]:
    """Why a generator cannot run here and what would help; empty when it can."""
    asks = set(cls.needs) & MUST_BE_ALLOWED
    if missing := sorted(asks - set(config.allow)):
        return f"needs {', '.join(missing)}", f"add --allow {','.join(sorted(asks))}"
    try:
        resolved.make().available()
    except Unavailable as bows_out:
        return bows_out.reason, bows_out.fix
    return "", ""


def _names(kind: PluginKind, asked: tuple[str, ...], registry: Registry) -> list[str]:
    """The names asked for, `all` written out; every other name must exist."""
    for name in asked:
        if name != ALL:
            registry.get(kind, name)
    return registry.names(kind) if ALL in asked else list(asked)


def _refuse_unused_options(config: RunConfig, registry: Registry) -> None:
    kinds: tuple[PluginKind, ...] = ("generator", "classifier", "metric", "dataset")
    known = {name for kind in kinds for name in registry.names(kind)}
    for pattern in config.options:
        if not fnmatch.filter(known, pattern):
            raise UnknownNameError("component in options", pattern, known)
