"""Which training rows are left when one class, or both, have become scarce."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from sensecf_bench.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.queries import Classes

Scenario = Literal["A", "B", "C"]
SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)


@dataclass(frozen=True)
class Scarcity:
    """A share `reduction` in [0, 1) of the training rows of some classes is taken away.

    The positive class is the table's undesired one. Scenario A takes positive rows, B negative rows, C both alike.
    Raises ConfigError for a scenario that there is not, or a share that is none.
    """

    scenario: Scenario
    reduction: float

    def __post_init__(self) -> None:
        if self.scenario not in SCENARIOS:
            raise ConfigError(f"no scarcity scenario {self.scenario!r}", f"choose among {', '.join(SCENARIOS)}")
        if not (math.isfinite(self.reduction) and 0 <= self.reduction < 1):
            raise ConfigError(
                f"a reduction of {self.reduction} is no share of a class that can be taken away",
                "give a number from 0 up to but not including 1: 0.5 takes half of the class",
            )

    def depleted(self, undesired: int) -> tuple[int, ...]:
        """The classes that lose rows."""
        return {"A": (undesired,), "B": (1 - undesired,), "C": (0, 1)}[self.scenario]

    @property
    def label(self) -> str:
        """As people write it: `A 50 %`."""
        return f"{self.scenario} {100 * self.reduction:g} %"


def retained(
    labels: Classes, train: NDArray[np.intp], scarcity: Scarcity, undesired: int, seed: int
) -> NDArray[np.intp]:
    """The positions of `train` that are left, in their order; `labels` has the classes of all rows of the table.

    Of a depleted class with n training rows, `round(reduction · n)` go: the first ones of a permutation that hangs on
    the seed and the class alone. So what is gone at 20 % contains what is gone at 10 %, and C takes what A and B take.
    """
    kept = np.ones(len(train), dtype=bool)
    for c in scarcity.depleted(undesired):
        members = np.flatnonzero(labels[train] == c)
        order = np.random.default_rng((seed, c)).permutation(len(members))
        kept[members[order[: round(scarcity.reduction * len(members))]]] = False
    left: NDArray[np.intp] = train[kept]
    return left
