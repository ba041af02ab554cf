"""What a model is asked and how its answer is read: the harness's prompts, and for small models a shorter way to put them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.prompting import answer_text
from sensecf_huggingface.micro.codebook import Codebook, probability_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sensecf_bench.prompting import Message, Prompt, Proposal

    Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Questions:
    """How people are put to a model.

    `confidence` adds a line with the classifier's probability of the target class. With `mend` every answer brings numbers
    that lie beyond the training rows back into their range, where the schema allows that. With a `codebook`, people are spoken in
    its words, and what stands before every question (the system message) is left out: such a model was trained on one
    table, and has it in its weights.
    """

    prompt: Prompt
    confidence: bool = False
    codebook: Codebook | None = None
    mend: bool = False

    def messages(self, people: Matrix, probabilities: Matrix) -> list[list[Message]]:
        """The prompts for people of shape `(n, d)` in internal coding, with the classifier's probability of the target
        class, shape `(n,)`."""
        said = people if self.codebook is None else self.codebook.spoken(people)
        rows = self._raw(said)
        return [self._one(row, float(p)) for row, p in zip(rows, probabilities, strict=True)]

    def answers(self, people: Matrix, counterfactuals: Matrix) -> list[str]:
        """The answers that turn people into their counterfactuals, both of shape `(n, d)`."""
        pairs = zip(self._raw(people), self._raw(counterfactuals), strict=True)
        return [answer_text(self.prompt.answer, person, other) for person, other in pairs]

    def read(self, text: str, row: Mapping[str, Any]) -> Proposal:
        """Read an answer about this person (raw units). Raises Unparsable."""
        return self.prompt.parse(text, row)

    def to_mend(self, people: Matrix) -> list[tuple[str, ...]]:
        """Of each of the people, shape `(n, d)` in internal coding, the features that an answer has to bring back."""
        schema = self.prompt.brief.schema
        if not self.mend:
            return [()] * len(people)
        scales = schema.frozen_scales()
        inside = np.where(schema.numeric & schema.mutable, np.clip(people, scales.low, scales.high), people)
        names = np.array(schema.names)
        return [tuple(map(str, names[away])) for away in schema.changed(inside, people)]

    @property
    def said(self) -> dict[str, list[float]] | None:
        """The only numbers that an answer may say, by feature; None where it may say any."""
        if self.codebook is None:
            return None
        values = self.codebook.values
        return {name: choices.tolist() for name, choices in zip(values.schema.names, values.choices, strict=True)}

    @property
    def words(self) -> frozenset[str] | None:
        """The only tokens that an answer is made of, as texts; None where it may be of any."""
        return None if self.codebook is None else self.codebook.of_answers

    def _one(self, row: Mapping[str, Any], probability: float) -> list[Message]:
        messages = self.prompt.messages(row)
        if self.codebook is not None:
            messages = messages[-1:]
        if self.confidence:
            wanted = json.dumps(self.prompt.brief.wanted)
            line = f"Probability of {wanted} now: {probability_text(probability)}"
            messages[-1] = {"role": "user", "content": f"{messages[-1]['content']}\n{line}"}
        return messages

    def _raw(self, matrix: Matrix) -> list[dict[str, Any]]:
        rows = self.prompt.brief.schema.decode(matrix).to_dict("records")
        return [{str(name): value for name, value in row.items()} for row in rows]
