"""A batch of prompts being read and answered: the one place that speaks to the model.

All rows begin with the same prefix, which was read before. What follows it is padded on the left to one length, so that all
rows write their next token into the same place:

    prefix ‖ padding ‖ the row's own prompt ‖ the answer so far

A key may be looked at if it is no padding and not ahead; with a sliding window, if it is also not too far behind. Distance
is counted in positions and not in places, so padding takes up none of a window.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch

from sensecf_huggingface.kvcache import Prefix, cache_after
from sensecf_huggingface.sharing import can_share, shared_attention

if TYPE_CHECKING:
    from collections.abc import Sequence

SHARED_FROM = 16  # tokens; a shorter prefix is copied sooner than looked at apart
FULL, SLIDING = "full_attention", "sliding_attention"


def read_prefix(model: Any, ids: Sequence[int]) -> Prefix | None:
    """Read the beginning that prompts share; None if there is none."""
    if not ids:
        return None
    reading = Reading(model, None, [ids], pad=ids[0])
    return Prefix(tuple(ids), tuple(layer.held for layer in reading.cache.layers))


class Reading:
    """Prompts after a prefix, read; `logits` of shape `(n, vocabulary)`, in float32, say what comes next."""

    def __init__(self, model: Any, prefix: Prefix | None, suffixes: Sequence[Sequence[int]], pad: int) -> None:
        self._model = model
        self._kinds = attention_kinds(model.config)
        shared = prefix is not None and len(prefix) >= SHARED_FROM and can_share(model)
        self._prefix = prefix if shared else None
        self.cache = cache_after(prefix, model.config.num_hidden_layers, apart=shared)
        before = 0 if prefix is None else len(prefix)
        longest = max(map(len, suffixes))
        padded = [[pad] * (longest - len(ids)) + list(ids) for ids in suffixes]
        empty = torch.tensor([longest - len(ids) for ids in suffixes])[:, None]
        places = torch.arange(longest)[None] - empty
        # Positions of all keys in the cache, shape (n, keys); -1 is padding.
        own = torch.where(places < 0, -1, places + before)
        known = torch.arange(0 if shared else before).expand(len(padded), -1)
        self._positions = torch.cat([known, own], 1).to(model.device)
        self.logits = self._forward(torch.tensor(padded), own.clamp(min=0))

    def take(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone, in this order; a row may come more than once."""
        chosen = torch.tensor(rows, device=self._model.device)
        for layer in self.cache.layers:
            layer.take(chosen)
        self._positions, self.logits = self._positions[chosen], self.logits[chosen]

    def write(self, tokens: torch.Tensor) -> None:
        """Append a token to each row, shape `(n,)`."""
        position = self._positions[:, -1:] + 1
        self._positions = torch.cat([self._positions, position], 1)
        self.logits = self._forward(tokens[:, None], position)

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        model = self._model
        more = {} if self._prefix is None else {"shared_prefix": self._prefix}
        with nullcontext() if self._prefix is None else shared_attention(model):
            said = model(
                input_ids=ids.to(model.device),
                position_ids=positions.to(model.device),
                attention_mask=self._masks(ids.shape[1]),
                past_key_values=self.cache,
                use_cache=True,
                logits_to_keep=1,
                **more,
            )
        logits: torch.Tensor = said.logits[:, -1].float()
        return logits

    def _masks(self, asked: int) -> Any:
        masks = {kind: self._mask(asked, window) for kind, window in self._kinds.items()}
        return masks if len(masks) > 1 else next(iter(masks.values()))

    def _mask(self, asked: int, window: int | None) -> torch.Tensor:
        """Which keys the last `asked` tokens may look at, shape `(n, 1, asked, keys)`."""
        keys = self._positions[:, None, None, :]
        if asked == 1:
            allowed = keys >= 0
            if window is not None:
                allowed = allowed & (self._positions[:, None, -1:, None] - keys < window)
        else:
            queries = self._positions[:, None, -asked:, None]
            allowed = (keys >= 0) & (keys <= queries)
            if window is not None:
                allowed = allowed & (queries - keys < window)
            # Padding looks at itself, because a softmax over nothing is not a number.
            places = torch.arange(keys.shape[-1], device=keys.device)
            allowed = allowed | (places[-asked:, None] == places)
        if self._prefix is None:
            return allowed
        hidden = torch.zeros(allowed.shape, dtype=self._model.dtype, device=keys.device)
        return hidden.masked_fill_(~allowed, float("-inf"))


def attention_kinds(config: Any) -> dict[str, int | None]:
    """The kinds of attention in a model, and how far each looks back (None: all the way).

    Raises ValueError for kinds that keep something else than keys and values.
    """
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or [FULL if window is None else SLIDING])
    unknown = sorted(kinds - {FULL, SLIDING})
    if unknown:
        raise ValueError(
            f"a model with {', '.join(unknown)} cannot be decoded here, only full and sliding attention can"
        )
    return {kind: window if kind == SLIDING else None for kind in sorted(kinds)}
