"""The loop that all training goes through, whatever the model and whichever of its weights are trained."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sensecf_bench.errors import ConfigError
from sensecf_huggingface.tuning import checkpointing
from sensecf_huggingface.tuning.batches import Order
from sensecf_huggingface.tuning.checkpointing import Checkpoint, DamagedError, State
from sensecf_huggingface.tuning.progress import Progress

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from sensecf_huggingface.tuning.recipe import Recipe


class Steps(Protocol):
    """Something that can be trained step by step, over examples of these lengths."""

    parameters: dict[str, torch.nn.Parameter]

    @property
    def lengths(self) -> NDArray[np.intp]: ...

    def step(self, chosen: NDArray[np.intp], step: int, rate: float) -> torch.Tensor: ...

    def moments(self) -> dict[str, torch.Tensor]: ...

    def restore(self, weights: Mapping[str, torch.Tensor], moments: Mapping[str, torch.Tensor]) -> None: ...

    def load(self, weights: Mapping[str, torch.Tensor]) -> None: ...


@dataclass(frozen=True)
class Watch:
    """Who looks on: a judge of the weights, if any, and somebody to tell."""

    validate: Callable[[], float] | None
    note: Callable[[Progress], None]


class Loop:
    """Steps, validations, reports and checkpoints, from wherever an earlier process came to."""

    def __init__(self, stepper: Steps, recipe: Recipe, folder: Path, identity: Mapping[str, Any], watch: Watch) -> None:
        self.stepper, self.recipe, self.folder, self.identity, self.watch = stepper, recipe, folder, identity, watch
        examples = len(stepper.lengths)
        self.steps = recipe.total_steps(examples)
        self.every = recipe.validate_every or recipe.steps_in_epoch(examples)
        self.order = Order(stepper.lengths, recipe.batch, recipe.seed, recipe.window)
        self.state = State()
        self.best: dict[str, torch.Tensor] = {}
        self._unread: list[torch.Tensor] = []  # losses still on the device: reading one would make it wait
        self._reported = 0  # how many losses the last report took in
        self._began = time.monotonic()
        self._first, self._before = 0, 0.0  # steps and seconds of earlier processes

    def run(self) -> State:
        """Train to the end, or until validation has not improved for long enough. The parameters are the best ones then."""
        self._resume()
        self._began, self._first, self._before = time.monotonic(), self.state.step, self.state.seconds
        reported = saved = self._began
        step = self.state.step
        while step < self.steps and not self._stale():
            loss = self.stepper.step(self.order.step(step), step, self.recipe.rate(step, self.steps))
            self._unread.append(loss)
            step += 1
            if step % self.every == 0 or step == self.steps:
                self._validate(step)
            now = time.monotonic()
            if now - reported >= self.recipe.report_seconds or step == self.steps:
                self._catch_up(step)
                self._report()
                reported = now
            if now - saved >= self.recipe.checkpoint_seconds or step % (self.recipe.checkpoint_steps or step + 1) == 0:
                self._catch_up(step)
                self._save()
                saved = time.monotonic()
        self._catch_up(step)
        if step < self.steps:
            self._say(f"stopped early: {self.state.since_best} validations without a better one")
        if self.best:
            self.stepper.load(self.best)
        return self.state

    def _validate(self, step: int) -> None:
        if self.watch.validate is None:
            return
        self._catch_up(step)
        validity = self.watch.validate()
        if math.isnan(validity):
            raise ConfigError(f"validation after step {step} is not a number", "let it return the share that is valid")
        if self.state.validity is None or validity > self.state.validity:
            self.best = {name: p.detach().to("cpu", copy=True) for name, p in self.stepper.parameters.items()}
            self.state = replace(self.state, validity=validity, since_best=0)
        else:
            self.state = replace(self.state, since_best=self.state.since_best + 1)

    def _stale(self) -> bool:
        return self.recipe.patience is not None and self.state.since_best >= self.recipe.patience

    def _catch_up(self, step: int) -> None:
        """Bring the state up to a step that has been carried out. Raises ConfigError when the losses have run away."""
        import torch

        losses = torch.stack(self._unread).tolist() if self._unread else []
        self._unread = []
        for past, loss in enumerate(losses, len(self.state.losses) + 1):
            if not math.isfinite(loss):
                raise ConfigError(f"the loss of step {past} is {loss}: training ran away", "lower the learning_rate")
        self.state = replace(
            self.state,
            step=step,
            losses=(*self.state.losses, *losses),
            seconds=self._before + time.monotonic() - self._began,
        )

    def _report(self) -> None:
        state = self.state
        recent = state.losses[self._reported :]
        self._reported = len(state.losses)
        pace = (time.monotonic() - self._began) / (state.step - self._first)
        self.watch.note(
            Progress(
                step=state.step,
                steps=self.steps,
                loss=sum(recent) / len(recent) if recent else None,
                validity=state.validity,
                seconds=state.seconds,
                left=pace * (self.steps - state.step),
            )
        )

    def _say(self, remark: str) -> None:
        state = self.state
        self.watch.note(Progress(state.step, self.steps, validity=state.validity, seconds=state.seconds, remark=remark))

    def _save(self) -> None:
        moments, weights = self.stepper.moments(), self.stepper.parameters
        checkpointing.save(self.folder, self.identity, Checkpoint(self.state, dict(weights), moments, self.best))

    def _resume(self) -> None:
        """Go on from the latest checkpoint that is whole. Raises RunFolderError when it is another training's."""
        for place in checkpointing.found(self.folder):
            try:
                checkpoint = checkpointing.read(place, self.identity)
            except DamagedError as problem:
                self._say(f"not going on from a damaged checkpoint: {problem}")
                continue
            self.stepper.restore(checkpoint.weights, checkpoint.moments)
            self.state, self.best = checkpoint.state, checkpoint.best
            self._reported = len(self.state.losses)
            self._say(f"going on after step {self.state.step}")
            return
