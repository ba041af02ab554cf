"""What else might have been said: a token of an answer held against all that might stand in its place.

Word for word, a model is taught that one value is right and all others are wrong alike, though many flip the class as well,
some at half the distance. Where somebody can say what an answer would be worth with each of them, what a model's choice is
worth on average can be computed and followed uphill, without drawing any: the policy gradient summed over all actions (Sutton
et al. 2000, "Policy gradient methods for reinforcement learning with function approximation"), the rest of the answer
staying as it is (as in the counterfactual baseline of Foerster et al. 2018, arXiv 1705.08926). A model that is not sure of
somebody's boundary learns so how far beyond it is best to go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

HOPE = 0.3  # what is worth nothing may count at most, for the classifier's probability, where nothing is valid
NOTHING = 1e-3  # choices that make less of a difference teach nothing
IMPOSSIBLE = -1e9  # log-odds of what fills up a row


@dataclass(frozen=True, eq=False)
class Choice:
    """The place of a token, what might stand there, and what the whole would be worth with each, from 0 to 1; shape `(n,)`."""

    place: int
    tokens: NDArray[np.int64]
    worth: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sweep:
    """The same before distance has its price: `far` says how far each goes, in a unit of the judge's; shape `(n,)`. What is not
    valid is worth 0, and `odds` says how near it is to flipping, in nats: minus infinity for what nobody could be."""

    place: int
    tokens: NDArray[np.int64]
    worth: NDArray[np.float64]
    far: NDArray[np.float64]
    odds: NDArray[np.float64]


def priced(sweeps: Sequence[Sequence[Sweep]], price: float) -> list[list[Choice]]:
    """The choices there are in each of the answers to one question, where they make a difference.

    `price` is that of a unit of distance, as an exponent. It is counted from the nearest valid answer: those who have far to go
    are worth no less than others. Where no word would do, those are better that come nearer to flipping: a model whose
    answers have gone wrong in two words would otherwise never hear of it.
    """
    valid = [s.far[s.worth > 0] for some in sweeps for s in some]
    nearest = min((far.min() for far in valid if len(far)), default=0.0)
    choices = []
    for some in sweeps:
        worths = [_worth(s, price, nearest) if s.worth.any() else _hope(s) for s in some]
        choices.append([Choice(s.place, s.tokens, w) for s, w in zip(some, worths, strict=True) if np.ptp(w) > NOTHING])
    return choices


def _worth(sweep: Sweep, price: float, nearest: float) -> NDArray[np.float64]:
    return sweep.worth * np.exp(-price * np.maximum(sweep.far - nearest, 0.0))


def _hope(sweep: Sweep) -> NDArray[np.float64]:
    worth, there = np.zeros(len(sweep.odds)), np.isfinite(sweep.odds)
    if there.any():
        odds = sweep.odds[there]
        worth[there] = HOPE * (odds - odds.min()) / (1.0 + np.ptp(odds))
    return worth


def shortfall(logits: torch.Tensor, at: Sequence[int], choices: Sequence[Choice]) -> torch.Tensor:
    """What each choice is expected to fall short of being worth everything, shape `(choices,)`; `logits` has shape
    `(positions, vocabulary)`, and `at` says at which of the positions each choice is made."""
    import torch

    shape = len(choices), max(len(c.tokens) for c in choices)
    tokens, worth = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.float32)
    there = np.zeros(shape, dtype=np.bool_)
    for row, choice in enumerate(choices):
        n = len(choice.tokens)
        tokens[row, :n], worth[row, :n], there[row, :n] = choice.tokens, choice.worth, True
    where = logits.device
    among = logits[torch.tensor(list(at), device=where)].float().gather(1, torch.from_numpy(tokens).to(where))
    shares = among.masked_fill(~torch.from_numpy(there).to(where), IMPOSSIBLE).softmax(-1)
    return 1.0 - (shares * torch.from_numpy(worth).to(where)).sum(-1)
