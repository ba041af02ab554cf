"""Messages become token ids: in the checkpoint's own chat template, the same for asking and for fine-tuning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensecf_bench.prompting import Message

# LLaMA templates state today's date unless told another, and a prompt must not change overnight. This is their own default.
DATE = "26 Jul 2024"
PREFIX_SPACE = "▁"


def prompt_text(tokenizer: Any, messages: Sequence[Message]) -> str:
    """The text that asks for the assistant's next turn.

    A template that refuses or leaves out system messages gets the system text at the head of the first user turn. A
    checkpoint without a template, such as a base model, gets each turn under a heading: `### User` and so on.
    """
    import jinja2

    if not tokenizer.chat_template:
        return _plain(tokenizer, messages)
    try:
        text = _templated(tokenizer, messages)
    except jinja2.TemplateError:
        return _templated(tokenizer, folded(messages))
    system = [m["content"].strip() for m in messages if m["role"] == "system"]
    return text if all(content in text for content in system) else _templated(tokenizer, folded(messages))


def prompt_ids(tokenizer: Any, messages: Sequence[Message]) -> list[int]:
    """The token ids of `prompt_text`, its special tokens as the template wrote them and none beside."""
    ids: list[int] = tokenizer.encode(prompt_text(tokenizer, messages), add_special_tokens=False)
    return ids


def answer_ids(tokenizer: Any, text: str) -> list[int]:
    """The token ids of an answer that a model can give after a prompt, without the one that ends it.

    Tokenizers in the manner of SentencePiece put a space before any text; an answer in a grammar has none there.
    """
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    if text.startswith(" ") or not tokenizer.convert_ids_to_tokens(ids[:1])[0].startswith(PREFIX_SPACE):
        return ids
    before: list[int] = tokenizer.encode("\n", add_special_tokens=False)
    after: list[int] = tokenizer.encode("\n" + text, add_special_tokens=False)
    return after[len(before) :] if after[: len(before)] == before else ids


def folded(messages: Sequence[Message]) -> list[Message]:
    """The same messages with the system text at the head of the first user turn."""
    system = [m["content"] for m in messages if m["role"] == "system"]
    turns = [m for m in messages if m["role"] != "system"]
    if not system:
        return turns
    if not turns or turns[0]["role"] != "user":
        return [{"role": "user", "content": "\n\n".join(system)}, *turns]
    first: Message = {"role": "user", "content": "\n\n".join([*system, turns[0]["content"]])}
    return [first, *turns[1:]]


def _templated(tokenizer: Any, messages: Sequence[Message]) -> str:
    text: str = tokenizer.apply_chat_template(
        list(messages), tokenize=False, add_generation_prompt=True, date_string=DATE
    )
    return text


def _plain(tokenizer: Any, messages: Sequence[Message]) -> str:
    turns = [f"### {m['role'].capitalize()}\n{m['content']}\n\n" for m in messages]
    return "".join([tokenizer.bos_token or "", *turns, "### Assistant\n"])
