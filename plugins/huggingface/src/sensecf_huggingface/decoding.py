"""Many prompts at once: the shared beginning is read once, prompts of like length travel together, and what an answer says
does not depend on who travels with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
import xgrammar

from sensecf_huggingface.constraint import Constraint, Masks, vocabulary
from sensecf_huggingface.draws import Draws
from sensecf_huggingface.reading import Reading, read_prefix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensecf_huggingface.kvcache import Prefix
    from sensecf_huggingface.loaded import Loaded

TURNS = 3
NO_ROOM = "can't allocate memory"  # how torch says it of a CPU


class PromptTooLongError(ValueError):
    """A prompt that leaves no room for an answer."""


@dataclass(frozen=True)
class Limits:
    """How much a decoder does at once. `batch` counts answers under way; it is halved when memory runs out."""

    batch: int = 32
    threads: int = 2  # that fill the grammars' masks


@dataclass(frozen=True)
class Decoding:
    """How to choose tokens: the most probable at temperature 0, and else sampled, `samples` answers a prompt. With
    `first_greedy` the first of them is what temperature 0 would give; with `distinct` a sample that repeats another is drawn
    again beside all that was said, up to `TURNS` times."""

    max_new_tokens: int
    samples: int = 1
    temperature: float = 0.0
    first_greedy: bool = False
    distinct: bool = False

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1 or self.samples < 1 or not 0 <= self.temperature < float("inf"):
            raise ValueError(f"at least one token and one sample, and a temperature from 0 on: {self}")


@dataclass(frozen=True)
class Completion:
    """An answer, its tokens but for the one that ends it, and whether it came to its end before they ran out."""

    text: str
    ids: tuple[int, ...]
    finished: bool

    @property
    def tokens(self) -> int:
        return len(self.ids)


@dataclass(eq=False)
class _Answer:
    """An answer under way: the sample of a prompt, its grammar, and the tokens so far."""

    prompt: int
    sample: int
    suffix: Sequence[int]
    grammar: Any
    most: int
    draws: Draws
    tokens: list[int] = field(default_factory=list)
    finished: bool = False

    def restart(self) -> None:
        self.tokens, self.finished = [], False
        self.draws.restart()

    @property
    def open(self) -> bool:
        return not self.finished and len(self.tokens) < self.most


class Decoder:
    """Answers prompts with one checkpoint. Keeps the last prefix, and the batch size that fitted into memory.

    `known` is the checkpoint's vocabulary, where somebody has read it already.
    """

    def __init__(self, loaded: Loaded, limits: Limits | None = None, known: Any = None) -> None:
        self._model = loaded.model
        self._stop = frozenset(loaded.stop_ids)
        self._pad = loaded.tokenizer.pad_token_id or 0
        self._vocabulary = known or vocabulary(loaded)
        self._pieces = self._vocabulary.decoded_vocab
        self._limits = limits or Limits()
        self._pool = xgrammar.BatchGrammarMatcher(max_threads=self._limits.threads)
        self._room: int | None = getattr(self._model.config, "max_position_embeddings", None)
        self._prefix: Prefix | None = None
        self.batch = self._limits.batch

    def decode(
        self,
        prompts: Sequence[Sequence[int]],
        grammars: Sequence[Any | None],
        seeds: Sequence[int],
        how: Decoding,
    ) -> list[list[Completion]]:
        """Answer prompts, given as token ids: for each, as many completions as samples, in their order.

        A compiled grammar holds a prompt's answers; None leaves them free. Sample s of a prompt draws by its seed and s
        alone, spread over what might be said (see `draws`). Raises PromptTooLongError naming the prompt, and
        torch.OutOfMemoryError if not even one prompt fits.
        """
        if not len(prompts) == len(grammars) == len(seeds):
            raise ValueError(f"{len(prompts)} prompts, {len(grammars)} grammars and {len(seeds)} seeds")
        if not prompts:
            return []
        most = [self._most_tokens(i, ids, how) for i, ids in enumerate(prompts)]
        with torch.inference_mode():
            prefix = self._shared_prefix(prompts)
            start = 0 if prefix is None else len(prefix)
            answers = [
                _Answer(i, s, ids[start:], grammars[i], most[i], Draws(int(seeds[i]), s))
                for i, ids in enumerate(prompts)
                for s in range(how.samples)
            ]
            # Longest first, so that memory runs out at the beginning if at all.
            order = sorted(answers, key=lambda a: (-len(a.suffix), a.prompt, a.sample))
            masks = Masks(self._vocabulary.vocab_size, self._pool)
            self._write_all(order, prefix, how, masks)
            for _ in range(TURNS if how.distinct and how.temperature else 0):
                self._write_all(_to_say_otherwise(order), prefix, how, masks)
        completions: list[list[Completion]] = [[] for _ in prompts]
        for answer in answers:
            completions[answer.prompt].append(self._completion(answer))
        return completions

    def forget(self) -> None:
        """Forget what was read before: the model's weights have changed since."""
        self._prefix = None

    # -- inside --------------------------------------------------------------------------------------------------------
    def _most_tokens(self, i: int, ids: Sequence[int], how: Decoding) -> int:
        if not len(ids):
            raise ValueError(f"prompt {i} is empty")
        if self._room is None:
            return how.max_new_tokens
        if len(ids) >= self._room:
            raise PromptTooLongError(f"prompt {i} has {len(ids)} tokens, and the model reads {self._room}")
        return min(how.max_new_tokens, self._room - len(ids))

    def _shared_prefix(self, prompts: Sequence[Sequence[int]]) -> Prefix | None:
        """What all prompts begin with, each keeping at least a token of its own. What was read before is cropped to it
        rather than read again, unless it is much shorter."""
        kept = self._prefix
        shared = _common([ids[:-1] for ids in prompts])
        if kept is not None:
            old = _common([kept.ids, shared])
            if old and 2 * len(old) >= len(shared):
                self._prefix = kept if len(old) == len(kept) else kept.cropped(len(old))
                return self._prefix
        self._prefix = read_prefix(self._model, shared)
        return self._prefix

    def _write_all(self, answers: list[_Answer], prefix: Prefix | None, how: Decoding, masks: Masks) -> None:
        done = 0
        while done < len(answers):
            batch = answers[done : done + self.batch]
            try:
                self._write(batch, prefix, how, masks)
            except RuntimeError as error:
                if not _out_of_memory(error) or len(batch) == 1:
                    raise
                self.batch = max(1, len(batch) // 2)
                for answer in batch:
                    answer.restart()
            else:
                done += len(batch)
                continue
            # Out of the handler, whose traceback holds on to the tensors.
            if self._model.device.type == "cuda":
                torch.cuda.empty_cache()

    def _write(self, answers: list[_Answer], prefix: Prefix | None, how: Decoding, masks: Masks) -> None:
        """Answer a batch. Samples of one prompt read it once."""
        first = {a.prompt: a for a in answers}
        row_of = {prompt: row for row, prompt in enumerate(first)}
        reading = Reading(self._model, prefix, [a.suffix for a in first.values()], self._pad)
        if list(first) != [a.prompt for a in answers]:
            reading.take([row_of[a.prompt] for a in answers])
        constraint = Constraint([a.grammar for a in answers], masks)
        while True:
            constraint.mask(reading.logits, [i for i, a in enumerate(answers) if a.open])
            tokens = _chosen(reading.logits, answers, how)
            for i, (answer, token) in enumerate(zip(answers, tokens.tolist(), strict=True)):
                if not answer.open:
                    continue
                if token in self._stop:
                    answer.finished = True
                    continue
                answer.tokens.append(token)
                answer.finished = constraint.accept(i, token)
            left = [i for i, a in enumerate(answers) if a.open]
            if not left:
                return
            if 4 * len(left) <= 3 * len(answers):  # leaving costs a copy of what stays
                reading.take(left)
                constraint.keep(left)
                answers, tokens = [answers[i] for i in left], tokens[left]
            reading.write(tokens)

    def _completion(self, answer: _Answer) -> Completion:
        text = b"".join(self._pieces[token] for token in answer.tokens)
        return Completion(text.decode("utf-8", errors="replace"), tuple(answer.tokens), answer.finished)


def _to_say_otherwise(answers: Sequence[_Answer]) -> list[_Answer]:
    """Those that repeat an earlier sample of their prompt, ready to be drawn again where anything else can be said."""
    said: dict[int, dict[tuple[int, ...], _Answer]] = {}
    repeated = [a for a in answers if said.setdefault(a.prompt, {}).setdefault(tuple(a.tokens), a) is not a]
    again = []
    for answer in repeated:
        places = (a.draws.place for a in said[answer.prompt].values())
        if answer.draws.again([place for place in places if place is not None]):
            answer.restart()
            again.append(answer)
    return again


def _chosen(logits: torch.Tensor, answers: list[_Answer], how: Decoding) -> torch.Tensor:
    """The next token of each row, shape `(n,)`.

    Sampling turns the distribution function around at one number that the answer draws for itself, so that the same
    distribution gives the same token whatever else is in the batch, and tells the answer where that token lies.
    """
    probable = logits.argmax(dim=-1)
    if how.temperature == 0:
        return probable
    shares = torch.softmax(logits.double() / how.temperature, dim=-1).cumsum(dim=-1)
    total = shares[:, -1:]
    points = torch.tensor([a.draws.point if a.open else 0.0 for a in answers], dtype=torch.float64)[:, None]
    wanted = torch.minimum(points.to(logits.device) * total, torch.nextafter(total, torch.zeros_like(total)))
    chosen = torch.searchsorted(shares, wanted, right=True)
    if how.first_greedy:
        first = torch.tensor([[a.sample == 0] for a in answers], device=logits.device)
        chosen = torch.where(first, probable[:, None], chosen)
    below = torch.where(chosen > 0, shares.gather(1, (chosen - 1).clamp(min=0)), 0.0) / total
    above = shares.gather(1, chosen) / total
    for answer, low, high in zip(answers, below[:, 0].tolist(), above[:, 0].tolist(), strict=True):
        if answer.open:
            answer.draws.narrow(low, high)
    return chosen[:, 0]


def _common(sequences: Sequence[Sequence[int]]) -> list[int]:
    """What all sequences begin with. Between the least and the greatest of them lie all the others."""
    low, high = min(map(list, sequences)), max(map(list, sequences))
    for i, (one, other) in enumerate(zip(low, high)):  # noqa: B905 - the shorter one ends it
        if one != other:
            return low[:i]
    return low[: min(len(low), len(high))]


def _out_of_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or NO_ROOM in str(error)
