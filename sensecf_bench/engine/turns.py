"""In what order cells are worked on, so that workers neither wait for each other nor prepare anything twice."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sensecf_bench.engine.cells import CellSpec

TOGETHER = 12  # contexts that take turns; a worker keeps these, and the whole tables that levels of scarcity come from


def taking_turns(cells: Sequence[CellSpec]) -> list[int]:
    """Positions of the cells in the order to begin them.

    Cells on the same rows may share what is dear to make: generators one fine-tuned model, classifiers the model that is
    fine-tuned. Side by side one would wait for the other. So tables, seeds and levels of scarcity take turns, as many at a time
    as a worker keeps prepared; among these a generator is done with one classifier on each before the next classifier, and
    with all of them before the next generator.
    """
    rows = _numbered(c.context.data_key for c in cells)
    generators = _numbered(c.generator.label for c in cells)
    classifiers = _numbered(c.context.classifier.label for c in cells)
    groups = _groups(cells)

    def turn(i: int) -> tuple[int, int, int, int]:
        c = cells[i]
        key = c.context.data_key
        return groups[key], generators[c.generator.label], classifiers[c.context.classifier.label], rows[key]

    return sorted(range(len(cells)), key=turn)


def _groups(cells: Sequence[CellSpec]) -> dict[str, int]:
    """Which rows take turns with each other, by their key."""
    contexts: dict[str, set[str]] = {}
    for c in cells:
        contexts.setdefault(c.context.data_key, set()).add(c.context.key)
    groups, group, room = dict[str, int](), -1, 0
    for key, mine in contexts.items():
        if len(mine) > room:
            group, room = group + 1, TOGETHER
        groups[key] = group
        room -= len(mine)
    return groups


def _numbered(things: Iterable[Hashable]) -> dict[Hashable, int]:
    return {thing: i for i, thing in enumerate(dict.fromkeys(things))}
