"""Chance for the samples of one prompt, which differ as far as sampling lets them.

Samples drawn apart often say the same, and an answer said twice gives nobody a choice. Arithmetic sampling (Vilnis et al. 2023,
arXiv 2210.15458) lays all answers side by side on the line from 0 to 1, each as wide as it is probable, and spreads the
samples evenly over it from a point drawn by chance: each is a sample like any other, and together they leave out no
answer wider than the gaps between them. Here the points follow van der Corput's sequence, so that more samples
begin with the fewer.

Answers wider than the gaps are still said more than once. Where that is of no use, the samples that repeat are drawn again
beside all that has been said: then they are drawn without replacement, and no longer as often as they are probable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

NARROW = 1 / 64
BELOW_ONE = float(np.nextafter(1.0, 0.0))


class Draws:
    """What sample `sample` of the prompt with this seed draws: `point`, in [0, 1), is where its next token lies when all that
    might come are laid side by side.

    An answer narrower than `NARROW` draws anew for each token: few other samples lie within it, and a closer look at the
    point would see how the probabilities were rounded, and with it who else was in the batch.
    """

    point: float
    _low: float  # where the answer so far begins on the line
    _width: float

    def __init__(self, seed: int, sample: int) -> None:
        self._seed, self._sample, self._turn = seed, sample, 0
        self._point = (np.random.default_rng(seed).random() + van_der_corput(sample)) % 1.0
        self._start = self._point
        self.restart()

    def restart(self) -> None:
        # numpy takes [seed, 0] for the seed itself.
        self._later = np.random.default_rng([self._seed, self._sample, self._turn + 1])
        self.point = self._start
        self._low, self._width = 0.0, 1.0

    def again(self, said: Iterable[tuple[float, float]]) -> bool:
        """Draw another answer, beside those that lie from a low to a high end. False, and nothing done, where they leave
        less than `NARROW`."""
        point = beside(self._point, said)
        if point is None:
            return False
        self._start = point
        self._turn += 1
        self.restart()
        return True

    @property
    def place(self) -> tuple[float, float] | None:
        """Where the answer lies on the line so far, None within `NARROW`."""
        return None if self._width < NARROW else (self._low, self._low + self._width)

    def narrow(self, low: float, high: float) -> None:
        """Go on within the token that lies from `low` to `high`."""
        self._low += low * self._width
        self._width *= high - low
        if self._width < NARROW:
            self.point = self._later.random()
        else:
            self.point = min(max((self.point - low) / (high - low), 0.0), BELOW_ONE)


def beside(point: float, taken: Iterable[tuple[float, float]]) -> float | None:
    """Where a point in [0, 1) comes to lie when all of the line is spread evenly over what is not taken of it; None where
    that is less than `NARROW`."""
    parts, end = [], 0.0
    for low, high in [*sorted(taken), (1.0, 1.0)]:
        if low > end:
            parts.append((end, low))
        end = max(end, high)
    room = sum(high - low for low, high in parts)
    if room < NARROW:
        return None
    left = point * room
    for low, high in parts[:-1]:
        if left < high - low:
            return low + left
        left -= high - low
    low, high = parts[-1]
    return min(low + left, float(np.nextafter(high, 0.0)))


def van_der_corput(n: int) -> float:
    """Number n, from 0 on, of the sequence: its binary digits mirrored at the point."""
    digits = f"{n:b}"
    return int(digits[::-1], 2) / (1 << len(digits))
