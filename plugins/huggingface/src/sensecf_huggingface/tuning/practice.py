"""Practice: a model answers as it is asked later, and is moved towards what its answers had better have said.

Nothing is taught word for word. Every word of what a model says is held against all that might stand there (see `sweeps`), by
the classifier's verdict on the whole answer, which is what it will be measured by.

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
from sensecf_huggingface.tuning.sweeps import HOPE, NOTHING, Choice, Sweep, priced, shortfall

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from sensecf_huggingface.tuning.recipe import Recipe

CHEAPEST, DEAREST = 0.1, 6.0
SWAY = 5.0  # that the share of valid answers has over the price, as an exponent
LATELY = 0.8  # weight of earlier steps in what that share is
VALID = "valid|lately"  # where a checkpoint keeps it
AT_ONCE = 4096  # tokens, padding included, that go through the model together where rows are short enough
FORMAT = 4  # of all else that decides the weights; a change that moves them counts it up
RULES = {
    "format": FORMAT,
    "cheapest": CHEAPEST,
    "dearest": DEAREST,
    "sway": SWAY,
    "lately": LATELY,
    "nothing": NOTHING,
    "hope": HOPE,
}


@dataclass(frozen=True, eq=False)
class Tries:
    """A question, the different answers that were given, and the sweeps of each."""

    prompt: Sequence[int]
    answers: Sequence[Sequence[int]]
    sweeps: Sequence[Sequence[Sweep]]


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
        """Of a unit of distance, as an exponent."""
        return min(max(self.aims.price * math.exp(SWAY * (self.valid - self.aims.wanted)), CHEAPEST), DEAREST)

    def __enter__(self) -> Practice:
        self.model.train()
        return self

    def __exit__(self, *error: Any) -> None:
        self.model.eval()

    def step(self, chosen: NDArray[np.intp], step: int, rate: float) -> torch.Tensor:
        """Try answers to the questions at these positions, and learn from them. Returns what their choices fall short of being
        worth on average, from 0 to 1, a tensor without dimensions."""
        import torch

        chance = np.random.default_rng([self.recipe.seed, step, len(self.lengths)])
        torch.manual_seed(int(chance.integers(2**63)))
        self.model.eval()
        with merged(self.model):
            round_ = self.tutor.round(self.model, chosen, chance)
        self.model.train()
        self.valid = LATELY * self.valid + (1 - LATELY) * round_.valid
        work = [_Row.of(tries, self.price) for tries in round_.tries]
        made = sum(row.made for row in work)
        short = torch.zeros((), device=self.device)
        self.optimiser.zero_grad()
        for rows in _alike([row for row in work if row.made], self.recipe.microbatch):
            loss = self._loss(rows) / made
            loss.backward()
            short += loss.detach()
        self.update(rate)
        return short

    def moments(self) -> dict[str, torch.Tensor]:
        import torch

        return {**super().moments(), VALID: torch.tensor(self.valid, dtype=torch.float64)}

    def restore(self, weights: Mapping[str, torch.Tensor], moments: Mapping[str, torch.Tensor]) -> None:
        self.valid = float(moments[VALID])
        super().restore(weights, {key: value for key, value in moments.items() if key != VALID})

    def _loss(self, rows: Sequence[_Row]) -> torch.Tensor:
        """The sum of what the choices of these rows fall short."""
        batch = side_by_side(rows, self.device)
        with self.head:
            self.head.pick(batch.picked)
            logits = self.model(
                input_ids=batch.ids, position_ids=batch.positions, attention_mask=batch.mask, use_cache=False
            ).logits[0]
            self.head.pick(None)
        return shortfall(logits, batch.at, batch.choices).sum()


@dataclass(frozen=True)
class Aims:
    """`wanted` is the share of greedy answers that shall be valid, `price` what distance costs where it is."""

    wanted: float = 0.9
    price: float = 0.8

    def identity(self) -> dict[str, float]:
        """All of practice that decides weights, beside a recipe, as JSON takes it."""
        return asdict(self) | RULES


@dataclass(frozen=True, eq=False)
class _Row:
    """A question and those of its answers in which there are choices to learn from."""

    prompt: Sequence[int]
    answers: Sequence[Sequence[int]]
    choices: Sequence[Sequence[Choice]]

    @classmethod
    def of(cls, tries: Tries, price: float) -> _Row:
        choices = priced(tries.sweeps, price)
        kept = [i for i, some in enumerate(choices) if some]
        return cls(tries.prompt, [tries.answers[i] for i in kept], [choices[i] for i in kept])

    def __len__(self) -> int:
        return len(self.prompt) + sum(map(len, self.answers))

    @property
    def made(self) -> int:
        return sum(map(len, self.choices))


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


def side_by_side(rows: Sequence[_Row], device: torch.device) -> Batch:
    """A question a row, its answers after it, each blind to the others."""
    import torch

    longest = max(map(len, rows))
    ids = np.zeros((len(rows), longest), dtype=np.int64)
    positions = np.zeros(ids.shape, dtype=np.int64)
    owner = np.full(ids.shape, -1, dtype=np.int64)  # which answer a token belongs to; -1 is padding
    picked, targets, at, choices = list[int](), list[int](), list[int](), list[Choice]()
    for r, row in enumerate(rows):
        asked = len(row.prompt)
        ids[r, :asked], positions[r, :asked], owner[r, :asked] = row.prompt, np.arange(asked), -2
        ends = asked + np.cumsum([0, *map(len, row.answers)])
        for own, (answer, some, (start, end)) in enumerate(zip(row.answers, row.choices, pairwise(ends), strict=True)):
            ids[r, start:end], owner[r, start:end] = answer, own
            positions[r, start:end] = np.arange(asked, asked + len(answer))
            at += [len(targets) + choice.place for choice in some]
            choices += some
            picked += [r * longest + asked - 1, *range(r * longest + start, r * longest + end - 1)]
            targets += answer
    before = np.tri(longest, dtype=np.bool_)
    # The question is seen by all that follows it, padding included, so that no row of the mask is empty.
    mask = before & ((owner[:, :, None] == owner[:, None, :]) | (owner[:, None, :] == -2))

    def tensor(array: NDArray[Any]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    return Batch(
        tensor(ids),
        tensor(np.array(picked)),
        tensor(np.array(targets)),
        choices,
        at,
        tensor(positions),
        tensor(mask[:, None]),
    )
