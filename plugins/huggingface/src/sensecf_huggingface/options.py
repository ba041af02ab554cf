"""What a user may set."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from sensecf_bench import PluginOptions
from sensecf_bench.prompting import TEMPLATES, template_for

AT_ONCE = 32
NO_MODEL = ""
SAMPLES = "answers to each question; the classifier chooses the nearest valid"
MEND = "every answer brings numbers beyond the training rows back into their range"
STEPS = "of fine-tuning; 250, 150 for more than twenty features, 120 where more than twenty may change"
MODEL = "a folder that save_pretrained wrote, or a hub id that lies in the local cache"


class AskingOptions(PluginOptions):
    """How a model is asked."""

    samples: int = Field(1, ge=1, le=256, description=SAMPLES)
    temperature: float = Field(0.7, gt=0, le=5, description="of sampling, where there is more than one sample")
    confidence: bool = Field(False, description="tell the model the classifier's probability of the target class")
    rationale: bool = Field(True, description="ask for a sentence of reason")
    mend: bool = Field(False, description=MEND)
    template: str = Field("", description="wording of the prompt, such as edits-1; the newest by default")
    batch: int = Field(AT_ONCE, ge=1, description="answers under way at once; halved when memory runs out")

    @model_validator(mode="before")
    @classmethod
    def _written_out(cls, given: Any) -> Any:
        """Settle what a record should say: which wording."""
        if isinstance(given, dict) and not given.get("template"):
            return {**given, "template": template_for("edits").name}
        return given

    @model_validator(mode="after")
    def _known_wording(self) -> AskingOptions:
        known = [name for name, template in TEMPLATES.items() if template.style == "edits"]
        if self.template not in known:
            raise ValueError(f"template {self.template!r} is none of {', '.join(known)}")
        return self


class ModelOptions(AskingOptions):
    """Options of generators that load a checkpoint."""

    model: str = Field(NO_MODEL, description=MODEL)
    revision: str = Field("", description="commit of a hub id; by default the pinned one")
    device: str = Field("auto", description="auto (a GPU where there is one), cpu, cuda, cuda:1")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field("auto", description="of the weights in memory")
    quantise: Literal["4bit"] | None = Field(None, description="load in 4 bits (NF4); needs a GPU and bitsandbytes")


class TuningOptions(ModelOptions):
    """Options of fine-tuned generators; the defaults of LoRA are those of `Recipe`."""

    rank: int = Field(16, ge=1, description="of LoRA")
    alpha: float = Field(32.0, gt=0, description="of LoRA")
    dropout: float = Field(0.05, ge=0, lt=1, description="of LoRA")
    learning_rate: float = Field(2e-4, gt=0, description="at its height")
    epochs: float = Field(3.0, gt=0, description="passes over the targets")
    tuning_batch: int = Field(16, ge=1, description="targets a step")
    tuning_microbatch: int = Field(4, ge=1, description="targets in memory at once; halved when memory runs out")
    several: int = Field(4, ge=1, le=64, description="counterfactuals to learn for each person")
    imagined: int = Field(0, ge=0, description="people to learn from beside the training rows, drawn from among them")
    mend: bool = Field(True, description=MEND)
    adapter: str = Field("", description="folder of an adapter to use instead of training one")


class MicroOptions(AskingOptions):
    """Options of llama-micro: short prompts, and the classifier's probability in them."""

    confidence: bool = Field(True, description="tell the model the classifier's probability of the target class")
    temperature: float = Field(1.0, gt=0, le=5, description="of sampling, where there is more than one sample")
    rationale: bool = Field(False, description="llama-micro knows one table and no language, so it has no reasons")
    batch: int = Field(64, ge=1, description="answers under way at once; halved when memory runs out")

    @model_validator(mode="after")
    def _no_rationale(self) -> MicroOptions:
        if self.rationale:
            raise ValueError("llama-micro knows one table and no language: it cannot give a rationale")
        return self


class MicroTuningOptions(MicroOptions):
    """Options of llama-micro-ft."""

    steps: int | None = Field(None, ge=1, description=STEPS)
    practice: int | None = Field(
        None, ge=0, description="steps of practice after it, 0 for none; 90, 72 and 36 likewise"
    )
    imagined: int = Field(
        6000, ge=0, description="people to learn from beside the training rows, drawn from among them"
    )
    mend: bool = Field(True, description=MEND)
    steady: float = Field(0.5, ge=0, le=1, description="share of slightly different people whom a target must flip too")
    wobble: float = Field(0.02, ge=0, le=0.5, description="how different those are, as a share of each feature's range")
