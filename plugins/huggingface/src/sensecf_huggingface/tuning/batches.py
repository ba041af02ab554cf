"""Examples become tensors: which of them make up a step, and how they lie in memory together.

Answers to the same task begin with the same long prompt. Several of them can lie in one row, the common beginning
first and once, each remainder after it blind to the others: position numbers and the attention mask make each see just
what it would see alone. The loss is the same up to rounding; the work saved is nearly all of the prompt's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_huggingface.tuning.examples import Example
from sensecf_huggingface.tuning.sweeps import Choice

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Batch:
    """What goes through the model at once. `picked` are the positions that predict the scored tokens, `targets`."""

    ids: torch.Tensor  # (rows, length) int64
    picked: torch.Tensor  # (targets,) int64, into rows x length
    targets: torch.Tensor  # (targets,) int64
    choices: Sequence[Choice] = ()
    at: Sequence[int] = ()  # of each choice: which of the targets it is made for
    positions: torch.Tensor | None = None  # (rows, length) int64; None: 0, 1, 2, …
    mask: torch.Tensor | None = None  # (rows, 1, length, length), True where attention may look; None: causal


class Order:
    """Which examples make up which step: every one once an epoch, by the seed alone. Within a window of so many batches those
    of like length are together."""

    def __init__(self, lengths: NDArray[np.intp], batch: int, seed: int, window: int) -> None:
        self.lengths, self.batch, self.seed, self.window = lengths, batch, seed, window
        self.steps_in_epoch = -(-len(lengths) // batch)
        self._epoch, self._batches = -1, list[Any]()

    def step(self, step: int) -> NDArray[np.intp]:
        """Positions of the examples of a step (the first is 0), shape `(at most batch,)`, the longest first."""
        epoch, place = divmod(step, self.steps_in_epoch)
        if epoch != self._epoch:
            self._epoch, self._batches = epoch, list(self._shuffled(epoch))
        chosen: NDArray[np.intp] = self._batches[place]
        return chosen

    def _shuffled(self, epoch: int) -> Iterator[NDArray[np.intp]]:
        chance = np.random.default_rng([self.seed, epoch])
        shuffled = chance.permutation(len(self.lengths))
        batches = []
        for start in range(0, len(shuffled), self.window * self.batch):
            window = shuffled[start : start + self.window * self.batch]
            alike = window[np.argsort(-self.lengths[window], kind="stable")]
            batches += [alike[i : i + self.batch] for i in range(0, len(alike), self.batch)]
        for place in chance.permutation(len(batches)):
            yield batches[place]


class Collator:
    """Makes batches of the examples at given positions; `together` of them share a row and their common beginning."""

    def __init__(self, examples: Sequence[Example], device: torch.device, together: int = 1) -> None:
        self.ids = [np.asarray(e.ids, dtype=np.int64) for e in examples]
        self.scored = [np.asarray(e.scored, dtype=np.bool_) for e in examples]
        self.choices = [e.choices for e in examples]
        self.lengths = np.array([len(ids) for ids in self.ids])
        self.device, self.together = device, together
        self.prefix = shared_prefix(examples)

    def targets(self, chosen: NDArray[np.intp]) -> int:
        return sum(int(self.scored[i].sum()) for i in chosen)

    def made(self, chosen: NDArray[np.intp]) -> int:
        """How many choices there are in the examples at these positions."""
        return sum(len(self.choices[i]) for i in chosen)

    def batch(self, chosen: NDArray[np.intp]) -> Batch:
        """The examples at these positions as one batch."""
        if self.together == 1 or len(chosen) == 1:
            return self._padded(chosen)
        return self._packed(chosen)

    def _padded(self, chosen: NDArray[np.intp]) -> Batch:
        """An example a row, padded on the right, where causal attention never looks."""
        ids = np.zeros((len(chosen), int(self.lengths[chosen].max())), dtype=np.int64)
        scored = np.zeros(ids.shape, dtype=np.bool_)
        begins = np.arange(len(chosen)) * ids.shape[1]
        for row, i in enumerate(chosen):
            ids[row, : self.lengths[i]] = self.ids[i]
            scored[row, : self.lengths[i]] = self.scored[i]
        return self._on_device(ids, scored, zip(chosen, begins, strict=True))

    def _packed(self, chosen: NDArray[np.intp]) -> Batch:
        prefix, rows = self.prefix, [chosen[i : i + self.together] for i in range(0, len(chosen), self.together)]
        longest = prefix + max(int((self.lengths[row] - prefix).sum()) for row in rows)
        ids = np.zeros((len(rows), longest), dtype=np.int64)
        scored = np.zeros(ids.shape, dtype=np.bool_)
        positions = np.zeros(ids.shape, dtype=np.int64)
        owner = np.full(ids.shape, -1, dtype=np.int64)  # which remainder a token belongs to; -1 is padding
        ids[:, :prefix] = self.ids[chosen[0]][:prefix]
        positions[:, :prefix] = np.arange(prefix)
        begins = list[tuple[int, int]]()
        for r, row in enumerate(rows):
            ends = prefix + np.cumsum([0, *(self.lengths[row] - prefix)])
            for own, (i, (start, end)) in enumerate(zip(row, pairwise(ends), strict=True)):
                ids[r, start:end] = self.ids[i][prefix:]
                scored[r, start:end] = self.scored[i][prefix:]
                positions[r, start:end] = np.arange(prefix, self.lengths[i])
                owner[r, start:end] = own
                begins.append((i, r * longest + start - prefix))
        before = np.tri(longest, dtype=np.bool_)
        # The prefix is seen by all that follows it, padding included, so that no row of the mask is empty.
        mask = before & ((owner[:, :, None] == owner[:, None, :]) | (np.arange(longest) < prefix))
        return self._on_device(ids, scored, begins, positions, mask[:, None])

    def _on_device(
        self,
        ids: NDArray[np.int64],
        scored: NDArray[np.bool_],
        begins: Iterable[tuple[int, int]],
        positions: NDArray[np.int64] | None = None,
        mask: NDArray[np.bool_] | None = None,
    ) -> Batch:
        """`begins` says of each example where its first token would lie, in rows x length."""
        import torch

        def tensor(array: NDArray[Any]) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(array)).to(self.device, non_blocking=True)

        flat = np.flatnonzero(scored)
        made = [(choice, begin + choice.place) for i, begin in begins for choice in self.choices[i]]
        return Batch(
            tensor(ids),
            tensor(flat - 1),
            tensor(ids.ravel()[flat]),
            [choice for choice, _ in made],
            np.searchsorted(flat, [place for _, place in made]).tolist(),
            None if positions is None else tensor(positions),
            None if mask is None else tensor(mask),
        )


def shared_prefix(examples: Sequence[Example]) -> int:
    """How many tokens all examples begin with alike. The one that predicts the first target is never among them, since
    each example has a prediction of its own to make there."""
    first = np.asarray(examples[0].ids)
    shared = min(example.scored.index(True) for example in examples) - 1
    for example in examples:
        ids = np.asarray(example.ids[:shared])
        different = np.flatnonzero(ids != first[:shared])
        shared = int(different[0]) if len(different) else shared
    return max(shared, 0)


def worth_packing(collator: Collator, model: Any, microbatch: int) -> int:
    """How many examples to put in a row: with more, the shared prefix is computed less often, yet attention, which costs
    the square of the length, looks in vain at the neighbours. Counted in multiplications an example."""
    if collator.prefix == 0 or microbatch == 1:
        return 1
    remainder = float(collator.lengths.mean()) - collator.prefix
    config = model.config.get_text_config()
    weights: int = sum(p.numel() for p in model.parameters() if p.dim() == 2)
    dense = weights - int(model.get_input_embeddings().weight.numel())
    attention: int = 2 * config.num_hidden_layers * config.hidden_size

    def cost(together: int) -> float:
        length = collator.prefix + together * remainder
        return length * (dense + attention * length) / together

    return min(_powers_of_two(microbatch), key=cost)


def _powers_of_two(most: int) -> Iterator[int]:
    n = 1
    while n <= most:
        yield n
        n *= 2
