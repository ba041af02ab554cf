"""The generation phase of Growing Spheres (Laugel et al. 2018, algorithm 1), for all queries at once.

A ball shrinks until no enemy (a row of the target class) is in it; then shells grow around it until one holds an enemy.
Every round is one question to the classifier about the candidates of all queries still searching.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sensecf_spheres.shells import draw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from sensecf_spheres.space import Matrix, Space

    Flips = Callable[[Matrix], NDArray[np.bool_]]

CELLS_PER_CALL = 1 << 23  # numbers in the rows of one prediction call: 64 MiB


@dataclass(frozen=True)
class Limits:
    """How many candidates a layer holds, the first radius, how often a ball may be halved, and the last radius."""

    in_layer: int
    first_radius: float
    most_halvings: int
    last_radius: float


@dataclass(eq=False)
class _Searcher:
    """One query: its shell, and the nearest enemy seen so far."""

    factual: Matrix
    random: np.random.Generator
    outer: float
    inner: float = 0.0
    width: float = 0.0  # of a layer; 0 while the ball still shrinks
    halvings: int = 0
    enemy: Matrix | None = None
    distance: float = np.inf
    searching: bool = True

    def see(self, enemies: Matrix, distances: Matrix, limits: Limits) -> None:
        """Take in the candidates of the target class, and choose the next shell.

        A ball that was halved had enemies within twice its radius: past that layer nothing nearer can come.
        """
        if len(enemies) and distances.min() < self.distance:
            self.enemy, self.distance = enemies[distances.argmin()], float(distances.min())
        if self.width > 0:
            self.inner, self.outer = self.outer, self.outer + self.width
            self.searching = self.enemy is None and self.inner < limits.last_radius
        elif len(enemies):
            self.halvings += 1
            self.outer /= 2
            self.searching = self.halvings <= limits.most_halvings
        else:
            self.width = self.inner = self.outer
            self.outer *= 2


def nearest_enemies(
    space: Space,
    factuals: Matrix,
    seeds: NDArray[np.uint64],
    flips: Flips,
    limits: Limits,
    in_time: Callable[[], bool],
) -> tuple[Matrix, NDArray[np.bool_]]:
    """A row of the target class for each of `q` factuals, and whether there is one, `(q, d)` and `(q,)`."""
    searchers = [
        _Searcher(factual, np.random.default_rng(int(seed)), limits.first_radius)
        for factual, seed in zip(factuals, seeds, strict=True)
    ]
    searching = searchers if space.freedom else []
    while searching and in_time():
        for group in _groups(searching, limits.in_layer * factuals.shape[1]):
            _one_round(space, group, flips, limits)
            if not in_time():
                break
        searching = [s for s in searching if s.searching]
    found = np.array([s.enemy is not None for s in searchers], dtype=bool)
    rows = [s.factual if s.enemy is None else s.enemy for s in searchers]
    return np.array(rows).reshape(factuals.shape), found


def _one_round(space: Space, group: list[_Searcher], flips: Flips, limits: Limits) -> None:
    drawn = np.empty((len(group), limits.in_layer, len(space.unit)))
    for searcher, candidates in zip(group, drawn, strict=True):
        candidates[:] = draw(space, searcher.factual, searcher.inner, searcher.outer, limits.in_layer, searcher.random)
    flipped = flips(drawn.reshape(-1, drawn.shape[2])).reshape(drawn.shape[:2])
    for searcher, candidates, hits in zip(group, drawn, flipped, strict=True):
        enemies = candidates[hits]
        distances = (space.changes(searcher.factual, enemies) ** 2).sum(axis=1)
        searcher.see(enemies, distances, limits)


def _groups(searching: list[_Searcher], cells_per_query: int) -> Iterator[list[_Searcher]]:
    size = max(1, CELLS_PER_CALL // cells_per_query)
    return (searching[i : i + size] for i in range(0, len(searching), size))
