"""A request as far as it decides the answer, and an answer with what it took."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from sensecf_openai.prices import Price

CHARACTERS_PER_TOKEN = 4  # where a server counts nothing
PER_MESSAGE = 16  # tokens by which a message is framed, at most


@dataclass(frozen=True, eq=False)
class Request:
    """Everything that can change an answer."""

    endpoint: str
    model: str
    messages: Sequence[Mapping[str, str]]
    temperature: float | None
    seed: int | None
    max_tokens: int
    response_format: str  # as JSON; empty if there is none
    template: str  # name and hash
    sample: int

    @cached_property
    def text(self) -> str:
        """As a cache keeps it."""
        return _written({name: getattr(self, name) for name in self.__dataclass_fields__})

    @cached_property
    def key(self) -> str:
        """A hash of it all. Long texts, which many requests share, go in by their own hashes."""
        content = {name: getattr(self, name) for name in self.__dataclass_fields__}
        content["messages"] = [(m["role"], _digest(m["content"])) for m in self.messages]
        content["response_format"] = _digest(self.response_format)
        return hashlib.sha256(_written(content).encode()).hexdigest()

    @cached_property
    def bytes(self) -> int:
        """How long the prompt is, with the form asked for, which providers put in it."""
        texts = [self.response_format, *(m["content"] for m in self.messages)]
        return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)

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


def _written(content: object) -> str:
    return json.dumps(content, sort_keys=True, ensure_ascii=False)


@lru_cache(maxsize=256)
def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
