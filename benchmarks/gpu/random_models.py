"""LLaMA-3.1-8B and Mistral-7B as to their shape, with random weights, and tokenizers of their vocabularies' size."""

from __future__ import annotations

import itertools
import string
from pathlib import Path
from typing import Any

_BOTH = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
}
LLAMA_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
# As the config.json of meta-llama/Llama-3.1-8B-Instruct and of mistralai/Mistral-7B-Instruct-v0.1, BioMistral's base, say.
FULL: dict[str, dict[str, Any]] = {
    "llama-3.1-8b": {**_BOTH, "vocab_size": 128256, "max_position_embeddings": 131072, "rope_parameters": LLAMA_ROPE},
    "biomistral-7b": {
        **_BOTH,
        "vocab_size": 32000,
        "max_position_embeddings": 32768,
        "sliding_window": 4096,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    },
}
_SMALL = {
    "hidden_size": 64,
    "intermediate_size": 224,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
}
TOY = {name: {**shape, **_SMALL, "vocab_size": shape["vocab_size"] // 32} for name, shape in FULL.items()}
SPECIAL = {
    "llama-3.1-8b": ("<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"),
    "biomistral-7b": ("<s>", "</s>"),
}
TEMPLATES = {
    "llama-3.1-8b": "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + "
    "'<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
    "biomistral-7b": "{{ bos_token }}{% for message in messages %}{% if message['role'] == 'user' %}"
    "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
    "{{ message['content'] + eos_token }}{% else %}{{ raise_exception('no system messages') }}{% endif %}{% endfor %}",
}


def save_random(name: str, folder: Path, texts: list[str], *, full: bool) -> None:
    """Write a checkpoint: at full size in bfloat16, made on the GPU; else of toy size in float32."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

    families = {"llama-3.1-8b": (LlamaConfig, LlamaForCausalLM), "biomistral-7b": (MistralConfig, MistralForCausalLM)}
    config_of, model_of = families[name]
    shape = (FULL if full else TOY)[name]
    tokenizer = _tokenizer(name, shape["vocab_size"], texts)
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    torch.manual_seed(0)
    with torch.device("cuda" if full else "cpu"):
        dtype = torch.bfloat16 if full else torch.float32
        model = model_of._from_config(config_of(**shape, **ends, pad_token_id=ends["eos_token_id"]), dtype=dtype)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    del model
    if full:
        torch.cuda.empty_cache()


def _tokenizer(name: str, size: int, texts: list[str]) -> Any:
    """Byte-level BPE learnt from the prompts, and made up to its size with words that no text has: a mask over the
    vocabulary costs what it costs with the real one."""
    import json

    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    cut, special = pre_tokenizers.ByteLevel(add_prefix_space=False), SPECIAL[name]
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = cut
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=min(size, 2000), special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    trained.train_from_iterator(texts, trainer)
    learnt = json.loads(trained.to_str())["model"]
    letters = ("".join(some) for n in (4, 5) for some in itertools.product(string.ascii_lowercase, repeat=n))
    pieces = list(learnt["vocab"])
    known = set(pieces)
    pieces += list(itertools.islice((word for word in letters if word not in known), size - len(pieces)))
    merges = [tuple(pair) for pair in learnt["merges"]]
    tokenizer = Tokenizer(models.BPE({piece: i for i, piece in enumerate(pieces)}, merges))
    tokenizer.pre_tokenizer, tokenizer.decoder = cut, decoders.ByteLevel()
    tokenizer.add_special_tokens(list(special))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=special[0], eos_token=special[1], chat_template=TEMPLATES[name]
    )
