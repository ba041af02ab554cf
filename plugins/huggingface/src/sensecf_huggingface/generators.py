"""The generators: checkpoints of causal language models, as they are and fine-tuned, and one that is trained here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from sensecf_bench import CounterfactualBatch, Generator, Unavailable
from sensecf_bench.prompting import Brief, Prompt
from sensecf_huggingface.options import MODEL, SAMPLES, MicroOptions, MicroTuningOptions, ModelOptions, TuningOptions

if TYPE_CHECKING:
    from sensecf_bench import QueryBatch, Task
    from sensecf_huggingface.checkpoint import Checkpoint
    from sensecf_huggingface.finetuning import Lesson
    from sensecf_huggingface.loaded import Loaded
    from sensecf_huggingface.questions import Questions

VALUES = 40  # that targets may give a number
SLOW_ON_CPU = 1e9  # parameters


class LanguageModel(Generator):
    """What all of them share: a task becomes questions, a checkpoint an asker, and its answers rows."""

    access = "training-data"  # the prompt says how each feature is spread over the training rows
    batch_size: ClassVar[int | None] = None
    dear = "it has billions of parameters"
    preload: ClassVar[tuple[str, ...]] = ("torch", "transformers", "peft", "xgrammar", "jinja2")

    def checkpoint(self, task: Task) -> Checkpoint:
        """The checkpoint to ask. Raises Unavailable."""
        raise NotImplementedError

    def questions(self, task: Task) -> Questions:
        from sensecf_huggingface.questions import Questions

        return Questions(self._prompt(task), self.options.confidence, mend=self.options.mend)

    def loaded(self, task: Task, questions: Questions) -> Loaded:
        """The model that answers."""
        raise NotImplementedError

    def fit(self, task: Task) -> None:
        from sensecf_huggingface.asking import Asker
        from sensecf_huggingface.finetuning import NothingToLearnError
        from sensecf_huggingface.judging import probability_of_target

        self.task = task
        self._asker = None
        if not task.schema.mutable.any():
            return  # there is no counterfactual to ask for
        o, questions = self.options, self.questions(task)
        told = probability_of_target(task) if o.confidence else None
        samples = max(o.samples, task.k)
        try:
            loaded = self.loaded(task, questions)
        except NothingToLearnError as why:
            sys.stderr.write(f"{self.name} abstains: {why}\n")
            return
        self._asker = Asker(loaded, questions, told, samples, o.temperature, o.batch, distinct=True)

    def generate(self, queries: QueryBatch) -> CounterfactualBatch | None:
        from sensecf_huggingface.asking import answered

        if self._asker is None or not len(queries):
            return None
        return answered(self.task, queries, self._asker.questions, *self._asker.ask(queries))

    def _prompt(self, task: Task) -> Prompt:
        brief = Brief.of(task.schema, task.classes, task.target, task.train_matrix, task.train_labels)
        version = int(self.options.template.rpartition("-")[2])
        return Prompt.of(brief, "edits", version=version, rationale=self.options.rationale)


class Pretrained(LanguageModel):
    """A checkpoint as it was published."""

    lane: ClassVar[Literal["cpu", "gpu", "io"]] = "gpu"
    named_options: ClassVar[tuple[str, ...]] = ("model", "revision", "template")
    training: ClassVar[bool] = False
    Options = ModelOptions

    def available(self) -> None:
        """Raise Unavailable when the checkpoint is not here, not whole, not safe to load, or does not fit into memory."""
        from sensecf_huggingface.memory import measure, refuse_too_large

        o = self.options
        if not o.model:
            raise Unavailable("no model is named", f"add --set {self.name}.model=FOLDER, which save_pretrained wrote")
        checkpoint, free = self._found(), measure()
        if o.device == "auto" and free.gpu is None and checkpoint.parameters > SLOW_ON_CPU:
            raise Unavailable(
                f"{checkpoint.name} has {checkpoint.parameters / 1e9:.3g} billion parameters, and there is no GPU: an answer"
                " would take minutes",
                f"run it where a GPU is, or add --set {self.name}.device=cpu and a long --timeout",
            )
        refuse_too_large(
            checkpoint, device=o.device, dtype=o.dtype, quantise=o.quantise, training=self.training, free=free
        )

    def checkpoint(self, task: Task) -> Checkpoint:
        return self._found()

    def loaded(self, task: Task, questions: Questions) -> Loaded:
        return self._load(None)

    def _load(self, adapter: Path | None) -> Loaded:
        from sensecf_huggingface.loaded import load

        o = self.options
        return load(self._found(), device=o.device, dtype=o.dtype, quantise=o.quantise, adapter=adapter)

    def _found(self) -> Checkpoint:
        from sensecf_huggingface.checkpoint import find

        return find(self.options.model, self.options.revision or None)


class FineTuned(Pretrained):
    """A checkpoint fine-tuned with LoRA on counterfactuals of training rows."""

    training: ClassVar[bool] = True
    Options = TuningOptions

    def available(self) -> None:
        """Raise Unavailable also when the adapter that was named is damaged, or was trained on another base."""
        from sensecf_huggingface.adapters import for_base

        super().available()
        if self.options.adapter:
            for_base(Path(self.options.adapter), self._found())

    def loaded(self, task: Task, questions: Questions) -> Loaded:
        from sensecf_huggingface.finetuning import adapter_for

        if self.options.adapter:
            return self._load(Path(self.options.adapter))
        return self._load(adapter_for(self._lesson(task, questions), lambda: self._load(None), self.name))

    def _lesson(self, task: Task, questions: Questions) -> Lesson:
        from sensecf_huggingface.finetuning import Lesson
        from sensecf_huggingface.targets import Aims, Search, Values
        from sensecf_huggingface.tuning.recipe import Recipe

        o = self.options
        recipe = Recipe(
            rank=o.rank,
            alpha=o.alpha,
            dropout=o.dropout,
            learning_rate=o.learning_rate,
            epochs=o.epochs,
            batch=o.tuning_batch,
            microbatch=o.tuning_microbatch,
            seed=task.seed,
        )
        aims = Aims(imagined=o.imagined, several=o.several, search=Search())
        values = Values.of(task.schema, task.train_matrix, VALUES)
        return Lesson(task, self.checkpoint(task), questions, values, aims, recipe)


class Micro(LanguageModel):
    """A LLaMA of under a million parameters, pretrained here on the rows of one dataset, without labels."""

    name = "llama-micro"
    dear = "it is trained anew on every reduced table"
    Options = MicroOptions

    def questions(self, task: Task) -> Questions:
        from sensecf_huggingface.micro.codebook import Codebook
        from sensecf_huggingface.questions import Questions
        from sensecf_huggingface.targets.values import Values

        codebook = Codebook(Values.of(task.schema, task.train_matrix, VALUES))
        return Questions(self._prompt(task), self.options.confidence, codebook, self.options.mend)

    def loaded(self, task: Task, questions: Questions) -> Loaded:
        return self._load(self._base(task, questions), None)

    def _base(self, task: Task, questions: Questions) -> Checkpoint:
        from sensecf_huggingface.micro.base import Lessons, pretrained

        assert questions.codebook is not None
        return pretrained(task.cache, Lessons(questions, questions.codebook, task.train_matrix, task.seed))

    def _load(self, base: Checkpoint, adapter: Path | None) -> Loaded:
        from sensecf_huggingface.loaded import load

        return load(base, device="cpu", dtype="float32", adapter=adapter)


class MicroTuned(Micro):
    """llama-micro, fine-tuned with LoRA against the explained classifier."""

    name = "llama-micro-ft"
    Options = MicroTuningOptions

    def loaded(self, task: Task, questions: Questions) -> Loaded:
        from sensecf_huggingface.finetuning import Lesson, adapter_for
        from sensecf_huggingface.micro.recipe import aims_of, exercise_of, recipe_of

        base = self._base(task, questions)
        assert questions.codebook is not None
        o, values = self.options, questions.codebook.values
        lesson = Lesson(task, base, questions, values, aims_of(o), recipe_of(o, task), exercise_of(o, task))
        return self._load(base, adapter_for(lesson, lambda: self._load(base, None), self.name))


class MicroTunedAt8(MicroTuned):
    """The same, eight samples a query: the nearest that the explained classifier confirms."""

    name = "llama-micro-ft@8"

    class Options(MicroTuningOptions):
        samples: int = Field(8, ge=1, le=256, description=SAMPLES)


class Mistral(Pretrained):
    """BioMistral-7B as published (Labrak et al. 2024, arXiv 2402.10373)."""

    name = "biomistral-7b"

    class Options(ModelOptions):
        model: str = Field("BioMistral/BioMistral-7B", description=MODEL)


class MistralTuned(FineTuned):
    """BioMistral-7B, fine-tuned with LoRA on counterfactuals of training rows."""

    name = "biomistral-7b-ft"

    class Options(TuningOptions):
        model: str = Field("BioMistral/BioMistral-7B", description=MODEL)


class MistralTunedAt8(MistralTuned):
    """The same, eight samples a query: the nearest that the explained classifier confirms."""

    name = "biomistral-7b-ft@8"

    class Options(MistralTuned.Options):
        samples: int = Field(8, ge=1, le=256, description=SAMPLES)


class Llama(Pretrained):
    """LLaMA-3.1-8B-Instruct as published (Grattafiori et al. 2024, arXiv 2407.21783)."""

    name = "llama-3.1-8b"

    class Options(ModelOptions):
        model: str = Field("meta-llama/Llama-3.1-8B-Instruct", description=MODEL)


class LlamaTuned(FineTuned):
    """LLaMA-3.1-8B-Instruct, fine-tuned with LoRA on counterfactuals of training rows."""

    name = "llama-3.1-8b-ft"

    class Options(TuningOptions):
        model: str = Field("meta-llama/Llama-3.1-8B-Instruct", description=MODEL)


class LlamaTunedAt8(LlamaTuned):
    """The same, eight samples a query: the nearest that the explained classifier confirms."""

    name = "llama-3.1-8b-ft@8"

    class Options(LlamaTuned.Options):
        samples: int = Field(8, ge=1, le=256, description=SAMPLES)


class AnyModel(Pretrained):
    """Any causal language model that transformers knows, from a folder or the local hub cache (`model=`)."""

    name = "hf"


class AnyModelTuned(FineTuned):
    """Any causal language model (`model=`), fine-tuned with LoRA on counterfactuals of training rows."""

    name = "hf-ft"


GENERATORS: tuple[type[Generator], ...] = (
    Micro,
    MicroTuned,
    MicroTunedAt8,
    Mistral,
    MistralTuned,
    MistralTunedAt8,
    Llama,
    LlamaTuned,
    LlamaTunedAt8,
    AnyModel,
    AnyModelTuned,
)
