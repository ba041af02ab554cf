"""The plan: which cells a configuration asks for, and which generators are left out and why.

Nothing is loaded to plan: names are resolved, options checked, and generators asked whether they can run here.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from sensecf_bench.contracts import PluginKind
from sensecf_bench.engine.cells import CellSpec, Component, ContextSpec
from sensecf_bench.engine.config import ALL, RunConfig, describe
from sensecf_bench.engine.environments import environment_for
from sensecf_bench.engine.remote import Skipped, refusals
from sensecf_bench.engine.versions import core_versions, versions_of
from sensecf_bench.errors import ConfigError, Unavailable, UnknownNameError
from sensecf_bench.registry import Registry

if TYPE_CHECKING:
    from sensecf_bench.engine.scarce_plan import AugmentationPlan

OURS = "sensecf-bench"  # the distribution of what is built in
MUST_BE_ALLOWED = {"network", "paid"}  # weights and GPUs are free: whether they are there, a generator says itself


@dataclass(frozen=True)
class Plan:
    config: RunConfig
    cells: tuple[CellSpec, ...]
    skipped: tuple[Skipped, ...]
    metrics: tuple[Component, ...]
    panel: tuple[Component, ...]  # the classifiers of cross-validity
    augmentation: AugmentationPlan | None = None

    @property
    def contexts(self) -> tuple[ContextSpec, ...]:
        return tuple({cell.context.key: cell.context for cell in self.cells}.values())

    @property
    def preload(self) -> tuple[str, ...]:
        """Modules that the generators of this plan want imported once rather than in every process."""
        scarce = self.augmentation.cells if self.augmentation else ()
        here = [cell.generator_class for cell in (*self.cells, *scarce) if not cell.generator.python]
        return tuple(dict.fromkeys(name for cls in here for name in cls.preload))


def make_plan(config: RunConfig, registry: Registry) -> Plan:
    """Resolve every name and option. Raises UnknownNameError or ConfigError before anything runs."""
    _refuse_unused_options(config, registry)
    datasets = [_dataset(item, config, registry) for item in config.datasets]
    classifiers = [component("classifier", name, config, registry) for name in config.classifiers]
    generators, skipped = _generators(config, registry)
    refused = refusals(datasets, generators, config.may_share)
    libraries = core_versions()
    contexts = [ContextSpec(d, c, seed) for d in datasets for seed in config.seeds for c in classifiers]
    cells = tuple(
        CellSpec(
            context,
            generator,
            config.k,
            config.asked,
            config.timeout,
            config.cell_timeout,
            config.shard(generator.cls),
            libraries,
        )
        for context in contexts
        for generator in generators
        if (context.dataset.key, generator.key) not in refused
    )
    metrics = _names("metric", config.metrics, registry)
    return Plan(
        config,
        cells,
        (*skipped, *refused.values()),
        tuple(component("metric", name, config, registry) for name in metrics),
        tuple(component("classifier", name, RunConfig(), registry) for name in _families(registry)),
        _augmentation(config, registry, datasets, classifiers, generators, set(refused)),
    )


def _augmentation(
    config: RunConfig,
    registry: Registry,
    datasets: list[Component],
    classifiers: list[Component],
    generators: list[Component],
    refused: set[tuple[str, str]],
) -> AugmentationPlan | None:
    if config.augmentation.grid == "off":
        return None
    from sensecf_bench.engine.scarce_plan import Cast, plan_augmentation

    built_in = [n for n in registry.names("generator") if registry.get("generator", n).distribution == OURS]
    sentinels = [n for n in built_in if registry.generator(n).sentinel]
    cast = Cast(
        datasets=datasets,
        classifiers=classifiers,
        generators=generators,
        sentinels=[component("generator", name, config, registry) for name in sentinels],
        reference=component("classifier", config.augmentation.reference, config, registry),
        refused=refused,
    )
    return plan_augmentation(config, cast, core_versions())


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
    return Component(name, registered.where, chosen, options.model_dump(mode="json"), versions_of(registered), label)


def _families(registry: Registry) -> list[str]:
    """The panel is always the built-in families, so that cross-validity means the same in every run."""
    return [name for name in registry.names("classifier") if registry.get("classifier", name).distribution == OURS]


def _dataset(item: str, config: RunConfig, registry: Registry) -> Component:
    name, colon, argument = item.partition(":")
    option = registry.dataset(name).argument
    if colon and option is None:
        raise ConfigError(f"dataset {name!r} takes no argument (got {argument!r})")
    if not colon and option is not None and not config.options_for(name):  # whether others do, it knows itself
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
            resolved = _resolved(name, config, registry)
        except Unavailable as bows_out:
            skipped.append(Skipped(name, bows_out.reason, bows_out.fix))
        except ConfigError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 a stranger's class may raise anything; it is named and left out
            reason = f"broken: {type(error).__name__}: {error}"
            skipped.append(Skipped(name, reason, "report it to the plugin's author"))
        else:
            chosen.append(resolved)
    if ALL in config.generators:
        skipped += [Skipped(r.name, r.reason, r.fix) for r in registry.reports if r.status in ("broken", "unavailable")]
    return chosen, skipped


def _resolved(name: str, config: RunConfig, registry: Registry) -> Component:
    """A generator with its options and the environment it runs in. Raises Unavailable when it cannot run."""
    registered, cls = registry.get("generator", name), registry.generator(name)
    asks = set(cls.needs) & MUST_BE_ALLOWED
    if missing := sorted(asks - set(config.allow)):
        raise Unavailable(f"needs {', '.join(missing)}", f"add --allow {','.join(sorted(asks))}")
    resolved = component("generator", name, config, registry)
    environment = environment_for(cls, config.environments.get(name), registered.file)
    if environment is not None:  # where it will be asked itself whether it is available
        versions = {**resolved.versions, **environment.versions(cls.requirements)}
        return replace(resolved, versions=versions, python=environment.python)
    resolved.make().available()
    return resolved


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
    for name in config.environments:
        registry.get("generator", name)
