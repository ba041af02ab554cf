"""GPT-4, zero-shot and few-shot, through any OpenAI-compatible endpoint, for sensecf-bench."""

from sensecf_bench import Generator, hookimpl
from sensecf_openai.generators import GPT4FewShot, GPT4ZeroShot

__all__ = ["GPT4FewShot", "GPT4ZeroShot"]


@hookimpl
def sensecf_generators() -> list[type[Generator]]:
    return [GPT4ZeroShot, GPT4FewShot]
