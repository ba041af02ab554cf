"""Holding a batch of answers to their grammars while they are written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import xgrammar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensecf_huggingface.grammar import EditGrammar
    from sensecf_huggingface.loaded import Loaded

    CompiledGrammar = Any  # xgrammar's own, which brings no types along

FEW = 4  # masks that are filled sooner than threads are told of them


class Compiler:
    """Compiles grammars for one checkpoint's vocabulary; a text that was compiled before is not compiled again."""

    def __init__(self, loaded: Loaded, *, threads: int = 2, cache_bytes: int = 2**29) -> None:
        self._compiler = xgrammar.GrammarCompiler(
            vocabulary(loaded), max_threads=threads, cache_enabled=True, cache_limit_bytes=cache_bytes
        )

    def compile(self, grammar: EditGrammar) -> CompiledGrammar:
        return self._compiler.compile_grammar(grammar.text)


def vocabulary(loaded: Loaded) -> Any:
    """The bytes of every token as xgrammar wants them.

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
    return xgrammar.TokenizerInfo(pieces, vocab_size=size, stop_token_ids=list(loaded.stop_ids))


class Constraint:
    """The state of every answer of a batch in its grammar; None in place of a grammar leaves an answer free."""

    def __init__(self, grammars: Sequence[CompiledGrammar | None], size: int, pool: Any) -> None:
        self._matchers: list[Any] = [
            None if grammar is None else xgrammar.GrammarMatcher(grammar, terminate_without_stop_token=True)
            for grammar in grammars
        ]
        self._pool = pool
        self._bits = xgrammar.allocate_token_bitmask(len(grammars), size)

    def mask(self, logits: torch.Tensor, open_rows: Sequence[int]) -> None:
        """Rule out what the grammars do not allow next, in place; `logits` of shape `(n, vocabulary)`."""
        held = [(i, matcher) for i in open_rows if (matcher := self._matchers[i]) is not None]
        if not held:
            return
        rows = [i for i, _ in held]
        if len(held) <= FEW:
            for i, matcher in held:
                matcher.fill_next_token_bitmask(self._bits, i)
        else:
            self._pool.batch_fill_next_token_bitmask([matcher for _, matcher in held], self._bits, rows)
        bits = self._bits if logits.device.type == "cpu" else self._bits.to(logits.device, non_blocking=True)
        xgrammar.apply_token_bitmask_inplace(logits, bits, indices=None if len(rows) == len(logits) else rows)

    def accept(self, row: int, token: int) -> bool:
        """Take a token; whether the answer is complete with it."""
        matcher = self._matchers[row]
        if matcher is None:
            return False
        if not matcher.accept_token(token):
            raise RuntimeError(f"the grammar allowed token {token} and then did not take it")
        return bool(matcher.is_terminated())

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone, in this order."""
        self._matchers = [self._matchers[i] for i in rows]
        self._bits = self._bits[: len(rows)]
