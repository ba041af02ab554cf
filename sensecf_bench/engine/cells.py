"""What is run: components with their options, the contexts cells share, and cells with their content keys."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from sensecf_bench.loading import find_class

if TYPE_CHECKING:
    from sensecf_bench.contracts import Classifier, Dataset, Generator


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
    python: str = ""  # the interpreter a generator runs under; this one if it is empty

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
class Shortage:
    """Training rows that are taken away, and the class that counterfactuals are to fill up again.

    The positive class is the table's undesired one. `amount` is the share of its missing rows that is asked for.
    """

    scenario: Literal["A", "B", "C"]
    reduction: float
    fills: Literal["positive", "negative"]
    amount: float = 1.0

    @property
    def label(self) -> str:
        return f"{self.scenario} {100 * self.reduction:g} %, more {self.fills} rows"


@dataclass(frozen=True)
class ContextSpec:
    """What cells share: a dataset, a classifier and a seed, and which training rows are taken away, if any are."""

    dataset: Component
    classifier: Component
    seed: int
    scarcity: Shortage | None = None

    @cached_property
    def key(self) -> str:
        return content_hash({"data": self.data_key, "classifier": asdict(self.classifier)})

    @cached_property
    def data_key(self) -> str:
        scarce = {"scarcity": asdict(self.scarcity)} if self.scarcity else {}
        return content_hash({"dataset": asdict(self.dataset), "seed": self.seed, **scarce})

    @cached_property
    def whole(self) -> ContextSpec:
        """The same before anything is taken away."""
        return replace(self, scarcity=None)

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
    queries: int  # at most; 0 is as many as the context has
    timeout: float
    cell_timeout: float
    shard_size: int
    libraries: Mapping[str, str]

    @property
    def title(self) -> str:
        c = self.context
        scarce = f" · {c.scarcity.label}" if c.scarcity else ""
        return f"{c.dataset.label} · {c.classifier.name} · {self.generator.name} · seed {c.seed}{scarce}"

    @property
    def name(self) -> str:
        """What it is called, whatever versions it runs on."""
        c, asked = self.context, {"k": self.k, "queries": self.queries, "seed": self.context.seed}
        scarce = {"scarcity": asdict(c.scarcity)} if c.scarcity else {}
        parts = {
            kind: [part.label, dict(part.options) if part.label == part.name else {}]  # no paths: tables may move
            for kind, part in (("dataset", c.dataset), ("classifier", c.classifier), ("generator", self.generator))
        }
        return json.dumps({**asked, **parts, **scarce}, sort_keys=True)

    def key(self, data_fingerprint: str) -> str:
        """A hash of everything that can change the answers, and of nothing else."""
        c = self.context
        asked = {"k": self.k, "queries": self.queries, "shard_size": self.shard_size, "seed": c.seed}
        limits = {"timeout": self.timeout, "cell_timeout": self.cell_timeout}
        who = {"classifier": c.classifier.identity, "generator": self.generator.identity}
        scarce = {"scarcity": asdict(c.scarcity)} if c.scarcity else {}  # how many are asked is not in the data
        libraries = {"libraries": dict(self.libraries)}
        return content_hash({"data": data_fingerprint, **asked, **limits, **who, **libraries, **scarce})

    def folder(self, key: str) -> str:
        c = self.context
        parts = [c.dataset.label, c.classifier.name, self.generator.name, f"seed{c.seed}", key[:12]]
        if c.scarcity:
            parts.insert(4, f"{c.scarcity.scenario}{100 * c.scarcity.reduction:g}-{c.scarcity.fills}")
        return "--".join(re.sub(r"[^A-Za-z0-9@._-]+", "_", part) for part in parts)

    @property
    def generator_class(self) -> type[Generator]:
        cls: type[Generator] = self.generator.cls
        return cls


def content_hash(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
