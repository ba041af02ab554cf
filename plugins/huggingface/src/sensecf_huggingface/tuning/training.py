"""Pretraining, fine-tuning and practice: ways to choose what is trained and by what, and one loop for all."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sensecf_bench.errors import ConfigError, DataError
from sensecf_huggingface.tuning.composed import composed
from sensecf_huggingface.tuning.digests import digest
from sensecf_huggingface.tuning.examples import Example, fingerprint
from sensecf_huggingface.tuning.loop import Loop, Watch
from sensecf_huggingface.tuning.memory import peak, watch_from_here
from sensecf_huggingface.tuning.merged import merged
from sensecf_huggingface.tuning.practice import Aims, Practice, Tutor
from sensecf_huggingface.tuning.progress import Progress
from sensecf_huggingface.tuning.recipe import Recipe
from sensecf_huggingface.tuning.results import Tuned, record, recorded
from sensecf_huggingface.tuning.stepping import Stepper

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig, PeftModel

    from sensecf_huggingface.loaded import Loaded

__all__ = ["Tuned", "fine_tune", "practise", "pretrain"]


def fine_tune(
    loaded: Loaded,
    examples: Sequence[Example],
    recipe: Recipe,
    folder: Path,
    *,
    validate: Callable[[PeftModel], float] | None,
    note: Callable[[Progress], None],
) -> Tuned:
    """Train a LoRA adapter for `loaded.model` and leave it in `folder / "adapter"`, as peft reads it.

    `validate` is given the adapted model in evaluation mode, without gradients, and returns a share between 0 and 1; the
    adapter with the greatest is kept. A killed training called again with the same arguments goes on where its last
    checkpoint was; a finished one is returned as it is. `loaded.model` is afterwards the model it was. Raises
    RunFolderError when the folder holds another training, ConfigError when nothing can be trained so.
    """
    from peft import PeftModel, get_peft_model

    if isinstance(loaded.model, PeftModel):
        raise ConfigError("the model to fine-tune already has an adapter apart", "load it without one")
    identity = _identity("lora", loaded.model, examples, recipe)
    if (done := recorded(folder, identity)) is not None:
        return done
    with _seeded(recipe.seed, loaded.device):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers a question by its former name
            adapted = get_peft_model(loaded.model, _lora(recipe))
        # What an adapter is for goes by name, not by where it happens to lie on this machine.
        adapted.peft_config["default"].base_model_name_or_path = loaded.checkpoint.name
        try:
            save = partial(_save_adapter, adapted)
            parameters = {name: p for name, p in adapted.named_parameters() if p.requires_grad}
            work = _Work(adapted, identity, recipe, len(examples), folder, "adapter", save, loaded.device)
            return work.carry_out(partial(Stepper, adapted, parameters, examples, recipe), validate, note)
        finally:
            adapted.unload()


def practise(
    loaded: Loaded,
    adapter: Path,
    tutor: Tutor,
    aims: Aims,
    recipe: Recipe,
    folder: Path,
    *,
    validate: Callable[[PeftModel], float] | None,
    note: Callable[[Progress], None],
) -> Tuned:
    """Train the LoRA adapter in a folder further by what a tutor says of the model's own answers, `recipe.batch` questions a
    step (see `practice`), and leave it in `folder / "adapter"`.

    Everything else is as with `fine_tune`; of the recipe, what is said about LoRA's form, epochs and prefixes is not used.
    """
    from peft import PeftModel

    with _seeded(recipe.seed, loaded.device):
        adapted = PeftModel.from_pretrained(loaded.model, str(adapter), is_trainable=True, local_files_only=True)
        adapted.peft_config["default"].base_model_name_or_path = loaded.checkpoint.name
        try:
            content = {
                "kind": "practice",
                "base": digest(adapted),
                "recipe": recipe.identity(),
                "aims": aims.identity(),
            }
            identity = json.loads(json.dumps({**content, "questions": tutor.fingerprint}))
            if (done := recorded(folder, identity)) is not None:
                return done
            parameters = {name: p for name, p in adapted.named_parameters() if p.requires_grad}
            save = partial(_save_adapter, adapted)
            work = _Work(adapted, identity, recipe, len(tutor.lengths), folder, "adapter", save, loaded.device)
            return work.carry_out(lambda say: Practice(adapted, parameters, tutor, recipe, aims), validate, note)
        finally:
            adapted.unload()


def pretrain(
    loaded: Loaded,
    examples: Sequence[Example],
    recipe: Recipe,
    folder: Path,
    *,
    validate: Callable[[Any], float] | None,
    note: Callable[[Progress], None],
) -> Tuned:
    """Train all weights of `loaded.model`, in place, and leave it in `folder / "model"`, as transformers reads it.

    Everything else is as with `fine_tune`; what a recipe says about LoRA is not used. The weights have to be in float32,
    where small updates count.
    """
    import torch

    model = loaded.model
    if {p.dtype for p in model.parameters()} != {torch.float32}:
        raise ConfigError("only weights in float32 can be trained in full", "load the model with dtype=float32")
    identity = _identity("full", model, examples, recipe)
    if (done := recorded(folder, identity)) is not None:
        with _no_bars():
            trained = type(model).from_pretrained(done.adapter_folder, local_files_only=True)
        model.load_state_dict(trained.state_dict())
        return done
    with _seeded(recipe.seed, loaded.device):
        model.requires_grad_(True)
        try:
            work = _Work(model, identity, recipe, len(examples), folder, "model", model.save_pretrained, loaded.device)
            parameters = dict(model.named_parameters())
            return work.carry_out(partial(Stepper, model, parameters, examples, recipe), validate, note)
        finally:
            model.requires_grad_(False)


@dataclass(frozen=True, eq=False)
class _Work:
    """A training to be carried out."""

    model: Any
    identity: Mapping[str, Any]  # what determines the weights, as JSON reads it back
    recipe: Recipe
    questions: int  # how many there are to learn from
    folder: Path
    result: str  # name of the folder for what comes of it
    save: Callable[[Path], None]  # writes the model as it is into a folder
    device: torch.device

    def carry_out(
        self,
        steps: Callable[[Callable[[str], None]], Stepper | Practice],
        validate: Callable[[Any], float] | None,
        note: Callable[[Progress], None],
    ) -> Tuned:
        """`steps` makes what carries out the steps, given somebody to tell."""
        watch_from_here(self.device)
        checkpoints = self.folder / "checkpoints"

        def say(remark: str) -> None:
            note(Progress(0, self.recipe.total_steps(self.questions), remark=remark))

        one_product = composed(self.model) if self.recipe.composed else nullcontext()
        with one_product, steps(say) as stepper:
            watch = Watch(None if validate is None else self._judge(validate), note)
            state = Loop(stepper, self.recipe, checkpoints, self.identity, watch).run()
        tuned = Tuned(self._written(), state.step, state.losses, state.validity, state.seconds, peak(self.device))
        record(self.folder, tuned, self.identity)
        shutil.rmtree(checkpoints, ignore_errors=True)
        return tuned

    def _judge(self, validate: Callable[[Any], float]) -> Callable[[], float]:
        import torch

        def judged() -> float:
            self.model.eval()
            with torch.no_grad(), merged(self.model) if self.recipe.composed else nullcontext():
                validity = float(validate(self.model))
            self.model.train()
            return validity

        return judged

    def _written(self) -> Path:
        aside, place = self.folder / f"{self.result}.unfinished", self.folder / self.result
        shutil.rmtree(aside, ignore_errors=True)
        with _no_bars():
            self.save(aside)
        shutil.rmtree(place, ignore_errors=True)
        aside.rename(place)
        return place


def _identity(kind: str, model: Any, examples: Sequence[Example], recipe: Recipe) -> dict[str, Any]:
    if not examples:
        raise DataError("there is nothing to learn from: no examples", "use more training rows")
    content = {
        "kind": kind,
        "base": digest(model),
        "examples": fingerprint(examples),
        "recipe": recipe.identity(),
    }
    return cast("dict[str, Any]", json.loads(json.dumps(content)))


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Chance by the seed inside, and as if nothing had happened outside."""
    import torch

    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


@contextmanager
def _no_bars() -> Iterator[None]:
    """No progress bars of transformers' own inside."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _save_adapter(adapted: PeftModel, folder: Path) -> None:
    # Left to itself, peft asks the hub whether the base's vocabulary has grown since.
    adapted.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)  # a card with nothing filled in


def _lora(recipe: Recipe) -> LoraConfig:
    from peft import LoraConfig

    return LoraConfig(
        task_type="CAUSAL_LM",
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=recipe.targets if isinstance(recipe.targets, str) else list(recipe.targets),
    )
