"""What it takes to ask somebody else's model: leave to pass the data on, and money."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sensecf_bench.engine.cells import CellSpec, Component
from sensecf_bench.errors import UnknownNameError

if TYPE_CHECKING:
    from sensecf_bench.contracts import Table


@dataclass(frozen=True)
class Skipped:
    """A generator that a run leaves out, why, and what would bring it in."""

    generator: str
    reason: str
    fix: str


def refusals(
    datasets: Sequence[Component], generators: Sequence[Component], may_share: Sequence[str]
) -> dict[tuple[str, str], Skipped]:
    """The pairs that are refused, by the keys of dataset and generator, unless the user answers for it in `may_share`.

    Raises UnknownNameError for a dataset to share that is none of these.
    """
    labels = [d.label for d in datasets]
    for name in may_share:
        if name not in labels:
            raise UnknownNameError("dataset to share", name, labels, "name a dataset of this run")
    remote = [(g, host) for g in generators if (host := g.make().recipient())]
    closed = [d for d in datasets if remote and d.label not in may_share]
    restricted = [(d, why) for d in closed if (why := d.make().restricted())]
    return {
        (d.key, g.key): Skipped(
            g.name,
            f"{d.label} may not be passed on ({why}), and {g.name} sends its rows to {host}",
            f"if you may all the same: --i-may-share {d.label}",
        )
        for d, why in restricted
        for g, host in remote
    }


def prices(cells: Sequence[CellSpec]) -> dict[str, float]:
    """What the paid generators among these cells may cost, in US dollars, by name; see `Generator.price`. A cell of a
    scarce context asks no more than the share of the whole table that may be missing."""
    total: dict[str, float] = {}
    tables: dict[str, Table] = {}
    for cell in cells:
        if "paid" in cell.generator_class.needs:
            dataset, generator = cell.context.dataset, cell.generator
            if dataset.key not in tables:
                tables[dataset.key] = dataset.make().load()
            table, scarcity = tables[dataset.key], cell.context.scarcity
            most = math.ceil(scarcity.amount * scarcity.reduction * len(table.ids)) if scarcity else cell.queries
            usd = generator.make().price(table.schema, most, cell.k)
            total[generator.name] = total.get(generator.name, 0.0) + usd
    return total
