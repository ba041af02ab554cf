"""An adapter as part of the weights, for as long as a model only speaks and does not learn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@contextmanager
def merged(model: torch.nn.Module) -> Iterator[None]:
    """Add an adapter's products into the weights while in here: a layer is then one product instead of three.

    Taking them out again would leave the weights rounded otherwise, so they are kept and put back, to the bit.
    """
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    weights = [layer.get_base_layer().weight for layer in layers]
    kept = [weight.detach().clone() for weight in weights]
    for layer in layers:
        layer.merge()
    try:
        yield
    finally:
        for layer in layers:
            layer.unmerge()
        with torch.no_grad():
            for weight, before in zip(weights, kept, strict=True):
                weight.copy_(before)
