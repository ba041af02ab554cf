"""Parameters and their optimiser: what every training has, whatever its gradients come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from sensecf_huggingface.tuning.recipe import Recipe


class Optimised:
    """The parameters that are trained, by name, and AdamW over them."""

    def __init__(self, parameters: Mapping[str, torch.nn.Parameter], recipe: Recipe) -> None:
        import torch

        self.recipe, self.parameters = recipe, dict(parameters)
        self.device = next(iter(self.parameters.values())).device
        # One kernel for all parameters: with small models the update would otherwise cost as much as the arithmetic.
        self.optimiser = torch.optim.AdamW(
            self.parameters.values(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
        )

    def update(self, rate: float) -> None:
        """Follow the gradients that there are, at this learning rate."""
        import torch

        for group in self.optimiser.param_groups:
            group["lr"] = rate
        torch.nn.utils.clip_grad_norm_(self.parameters.values(), self.recipe.clip)
        self.optimiser.step()

    def moments(self) -> dict[str, torch.Tensor]:
        """The optimiser's state, by parameter name and by what it is."""
        states = ((name, self.optimiser.state[p]) for name, p in self.parameters.items())
        return {f"{name}|{what}": value for name, state in states for what, value in state.items()}

    def restore(self, weights: Mapping[str, torch.Tensor], moments: Mapping[str, torch.Tensor]) -> None:
        """Go on from saved weights and moments."""
        self.load(weights)
        for key, value in moments.items():
            name, _, what = key.rpartition("|")
            self.optimiser.state[self.parameters[name]][what] = value.to(self.device)

    def load(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Put weights into the parameters."""
        import torch

        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(weights[name])
