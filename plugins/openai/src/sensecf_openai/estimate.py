"""What a query may cost, before anything is known but the schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.prompting import Brief, Prompt
from sensecf_openai.prices import Price

if TYPE_CHECKING:
    from sensecf_bench import Feature, FeatureSchema

BYTES_PER_TOKEN = 3  # fewer than in prose: prompts are full of digits
BYTES_PER_ANSWER = 500  # of an example


def estimated_usd(
    schema: FeatureSchema, prompt_on: Callable[[Brief], Prompt], max_tokens: int, price: Price, shots: int = 0
) -> float:
    """US dollars for one answer of full length to a prompt about made-up rows."""
    if not schema.mutable.any():
        return 0.0
    rows = np.array([[_made_up(f) if f.is_numeric else 0.0 for f in schema.features]] * 2)
    known = schema.with_scales(rows)
    brief = Brief.of(known, ("one class", "the other"), 1, rows, np.array([0, 1]))
    row = {f.name: _made_up(f) if f.is_numeric else f.levels[0] for f in schema.features}
    prompt = prompt_on(brief)
    lengths = [len(m["content"].encode()) for m in prompt.messages(row)]
    length = sum(lengths) + len(str(prompt.json_schema())) + shots * (lengths[-1] + BYTES_PER_ANSWER)
    return price.usd(length // BYTES_PER_TOKEN, max_tokens)


def _made_up(feature: Feature) -> float:
    return 1234.0 if feature.kind == "integer" else 1234.567
