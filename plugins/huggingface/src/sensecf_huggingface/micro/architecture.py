"""The model before it has learnt anything: LLaMA's architecture, small, with word vectors that know their order."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from sensecf_huggingface.micro.codebook import Word

HIDDEN, LAYERS, HEADS, INNER = 128, 3, 4, 256
# Input and output share these vectors. Much smaller ones could never make the model sure of anything: logits are products
# of a vector with a state of fixed length.
SPREAD = 0.12
WAVES = 8


def new_model(tokenizer: Any, words: Sequence[Word], longest: int, seed: int) -> Any:
    """A `LlamaForCausalLM` for the tokenizer, for sequences of up to `longest` tokens.

    A word's vector is the sum of what its kind has in common, a direction for its feature, and, for values, sines and
    cosines of its place in the feature's range: neighbouring values begin alike, and the order need not be learnt from
    a few hundred rows.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=INNER,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=max(256, 2 ** math.ceil(math.log2(longest))),
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
        with torch.no_grad():
            vectors = model.model.embed_tokens.weight
            vectors.normal_(0.0, SPREAD)
            ids, made = _vectors(tokenizer, words)
            vectors[ids] = SPREAD * made
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    return model


def _vectors(tokenizer: Any, words: Sequence[Word]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids of the words' tokens and a vector of about unit variance for each. A text that is a value of several features
    gets the mean of theirs."""
    import torch

    features = 1 + max(word.feature or 0 for word in words)
    kinds = {role: torch.randn(HIDDEN) for role in ("person", "feature", "value", "probability")}
    directions = torch.randn(features, HIDDEN)
    waves = torch.randn(2 * WAVES + 1, HIDDEN) / math.sqrt(2 * WAVES + 1)
    sums: dict[int, list[torch.Tensor]] = {}
    for word in words:
        parts = [kinds[word.role]]
        if word.feature is not None:
            parts.append(directions[word.feature])
        if word.place is not None:
            parts.append(_code(word.place) @ waves)
        vector = torch.stack(parts).sum(0) / math.sqrt(len(parts))
        sums.setdefault(tokenizer.convert_tokens_to_ids(word.text), []).append(vector)
    return torch.tensor(list(sums)), torch.stack([torch.stack(vectors).mean(0) for vectors in sums.values()])


def _code(place: float) -> torch.Tensor:
    import torch

    k = torch.arange(1, WAVES + 1)
    return torch.cat(
        [torch.tensor([3 * (place - 0.5)]), torch.sin(math.pi * k * place) / k, torch.cos(math.pi * k * place) / k]
    )
