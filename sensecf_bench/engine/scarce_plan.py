"""What augmentation adds to a plan: levels of scarcity, the cells that fill them up, and who is left out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sensecf_bench.augmentation.scarcity import Scarcity, Scenario
from sensecf_bench.engine.augmentation_config import AugmentationConfig
from sensecf_bench.engine.cells import CellSpec, Component, ContextSpec, Shortage
from sensecf_bench.engine.config import RunConfig
from sensecf_bench.errors import ConfigError

WHOLE_CELL = 1_000_000  # the shard of a generator that is asked about all people at once
SMALLER: tuple[tuple[Scenario, float], ...] = (
    ("A", 0.3),
    ("A", 0.5),
    ("A", 0.7),
)  # what the dear have of the full grid
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

    def asks(self, generator: Component, level: Level) -> bool:
        """Whether a generator has a part at a level."""
        return any((c.key, generator.key) in self._asked for c in level.contexts(self.config.amount))

    @cached_property
    def _asked(self) -> frozenset[tuple[str, str]]:
        return frozenset((cell.context.key, cell.generator.key) for cell in self.cells)


def plan_augmentation(config: RunConfig, cast: Cast, libraries: dict[str, str]) -> AugmentationPlan:
    """Raises ConfigError when `augmentation.generators` names one that the run does not have."""
    settings = config.augmentation
    taking_part, left_out = _chosen(settings, cast)
    spared = {entry.generator for entry in left_out if entry.partly}
    compared = [g for g in taking_part if not g.cls.sentinel]
    all_spared = bool(compared) and all(g.name in spared for g in compared)
    levels = tuple(
        Level(ContextSpec(dataset, cast.reference, seed), Scarcity(scenario, reduction))
        for dataset in cast.datasets
        for seed in settings.seeds
        for scenario, reduction in settings.levels
        if not all_spared or (scenario, reduction) in SMALLER  # elsewhere there would be nobody to compare
    )
    cells = tuple(
        CellSpec(
            context,
            generator,
            k=1,
            queries=0,
            timeout=config.timeout,
            cell_timeout=config.cell_timeout,
            shard_size=WHOLE_CELL if generator.cls.lane == "io" else config.shard(generator.cls),
            libraries=libraries,
        )
        for level in levels
        for context in level.contexts(settings.amount)
        for generator in taking_part
        if (context.dataset.key, generator.key) not in cast.refused
        and (generator.name not in spared or (level.scarcity.scenario, level.scarcity.reduction) in SMALLER)
    )
    return AugmentationPlan(settings, levels, cells, tuple(taking_part), tuple(cast.classifiers), tuple(left_out))


def _chosen(settings: AugmentationConfig, cast: Cast) -> tuple[list[Component], list[LeftOut]]:
    names = [g.name for g in cast.generators]
    for name in settings.generators:
        if name not in names:
            raise ConfigError(
                f"augmentation.generators: {name!r} is not among the generators of this run ({', '.join(names)})",
                "name it with --generators too, and see `sensecf-bench list generators` for what is available",
            )
    chosen, left_out = [], []
    smaller = [level for level in settings.levels if level in SMALLER]
    for generator in cast.generators:
        named, dear = generator.name in settings.generators, generator.cls.dear
        if settings.generators and not named and not generator.cls.sentinel:
            left_out.append(LeftOut(generator.name, "not among augmentation.generators"))
            continue
        if dear and not named and (settings.grid == "quick" or not smaller):
            left_out.append(LeftOut(generator.name, f"too dear for the {settings.grid} grid: {dear}"))
            continue
        if dear and not named and len(smaller) < len(settings.levels):
            where = ", ".join(f"{scenario} {100 * r:g} %" for scenario, r in smaller)
            left_out.append(
                LeftOut(generator.name, f"too dear for all of the grid, it has {where} alone: {dear}", True)
            )
        chosen.append(generator)
    return [*chosen, *(s for s in cast.sentinels if s.name not in {g.name for g in chosen})], left_out
