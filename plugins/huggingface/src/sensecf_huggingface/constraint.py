"""Holding a batch of answers to their grammars while they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import xgrammar

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sensecf_huggingface.grammar import EditGrammar
    from sensecf_huggingface.loaded import Loaded

    CompiledGrammar = Any  # xgrammar's own, which brings no types along

FEW = 4  # masks that are filled sooner than threads are told of them
KEPT_BYTES = 2**25  # of masks that may be wanted again
BEFORE_ALL = -1  # where no grammar has begun


class Compiler:
    """Compiles grammars for one checkpoint's vocabulary, or for some `words` of it; a text that was compiled before is not
    compiled again."""

    def __init__(
        self, loaded: Loaded, words: Collection[str] | None = None, *, threads: int = 2, cache_bytes: int = 2**29
    ) -> None:
        self.vocabulary = vocabulary(loaded, words)
        self._compiler = xgrammar.GrammarCompiler(
            self.vocabulary, max_threads=threads, cache_enabled=True, cache_limit_bytes=cache_bytes
        )

    def compile(self, grammar: EditGrammar) -> CompiledGrammar:
        return self._compiler.compile_grammar(grammar.text)


def vocabulary(loaded: Loaded, words: Collection[str] | None = None) -> Any:
    """The bytes of every token as xgrammar wants them; with `words`, tokens of other texts say nothing.

    Control tokens say nothing, so that no answer can contain one as if its name were text. Ids of the output layer that the
    tokenizer does not know, because it was padded to a round number, say nothing either.
    """
    tokenizer = loaded.tokenizer
    size = loaded.model.get_output_embeddings().weight.shape[0]
    info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=size, stop_token_ids=list(loaded.stop_ids))
    pieces = list(info.decoded_vocab)
    control = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special} | set(
        tokenizer.all_special_ids
    )
    for i in control:
        if i < size:
            pieces[i] = b""
    if words is not None:
        known = {word.encode() for word in words}
        pieces = [piece if piece in known else b"" for piece in pieces]
    return xgrammar.TokenizerInfo(pieces, vocab_size=size, stop_token_ids=list(loaded.stop_ids))


class Masks:
    """What may come next in answers that stand alike, worked out once: many answers of a batch begin in the same way.

    Where an answer stands is a number, which its grammar and its tokens so far decide. Grammars are told apart as objects,
    so whoever holds this holds them too.
    """

    def __init__(self, size: int, pool: Any) -> None:
        self._size = size
        self._pool = pool
        self._places: dict[tuple[int, int], int] = {}
        self._known: dict[int, torch.Tensor] = {}
        self._most = KEPT_BYTES // max(1, size // 8)

    def start(self, grammar: CompiledGrammar) -> int:
        return self._place(BEFORE_ALL, id(grammar))

    def after(self, place: int, token: int) -> int:
        return self._place(place, token)

    def of(self, standing: Sequence[tuple[int, Any]]) -> torch.Tensor:
        """The masks of answers, each given by its place and its matcher; shape `(n, words)` of 32 tokens each."""
        new = {place: matcher for place, matcher in standing if place not in self._known}
        filled: dict[int, torch.Tensor] = {}
        if new:
            bits = xgrammar.allocate_token_bitmask(len(new), self._size)
            if len(new) <= FEW:
                for i, matcher in enumerate(new.values()):
                    matcher.fill_next_token_bitmask(bits, i)
            else:
                self._pool.batch_fill_next_token_bitmask(list(new.values()), bits)
            filled = dict(zip(new, bits, strict=True))
        masks = torch.stack([filled[p] if p in filled else self._known[p] for p, _ in standing])
        if len(self._known) + len(filled) > self._most:
            self._known.clear()
        self._known.update(filled)
        return masks

    def _place(self, before: int, step: int) -> int:
        return self._places.setdefault((before, step), len(self._places))


class Constraint:
    """The state of every answer of a batch in its grammar; None in place of a grammar leaves an answer free."""

    def __init__(self, grammars: Sequence[CompiledGrammar | None], masks: Masks) -> None:
        self._masks = masks
        self._matchers: list[Any] = [
            None if grammar is None else xgrammar.GrammarMatcher(grammar, terminate_without_stop_token=True)
            for grammar in grammars
        ]
        self._places = [BEFORE_ALL if grammar is None else masks.start(grammar) for grammar in grammars]

    def mask(self, logits: torch.Tensor, open_rows: Sequence[int]) -> None:
        """Rule out what the grammars do not allow next, in place; `logits` of shape `(n, vocabulary)`."""
        rows = [i for i in open_rows if self._matchers[i] is not None]
        if not rows:
            return
        bits = self._masks.of([(self._places[i], self._matchers[i]) for i in rows]).to(logits.device, non_blocking=True)
        if len(rows) == len(logits):
            xgrammar.apply_token_bitmask_inplace(logits, bits)
        else:
            held = logits[rows]
            xgrammar.apply_token_bitmask_inplace(held, bits)
            logits[rows] = held

    def accept(self, row: int, token: int) -> bool:
        """Take a token; whether the answer is complete with it."""
        matcher = self._matchers[row]
        if matcher is None:
            return False
        if not matcher.accept_token(token):
            raise RuntimeError(f"the grammar allowed token {token} and then did not take it")
        self._places[row] = self._masks.after(self._places[row], token)
        return bool(matcher.is_terminated())

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone, in this order."""
        self._matchers = [self._matchers[i] for i in rows]
        self._places = [self._places[i] for i in rows]
