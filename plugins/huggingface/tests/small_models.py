"""Random checkpoints of a few thousand parameters, saved as real ones are: a LLaMA and a Mistral, each with a tokenizer and
a chat template of its own."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

VOCABULARY = 512
LONGEST = 8192  # tokens; byte-level tokenizers of this size cut prompts into many pieces

LLAMA_SPECIAL = [
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|finetune_right_pad_id|>",
]
LLAMA_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
MISTRAL_SPECIAL = ["<unk>", "<s>", "</s>"]
MISTRAL_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token }}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)


def save_llama(folder: Path, seed: int = 0, **config: Any) -> Path:
    """A LLaMA with random weights and a byte-level tokenizer, as `save_pretrained` writes it."""
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_byte_level(tuple(LLAMA_SPECIAL)),
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        pad_token="<|finetune_right_pad_id|>",
        chat_template=LLAMA_TEMPLATE,
    )
    return _save(folder, LlamaConfig, LlamaForCausalLM, tokenizer, seed, config)


def save_mistral(folder: Path, seed: int = 0, **config: Any) -> Path:
    """A Mistral with random weights, a tokenizer with byte fallback, no padding token, and a template that refuses system
    messages. Without a `sliding_window` in `config` it has none, as later versions."""
    from transformers import MistralConfig, MistralForCausalLM, PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=_byte_fallback(tuple(MISTRAL_SPECIAL)),
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        chat_template=MISTRAL_TEMPLATE,
    )
    return _save(folder, MistralConfig, MistralForCausalLM, tokenizer, seed, {"sliding_window": None, **config})


def _save(folder: Path, config_of: Any, model_of: Any, tokenizer: Any, seed: int, given: dict[str, Any]) -> Path:
    import torch

    settings = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": LONGEST,
        "tie_word_embeddings": True,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "initializer_range": 0.3,  # small models with small weights say everything with the same probability
        **given,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = model_of(config_of(**settings))
    model.save_pretrained(folder, safe_serialization=True)
    tokenizer.save_pretrained(folder)
    return folder


@cache
def _byte_level(special: tuple[str, ...]) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        _texts(),
        trainers.BpeTrainer(
            vocab_size=VOCABULARY, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
        ),
    )
    return tokenizer


@cache
def _byte_fallback(special: tuple[str, ...]) -> Any:
    from tokenizers import Tokenizer, decoders, models, normalizers, trainers

    normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trained = Tokenizer(models.BPE(unk_token="<unk>"))
    trained.normalizer = normalizer
    words = [word for text in _texts() for word in text.split()]
    trained.train_from_iterator(words, trainers.BpeTrainer(vocab_size=VOCABULARY - 256, show_progress=False))
    learnt = json.loads(trained.to_str())["model"]
    pieces = [*special, *(f"<0x{byte:02X}>" for byte in range(256)), *learnt["vocab"]]
    merges = [tuple(pair) for pair in learnt["merges"]]
    vocabulary = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens(list(special))
    return tokenizer


def _texts() -> list[str]:
    """What a tokenizer learns its pieces from: answers and rows, a little English, a little beyond ASCII."""
    names = ["age", "glucose", "daily_steps", "deep sleep", "mean radius", "β-blocker", "taille (cm)"]
    rows = [{name: round(7.3 * i + j, 1) for j, name in enumerate(names)} for i in range(40)]
    edits = [{"changes": [{"feature": name, "value": i * 13 % 97} for name in names[i % 5 :]]} for i in range(40)]
    english = [
        "You are asked for the smallest change to a person's features that changes a classifier's prediction.",
        "Answer in JSON. Values within bounds; features that may not change stay as they are.",
        "Changing glucose and daily_steps is enough to turn the prediction.",
    ]
    return [json.dumps(entry, ensure_ascii=False, separators=(",", ":")) for entry in [*rows, *edits]] + english
