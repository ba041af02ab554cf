"""One optimiser step: forward, backward and update over a batch that may go through the model in parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sensecf_bench.errors import ConfigError
from sensecf_huggingface.tuning.batches import Batch, Collator, worth_packing
from sensecf_huggingface.tuning.head import PickedHead
from sensecf_huggingface.tuning.optimising import Optimised
from sensecf_huggingface.tuning.sweeps import shortfall

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from sensecf_huggingface.tuning.examples import Example
    from sensecf_huggingface.tuning.recipe import Recipe

Say = Callable[[str], None]
VERDICT = 6.0  # nats that an answer worth nothing counts beside one worth everything, where there is a choice
TOLERANCE = {"float32": 1e-3, "bfloat16": 5e-2}  # of a loss computed in two ways


class Stepper(Optimised):
    """Carries out steps over examples. Use as a context manager: the model is a plain one again afterwards."""

    def __init__(
        self,
        model: Any,
        parameters: Mapping[str, torch.nn.Parameter],
        examples: Sequence[Example],
        recipe: Recipe,
        say: Say,
    ) -> None:
        self.model, self.say = model, say
        super().__init__(parameters, recipe)
        self.precision = _precision(model, recipe)
        self.microbatch = min(recipe.microbatch, recipe.batch)
        self.head = PickedHead(model)
        self.collator = Collator(examples, self.device)

    @property
    def lengths(self) -> NDArray[np.intp]:
        return self.collator.lengths

    def __enter__(self) -> Stepper:
        self.head.__enter__()
        if self.recipe.gradient_checkpointing:
            _recompute_activations(self.model)
        if self.recipe.share_prefix:
            self._share_prefix()
        self.model.train()
        return self

    def __exit__(self, *error: Any) -> None:
        self.head.__exit__(*error)
        if self.recipe.gradient_checkpointing:
            _keep_activations(self.model)
        self.model.eval()

    def step(self, chosen: NDArray[np.intp], step: int, rate: float) -> torch.Tensor:
        """Update the parameters by the examples at these positions. Returns the mean loss over their scored tokens, and over
        their choices if there are any, a tensor without dimensions, so that a GPU need not be waited for."""
        import torch

        while True:
            try:
                loss = self._gradients(chosen, step)
                break
            except torch.OutOfMemoryError as problem:
                self._smaller(chosen, problem)
        self.update(rate)
        return loss

    def loss(self, batch: Batch) -> torch.Tensor:
        """The sum of the losses of a batch's scored tokens."""
        return self._losses(batch)[0]

    def _losses(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """The same, and the sum of what choices fall short."""
        import torch

        self.head.pick(batch.picked)
        given = {} if batch.positions is None else {"position_ids": batch.positions, "attention_mask": batch.mask}
        half = self.precision == torch.bfloat16
        try:
            with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=half):
                logits = self.model(input_ids=batch.ids, use_cache=False, **given).logits[0]
        finally:
            self.head.pick(None)
        surprise = torch.nn.functional.cross_entropy(logits.float(), batch.targets, reduction="sum")
        short = shortfall(logits, batch.at, batch.choices).sum() if batch.choices else torch.zeros_like(surprise)
        return surprise, short

    def _gradients(self, chosen: NDArray[np.intp], step: int) -> torch.Tensor:
        import numpy as np
        import torch

        # Noise is a function of the step alone: neither validation nor an interruption in between can change it.
        torch.manual_seed(int(np.random.SeedSequence([self.recipe.seed, step]).generate_state(1, np.uint64)[0]))
        self.optimiser.zero_grad()
        targets, made = self.collator.targets(chosen), self.collator.made(chosen)
        total = torch.zeros((), device=self.device)
        for start in range(0, len(chosen), self.microbatch):
            surprise, short = self._losses(self.collator.batch(chosen[start : start + self.microbatch]))
            loss = surprise / targets + VERDICT * short / max(made, 1)
            loss.backward()
            total += loss.detach()
        return total

    def _smaller(self, chosen: NDArray[np.intp], problem: Exception) -> None:
        import torch

        self.optimiser.zero_grad()
        if self.microbatch == 1:
            longest = int(self.collator.lengths[chosen].max())
            raise ConfigError(
                f"fine-tuning ran out of memory on a single example of {longest} tokens",
                "turn gradient_checkpointing on, quantise the model to 4 bits, or shorten the prompt",
            ) from problem
        self.microbatch //= 2
        self.collator.together = min(self.collator.together, self.microbatch)
        self.say(f"out of memory; {self.microbatch} examples at once from here on")
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _share_prefix(self) -> None:
        """Share the common beginning where that saves work and the model, asked, gives the same loss either way."""
        import numpy as np
        import torch

        together = worth_packing(self.collator, self.model, self.microbatch)
        longest = np.argsort(-self.collator.lengths, kind="stable")[: min(together, 4)]
        if together == 1 or len(longest) < 2:
            return
        self.model.eval()
        with torch.no_grad():
            apart = float(self.loss(self.collator.batch(longest)))
            self.collator.together = together
            try:
                joined = float(self.loss(self.collator.batch(longest)))
            except (TypeError, ValueError, RuntimeError, IndexError):  # no position numbers, or masks of another form
                joined = float("nan")
        tolerance = TOLERANCE["float32" if self.precision == torch.float32 else "bfloat16"]
        if not abs(joined - apart) <= tolerance * abs(apart):
            self.collator.together = 1
            self.say("this model cannot share the beginning of prompts; each is computed whole")


def _precision(model: Any, recipe: Recipe) -> torch.dtype:
    import torch

    held = {p.dtype for p in model.parameters()}
    if torch.float16 in held:
        raise ConfigError(
            "a model in float16 cannot be trained: small gradients vanish", "load it with dtype=bfloat16 or float32"
        )
    if recipe.precision != "auto":
        chosen: torch.dtype = getattr(torch, recipe.precision)
        return chosen
    return torch.bfloat16 if torch.bfloat16 in held else torch.float32


def _recompute_activations(model: Any) -> None:
    how = {"use_reentrant": False}  # the other kind loses all gradients when what enters the first layer needs none
    if hasattr(model, "activation_checkpointing_enable"):
        model.activation_checkpointing_enable(activation_checkpointing_kwargs=how)
    else:  # its name in earlier versions of transformers
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=how)


def _keep_activations(model: Any) -> None:
    if hasattr(model, "activation_checkpointing_disable"):
        model.activation_checkpointing_disable()
    else:
        model.gradient_checkpointing_disable()
