"""What augmentation adds to a plan: levels of scarcity, the cells that fill them up, and who is left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sensecf_bench.augmentation.scarcity import Scarcity, Scenario
from sensecf_bench.engine.augmentation_config import AugmentationConfig
from sensecf_bench.engine.cells import CellSpec, Component, ContextSpec, Shortage
from sensecf_bench.engine.config import RunConfig
from sensecf_bench.errors import ConfigError

WHOLE_CELL = 1_000_000  # the shard of a generator that is asked about all people at once
# What the dear have of the full grid.
SMALLER: tuple[tuple[Scenario, float], ...] = (("A", 0.3), ("A", 0.5), ("A", 0.7))
FILLED: dict[Scenario, tuple[Literal["positive", "negative"], ...]] = {
    "A": ("positive",),
    "B": ("negative",),
    "C": ("positive", "negative"),
}


@dataclass(frozen=True)
class LeftOut:
    """A generator of the run that takes no part in augmentation, or in a part of the grid alone, and why."""

    generator: str
    reason: str
    partly: bool = False


@dataclass(frozen=True)
class Level:
    """A dataset under one seed with one kind and degree of scarcity: `whole` is the reference classifier's context."""

    whole: ContextSpec
    scarcity: Scarcity

    def contexts(self, amount: float) -> tuple[ContextSpec, ...]:
        """A context for each class that is to be filled up."""
        scenario, reduction = self.scarcity.scenario, self.scarcity.reduction
        return tuple(
            ContextSpec(
                self.whole.dataset,
                self.whole.classifier,
                self.whole.seed,
                Shortage(scenario, reduction, fills, amount),
            )
            for fills in FILLED[scenario]
        )


@dataclass(frozen=True)
class Cast:
    """Who takes part in a run, as its plan has resolved them."""

    datasets: Sequence[Component]
    classifiers: Sequence[Component]  # to be retrained
    generators: Sequence[Component]
    sentinels: Sequence[Component]  # take part in any case
    reference: Component  # the classifier that is explained
    refused: Collection[tuple[str, str]]  # keys of datasets and of generators that may not see them


@dataclass(frozen=True)
class AugmentationPlan:
    """All levels of scarcity, dataset by dataset and seed by seed, and the cells that are carried out for them."""

    config: AugmentationConfig
    levels: tuple[Level, ...]
    cells: tuple[CellSpec, ...]
    generators: tuple[Component, ...]
    classifiers: tuple[Component, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def contexts(self) -> tuple[ContextSpec, ...]:
        return tuple({cell.context.key: cell.context for cell in self.cells}.values())

    def generators_at(self, level: Level) -> tuple[Component, ...]:
        """Those that have a part at a level."""
        names = self._names_at.get((level.whole.data_key, level.scarcity), set())
        return tuple(generator for generator in self.generators if generator.name in names)

    @cached_property
    def _names_at(self) -> Mapping[tuple[str, Scarcity], set[str]]:
        found: dict[tuple[str, Scarcity], set[str]] = defaultdict(set)
        for cell in self.cells:
            if (shortage := cell.context.scarcity) is not None:
                where = cell.context.whole.data_key, Scarcity(shortage.scenario, shortage.reduction)
                found[where].add(cell.generator.name)
        return found


@dataclass(frozen=True)
class _Part:
    """The levels of the grid that a generator has, and why it has not all of them."""

    generator: Component
    levels: Sequence[tuple[Scenario, float]]
    reason: str = ""


def plan_augmentation(config: RunConfig, cast: Cast, libraries: dict[str, str]) -> AugmentationPlan:
    """Raises ConfigError when `augmentation.generators` names one that the run does not have."""
    settings = config.augmentation
    _refuse_strangers(settings, cast)
    parts = [_part(settings, generator) for generator in cast.generators]
    known = {part.generator.name for part in parts if part.levels}
    sentinels = [_Part(sentinel, settings.levels) for sentinel in cast.sentinels if sentinel.name not in known]
    taking_part = [*(part for part in parts if part.levels), *sentinels]
    # Where only controls and sentinels would be, there is nobody to compare with them.
    compared = {level for part in taking_part if not part.generator.cls.sentinel for level in part.levels}
    levels = tuple(
        Level(ContextSpec(dataset, cast.reference, seed), Scarcity(scenario, reduction))
        for dataset in cast.datasets
        for seed in settings.seeds
        for scenario, reduction in settings.levels
        if (scenario, reduction) in compared or not compared
    )
    cells = tuple(
        CellSpec(
            context,
            part.generator,
            k=1,
            queries=0,
            timeout=config.timeout,
            cell_timeout=config.cell_timeout,
            shard_size=WHOLE_CELL if part.generator.cls.lane == "io" else config.shard(part.generator.cls),
            libraries=libraries,
        )
        for level in levels
        for context in level.contexts(settings.amount)
        for part in taking_part
        if (level.scarcity.scenario, level.scarcity.reduction) in part.levels
        and (context.dataset.key, part.generator.key) not in cast.refused
    )
    generators = tuple(part.generator for part in taking_part)
    left_out = tuple(LeftOut(p.generator.name, p.reason, partly=bool(p.levels)) for p in parts if p.reason)
    return AugmentationPlan(settings, levels, cells, generators, tuple(cast.classifiers), left_out)


def _refuse_strangers(settings: AugmentationConfig, cast: Cast) -> None:
    names = [g.name for g in cast.generators]
    for name in settings.generators:
        if name not in names:
            raise ConfigError(
                f"augmentation.generators: {name!r} is not among the generators of this run ({', '.join(names)})",
                "name it with --generators too, and see `sensecf-bench list generators` for what is available",
            )


def _part(settings: AugmentationConfig, generator: Component) -> _Part:
    dear, whole = generator.cls.dear, settings.levels
    if generator.name in settings.generators or generator.cls.sentinel:
        return _Part(generator, whole)
    if settings.generators:
        return _Part(generator, (), "not among augmentation.generators")
    smaller = () if settings.grid == "quick" else tuple(level for level in whole if level in SMALLER)
    if not dear or smaller == whole:
        return _Part(generator, whole)
    if not smaller:
        return _Part(generator, (), f"too dear for the {settings.grid} grid: {dear}")
    where = ", ".join(f"{scenario} {100 * r:g} %" for scenario, r in smaller)
    return _Part(generator, smaller, f"too dear for all of the grid, it has {where} alone: {dear}")
