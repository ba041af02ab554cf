"""BioMistral, LLaMA and any causal language model, pretrained and LoRA-fine-tuned, for sensecf-bench."""

from sensecf_bench import Generator, hookimpl
from sensecf_huggingface.generators import GENERATORS


@hookimpl
def sensecf_generators() -> list[type[Generator]]:
    return list(GENERATORS)
