"""Keys and values of what a model has read: room to write in, and a beginning that all rows of a batch share.

transformers' own cache is joined anew at every token, which costs more than the model where the model is small. Here a
layer has room beyond what it holds, and tokens are written into it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers.cache_utils import Cache, CacheLayerMixin

SPARE = 32  # tokens


@dataclass(frozen=True, eq=False)
class Prefix:
    """The beginning of prompts: its token ids, and each layer's keys and values of shape `(1, heads, tokens, size)`."""

    ids: tuple[int, ...]
    layers: tuple[tuple[torch.Tensor, torch.Tensor], ...]

    def __len__(self) -> int:
        return len(self.ids)

    def cropped(self, length: int) -> Prefix:
        return Prefix(self.ids[:length], tuple((k[:, :, :length], v[:, :, :length]) for k, v in self.layers))


class RoomyLayer(CacheLayerMixin):  # type: ignore[misc]  # transformers' types are not followed
    """One layer's keys and values of shape `(n, heads, tokens, size)`.

    A prefix is copied into every row, or held apart where attention can look at it there (see `sharing`).
    """

    is_sliding = False

    def __init__(self, prefix: tuple[torch.Tensor, torch.Tensor] | None, *, apart: bool) -> None:
        super().__init__()
        self._prefix = prefix
        self._apart = apart
        self._held = 0
        self._before = prefix[0].shape[2] if apart and prefix is not None else 0

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        copied = None if self._apart else self._prefix
        self._held = 0 if copied is None else copied[0].shape[2]
        rows, heads, tokens, _ = key_states.shape
        room = self._held + tokens + SPARE
        self.keys = key_states.new_empty(rows, heads, room, key_states.shape[-1])
        self.values = value_states.new_empty(rows, heads, room, value_states.shape[-1])
        if copied is not None:
            self.keys[:, :, : self._held], self.values[:, :, : self._held] = copied
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        until = self._held + key_states.shape[2]
        if until > self.keys.shape[2]:
            self.keys, self.values = _widened(self.keys, until), _widened(self.values, until)
        self.keys[:, :, self._held : until] = key_states
        self.values[:, :, self._held : until] = value_states
        self._held = until
        return self.keys[:, :, :until], self.values[:, :, :until]

    def take(self, rows: torch.Tensor) -> None:
        """Go on with these rows alone, in this order; a row may come more than once."""
        self.keys, self.values = self.keys[rows], self.values[rows]

    @property
    def held(self) -> tuple[torch.Tensor, torch.Tensor]:
        return self.keys[:, :, : self._held], self.values[:, :, : self._held]

    def get_seq_length(self) -> int:
        return self._before + self._held

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0

    def get_max_length(self) -> int:
        return -1


def cache_after(prefix: Prefix | None, layers: int, *, apart: bool) -> Cache:
    """An empty cache for rows that begin with a prefix."""
    parts = [None] * layers if prefix is None else prefix.layers
    return Cache(layers=[RoomyLayer(part, apart=apart) for part in parts])


def _widened(states: torch.Tensor, until: int) -> torch.Tensor:
    rows, heads, room, size = states.shape
    wider = states.new_empty(rows, heads, max(until + SPARE, room + room // 2), size)
    wider[:, :, :room] = states
    return wider
