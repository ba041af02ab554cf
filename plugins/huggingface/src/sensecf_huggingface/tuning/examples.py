"""What a model is trained on: token ids, and which of them it shall learn to write."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.errors import DataError
from sensecf_huggingface.tuning.sweeps import Choice

if TYPE_CHECKING:
    from sensecf_bench.prompting import Message
    from sensecf_huggingface.loaded import Loaded


@dataclass(frozen=True)
class Example:
    """A sequence of token ids and, for each, whether it is a target; the first never is, as nothing precedes it.

    `choices` say of targets, by their places in the sequence, what else might stand there and what it would be worth.
    """

    ids: tuple[int, ...]
    scored: tuple[bool, ...]
    choices: tuple[Choice, ...] = ()

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.scored):
            raise DataError(f"an example has {len(self.ids)} token ids and {len(self.scored)} marks of what is scored")
        if not any(self.scored):
            raise DataError("an example has no token to learn", "mark at least one token as scored")
        if self.scored[0]:
            raise DataError("the first token of an example is scored, but nothing comes before it", "begin with BOS")
        if not all(self.scored[choice.place] for choice in self.choices):
            raise DataError("an example has a choice at a token that is not scored")

    @classmethod
    def answer(cls, prompt: Sequence[int], completion: Sequence[int]) -> Example:
        """Learn the completion (its end-of-turn token included, for it must be written too), never the prompt."""
        return cls((*prompt, *completion), (False,) * len(prompt) + (True,) * len(completion))

    @classmethod
    def whole(cls, ids: Sequence[int]) -> Example:
        """Learn the whole sequence but its first token, as pretraining does."""
        return cls(tuple(ids), (False, *([True] * (len(ids) - 1))))


def fingerprint(examples: Iterable[Example]) -> str:
    """A digest of all tokens and marks, in order."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(len(example.ids).to_bytes(8, "little"))
        digest.update(np.asarray(example.ids, dtype="<i8").tobytes())
        digest.update(np.asarray(example.scored, dtype=np.bool_).tobytes())
        for choice in example.choices:
            digest.update(np.asarray([choice.place, *choice.tokens], dtype="<i8").tobytes())
            digest.update(np.asarray(choice.worth, dtype="<f8").tobytes())
    return digest.hexdigest()


def encode(loaded: Loaded, conversations: Iterable[tuple[Sequence[Message], str]]) -> list[Example]:
    """Prompts, word for word as they will be asked, and the answers to learn, each with the token that ends a turn.

    Raises DataError where the tokenizer knows no such token (a model would learn never to stop), or has no token for a part
    of an answer (it would learn to say that it does not know).
    """
    from sensecf_huggingface.chat import answer_ids, prompt_ids

    end = end_of_turn(loaded.tokenizer, loaded.stop_ids)
    unknown = loaded.tokenizer.unk_token_id
    examples = []
    for messages, answer in conversations:
        said = answer_ids(loaded.tokenizer, answer)
        if unknown is not None and unknown in said:
            raise DataError(
                f"the tokenizer has no token for a part of the answer {answer[:200]}", "use another tokenizer"
            )
        examples.append(Example.answer(prompt_ids(loaded.tokenizer, messages), [*said, end]))
    return examples


def end_of_turn(tokenizer: Any, stop_ids: Sequence[int]) -> int:
    """Of the ids that end an answer, the one with which the chat template ends an assistant's turn."""
    if not stop_ids:
        raise DataError("the tokenizer has no token that ends an answer", "give it an eos_token")
    if tokenizer.chat_template:
        turns = [{"role": "user", "content": "question"}, {"role": "assistant", "content": "answer"}]
        text = tokenizer.apply_chat_template(turns, tokenize=False)
        after = tokenizer.encode(text.rpartition("answer")[2], add_special_tokens=False)
        for token in after:
            if token in stop_ids:
                return int(token)
    own = tokenizer.eos_token_id
    return int(own if own in stop_ids else stop_ids[0])
