"""LoRA through the weights instead of beside them, while a small model learns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from sensecf_bench.errors import ConfigError

if TYPE_CHECKING:
    import torch
    from peft.tuners.lora import Linear


@contextmanager
def composed(model: torch.nn.Module) -> Iterator[None]:
    """Add the product of each adapter to its weight, and multiply once, while in here; gradients reach the adapter as ever.

    Beside the weight, an adapter costs two thin products, a scaling and a sum over all activations. Where weights are small
    next to a batch's activations, composing them anew each step costs next to nothing; a large model would need the memory
    of all its weights again. Raises ConfigError for adapters with dropout, which has to act on activations.
    """
    from peft.tuners.lora import Linear

    layers = [module for module in model.modules() if isinstance(module, Linear)]
    if any(getattr(dropout, "p", 0.0) for layer in layers for dropout in layer.lora_dropout.values()):
        raise ConfigError("an adapter with dropout cannot be learnt through the weights", "set dropout=0.0")
    for layer in layers:
        layer.forward = partial(_forward, layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


def _forward(layer: Linear, x: torch.Tensor) -> torch.Tensor:
    import torch

    base = layer.get_base_layer()
    if layer.merged:
        return base(x)
    weight = base.weight
    for adapter in layer.active_adapters:
        weight = weight + layer.get_delta_weight(adapter)
    return torch.nn.functional.linear(x, weight, base.bias)
