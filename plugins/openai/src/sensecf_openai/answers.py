"""A request as far as it decides the answer, and an answer with what it took."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sensecf_openai.prices import Price

CHARACTERS_PER_TOKEN = 4  # where a server counts nothing
PER_MESSAGE = 16  # tokens by which a message is framed, at most


@dataclass(frozen=True, eq=False)
class Request:
    """Everything that can change an answer. `rung` is how the answer's form is asked for, see `dialect`."""

    endpoint: str
    model: str
    messages: Sequence[Mapping[str, str]]
    temperature: float | None
    seed: int | None
    max_tokens: int
    response_format: Mapping[str, Any] | None
    template: str  # name and hash
    sample: int

    @cached_property
    def text(self) -> str:
        """As a cache keeps it."""
        content = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return json.dumps(content, sort_keys=True, ensure_ascii=False)

    @cached_property
    def key(self) -> str:
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()

    @cached_property
    def bytes(self) -> int:
        """How long the prompt is, with the form asked for, which providers put in it."""
        written = [m["content"] for m in self.messages]
        if self.response_format is not None:
            written.append(json.dumps(self.response_format))
        return sum(len(text.encode("utf-8", "surrogatepass")) for text in written)

    def most(self, price: Price) -> float:
        """What it may cost at most: no token is shorter than a byte."""
        return price.usd(self.bytes + PER_MESSAGE * (len(self.messages) + 1), self.max_tokens)


@dataclass(frozen=True)
class Answer:
    """What came back, and what was paid for it. `counted` is False where the server reported no usage."""

    text: str | None
    refusal: str
    finish: str
    model: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    usd: float
    at: str
    counted: bool = True

    @property
    def flaw(self) -> str:
        """Why it can be no proposal, whatever its text says; empty where it may be one."""
        if self.refusal:
            return "refused"
        if self.finish == "length":
            return "cut off at max_tokens"
        return "stopped by a content filter" if self.finish == "content_filter" else ""

    @property
    def kept(self) -> str:
        """What is kept of an answer that could not be read."""
        said = self.refusal or self.text or ""
        return f"[{self.flaw}] {said}" if self.flaw else said


def estimated_tokens(length: int) -> int:
    """A guess at the tokens of a text of so many bytes."""
    return -(-length // CHARACTERS_PER_TOKEN)
