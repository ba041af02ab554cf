"""Preference tuning: a model tries several answers to a question and is moved towards those that were worth more.

The policy gradient of REINFORCE (Williams 1992) with what the other answers to the same question came to as the baseline
(Kool et al. 2019, "Buy 4 REINFORCE samples, get a baseline for free!"). Nothing is taught word for word: the classifier's
verdict on whole answers is all there is to go by, which is what they will be measured by.

What an answer is worth falls with the distance it asks somebody to go, at a price that follows the share of greedy answers
that are valid: where more are than wanted, distance is dearer, where fewer are, cheaper.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from sensecf_huggingface.tuning.batches import Batch
from sensecf_huggingface.tuning.head import PickedHead
from sensecf_huggingface.tuning.merged import merged
from sensecf_huggingface.tuning.optimising import Optimised

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from sensecf_huggingface.tuning.recipe import Recipe

CHEAPEST, DEAREST = 0.1, 3.0
SWAY = 10.0  # that the share of valid answers has over the price, as an exponent
LATELY = 0.8  # weight of earlier steps in what that share is
VALID = "valid|lately"  # where a checkpoint keeps it
AT_ONCE = 4096  # tokens, padding included, that go through the model together where rows are short enough
NOTHING = 1e-3  # an answer this near to the others' worth teaches nothing
OUTSIDE = 0.5  # what a valid answer is worth that leaves somebody outside the range of the training rows
FORMAT = 2  # of all else that decides the weights; a change that moves them counts it up
RULES = {
    "format": FORMAT,
    "cheapest": CHEAPEST,
    "dearest": DEAREST,
    "sway": SWAY,
    "lately": LATELY,
    "nothing": NOTHING,
    "outside": OUTSIDE,
}


@dataclass(frozen=True, eq=False)
class Tries:
    """A question, and the different answers that were tried: how often each, what it is worth before distance (0 where it is
    not valid, at most 1), and how far it goes, in typical distances; all of shape `(answers,)`."""

    prompt: Sequence[int]
    answers: Sequence[Sequence[int]]
    counts: NDArray[np.float64]
    worth: NDArray[np.float64]
    far: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Round:
    """What a step learns from, and the share of greedy answers to the same questions that are valid."""

    tries: Sequence[Tries]
    valid: float


class Tutor(Protocol):
    """Whoever puts the questions and judges the answers."""

    @property
    def lengths(self) -> NDArray[np.intp]:
        """Of the questions, in tokens."""
        ...

    @property
    def fingerprint(self) -> str:
        """A digest of the questions, and of all that the judgement of answers depends on."""
        ...

    def round(self, model: Any, chosen: NDArray[np.intp], chance: np.random.Generator) -> Round: ...


class Practice(Optimised):
    """Carries out steps over questions, as a `Stepper` does over examples. Use as a context manager."""

    def __init__(
        self, model: Any, parameters: Mapping[str, torch.nn.Parameter], tutor: Tutor, recipe: Recipe, aims: Aims
    ) -> None:
        super().__init__(parameters, recipe)
        self.model, self.tutor, self.aims = model, tutor, aims
        self.valid = aims.wanted  # share of greedy answers, lately
        self.head = PickedHead(model)

    @property
    def lengths(self) -> NDArray[np.intp]:
        return self.tutor.lengths

    @property
    def price(self) -> float:
        """Of a typical distance, as an exponent."""
        return min(max(self.aims.price * math.exp(SWAY * (self.valid - self.aims.wanted)), CHEAPEST), DEAREST)

    def __enter__(self) -> Practice:
        self.model.train()
        return self

    def __exit__(self, *error: Any) -> None:
        self.model.eval()

    def step(self, chosen: NDArray[np.intp], step: int, rate: float) -> torch.Tensor:
        """Try answers to the questions at these positions, and learn from them. Returns what they fell short of being worth
        on average, from 0 to 1, a tensor without dimensions."""
        import torch

        chance = np.random.default_rng([self.recipe.seed, step, len(self.lengths)])
        torch.manual_seed(int(chance.integers(2**63)))
        self.model.eval()
        with merged(self.model):
            round_ = self.tutor.round(self.model, chosen, chance)
        self.model.train()
        self.valid = LATELY * self.valid + (1 - LATELY) * round_.valid
        worth = [_worth(tries, self.price) for tries in round_.tries]
        advantages = _advantages(round_.tries, worth)
        self.optimiser.zero_grad()
        work = [_Row.of(t, a) for t, a in zip(round_.tries, advantages, strict=True)]
        for rows in _alike([row for row in work if row.answers], self.recipe.microbatch):
            self._loss(rows, len(chosen)).backward()
        self.update(rate)
        tried = sum(t.counts.sum() for t in round_.tries)
        gained = sum(float(t.counts @ w) for t, w in zip(round_.tries, worth, strict=True))
        return torch.tensor(1.0 - gained / max(tried, 1.0))

    def moments(self) -> dict[str, torch.Tensor]:
        import torch

        return {**super().moments(), VALID: torch.tensor(self.valid, dtype=torch.float64)}

    def restore(self, weights: Mapping[str, torch.Tensor], moments: Mapping[str, torch.Tensor]) -> None:
        self.valid = float(moments[VALID])
        super().restore(weights, {key: value for key, value in moments.items() if key != VALID})

    def _loss(self, rows: Sequence[_Row], questions: int) -> torch.Tensor:
        import torch

        batch, weights = side_by_side(rows, self.device)
        with self.head:
            self.head.pick(batch.picked)
            logits = self.model(
                input_ids=batch.ids, position_ids=batch.positions, attention_mask=batch.mask, use_cache=False
            ).logits[0]
            self.head.pick(None)
        surprise = torch.nn.functional.cross_entropy(logits.float(), batch.targets, reduction="none")
        loss: torch.Tensor = (surprise * weights).sum() / questions
        return loss


@dataclass(frozen=True)
class Aims:
    """`wanted` is the share of greedy answers that shall be valid, `price` what distance costs where it is."""

    wanted: float = 0.92
    price: float = 0.8

    def identity(self) -> dict[str, float]:
        """All of practice that decides weights, beside a recipe, as JSON takes it."""
        return asdict(self) | RULES


@dataclass(frozen=True, eq=False)
class _Row:
    """A question and those of its answers that there is something to learn from, with their weights."""

    prompt: Sequence[int]
    answers: Sequence[Sequence[int]]
    weights: NDArray[np.float64]

    @classmethod
    def of(cls, tries: Tries, advantages: NDArray[np.float64]) -> _Row:
        kept = np.flatnonzero(np.abs(advantages) > NOTHING)
        share = tries.counts / max(tries.counts.sum(), 1.0)
        return cls(tries.prompt, [tries.answers[int(i)] for i in kept], (advantages * share)[kept])

    def __len__(self) -> int:
        return len(self.prompt) + sum(map(len, self.answers))


def _alike(rows: Sequence[_Row], most: int) -> Iterator[Sequence[_Row]]:
    """Rows of like length together, at most so many: one question with long answers would otherwise pad all the others."""
    together = list[_Row]()
    for row in sorted(rows, key=len):
        if together and (len(together) == most or (len(together) + 1) * len(row) > AT_ONCE):
            yield together
            together = []
        together.append(row)
    if together:
        yield together


def side_by_side(rows: Sequence[_Row], device: torch.device) -> tuple[Batch, torch.Tensor]:
    """A question a row, its answers after it, each blind to the others; and the weight of every predicted token."""
    import torch

    longest = max(map(len, rows))
    ids = np.zeros((len(rows), longest), dtype=np.int64)
    positions = np.zeros(ids.shape, dtype=np.int64)
    owner = np.full(ids.shape, -1, dtype=np.int64)  # which answer a token belongs to; -1 is padding
    picked, targets, weights = list[int](), list[int](), list[float]()
    for r, row in enumerate(rows):
        asked = len(row.prompt)
        ids[r, :asked], positions[r, :asked], owner[r, :asked] = row.prompt, np.arange(asked), -2
        ends = asked + np.cumsum([0, *map(len, row.answers)])
        for own, (answer, weight, (start, end)) in enumerate(
            zip(row.answers, row.weights, pairwise(ends), strict=True)
        ):
            ids[r, start:end], owner[r, start:end] = answer, own
            positions[r, start:end] = np.arange(asked, asked + len(answer))
            picked += [r * longest + asked - 1, *range(r * longest + start, r * longest + end - 1)]
            targets += answer
            weights += [float(weight)] * len(answer)
    before = np.tri(longest, dtype=np.bool_)
    # The question is seen by all that follows it, padding included, so that no row of the mask is empty.
    mask = before & ((owner[:, :, None] == owner[:, None, :]) | (owner[:, None, :] == -2))
    arrays = (ids, np.array(picked), np.array(targets), positions, mask[:, None])
    batch = Batch(*(torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays))
    return batch, torch.tensor(weights, dtype=torch.float32, device=device)


def _worth(tries: Tries, price: float) -> NDArray[np.float64]:
    """What answers are worth at a price of distance, measured from the nearest valid one: those who have far to go are worth
    no less than others."""
    valid = tries.worth > 0
    nearest = tries.far[valid].min() if valid.any() else 0.0
    return np.where(valid, tries.worth * np.exp(-price * (tries.far - nearest)), 0.0)


def _advantages(tries: Sequence[Tries], worth: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """How much more each answer is worth than all answers to its question are on average, on a scale of its own for the
    whole round."""
    above = [w - np.average(w, weights=t.counts) for t, w in zip(tries, worth, strict=True)]
    squares = sum(float(t.counts @ a**2) for t, a in zip(tries, above, strict=True))
    scale = math.sqrt(squares / max(sum(t.counts.sum() for t in tries), 1.0)) + 1e-6
    return [a / scale for a in above]
