"""Chance for the samples of one prompt, which differ as far as sampling lets them.

Samples drawn apart often say the same, and an answer said twice gives nobody a choice. Arithmetic sampling (Vilnis et al. 2023,
arXiv 2210.15458) lays all answers side by side on the line from 0 to 1, each as wide as it is probable, and spreads the
samples evenly over it from a point drawn by chance: each is a sample like any other, and together they leave out no
answer wider than the gaps between them. Here the points follow van der Corput's sequence, so that more samples
begin with the fewer.
"""

from __future__ import annotations

import numpy as np

NARROW = 1 / 64
BELOW_ONE = float(np.nextafter(1.0, 0.0))


class Draws:
    """What sample `sample` of the prompt with this seed draws: `point`, in [0, 1), is where its next token lies when all that
    might come are laid side by side.

    An answer narrower than `NARROW` draws anew for each token: few other samples lie within it, and a closer look at the
    point would see how the probabilities were rounded, and with it who else was in the batch.
    """

    def __init__(self, seed: int, sample: int) -> None:
        self._seed, self._sample = seed, sample
        self.restart()

    def restart(self) -> None:
        self._later = np.random.default_rng([self._seed, self._sample, 1])  # numpy takes [seed, 0] for the seed itself
        self._width = 1.0  # of the answer so far
        self.point = (np.random.default_rng(self._seed).random() + van_der_corput(self._sample)) % 1.0

    def narrow(self, low: float, high: float) -> None:
        """Go on within the token that lies from `low` to `high`."""
        self._width *= high - low
        if self._width < NARROW:
            self.point = self._later.random()
        else:
            self.point = min(max((self.point - low) / (high - low), 0.0), BELOW_ONE)


def van_der_corput(n: int) -> float:
    """Number n, from 0 on, of the sequence: its binary digits mirrored at the point."""
    digits = f"{n:b}"
    return int(digits[::-1], 2) / (1 << len(digits))
