"""Predictions only where they are asked for."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from sensecf_bench.errors import ConfigError

if TYPE_CHECKING:
    import torch


class PickedHead:
    """While open, `model` computes logits at picked positions only, shape `(1, picked, vocabulary)`.

    A vocabulary of 128,000 over every position of a prompt would take more memory than the model. The positions are chosen
    in front of the output layer, so that whatever a model does to its logits afterwards, such as capping them, stays.
    """

    def __init__(self, model: Any) -> None:
        self._head = model.get_output_embeddings()
        if self._head is None:
            raise ConfigError(f"{type(model).__name__} has no output layer over the vocabulary", "use a causal LM")
        self._picked: torch.Tensor | None = None
        self._hook: Any = None

    def pick(self, positions: torch.Tensor | None) -> None:
        """Positions into rows x length, shape `(picked,)`; None: all, as if this were not here."""
        self._picked = positions

    def __enter__(self) -> PickedHead:
        self._hook = self._head.register_forward_pre_hook(self._select)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._hook.remove()

    def _select(self, module: Any, arguments: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
        if self._picked is None:
            return None
        (hidden,) = arguments
        return (hidden.reshape(-1, hidden.shape[-1])[self._picked].unsqueeze(0),)
