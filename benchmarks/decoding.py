"""What decoding costs: held to a grammar against free, and in batches against one by one.

    python benchmarks/decoding.py [--batch 32] [--repeats 5] [--queries 64] [--threads 1]

The model is a LLaMA of about a million random parameters with a vocabulary of about 3,000 pieces, in which a feature's name
with all that stands around it is one piece; the table is breast-cancer. What a model costs does not depend on what it
learnt, but how long its answers are does: free and constrained answers alike are cut off after 12 tokens, about what a small
change takes. Two prompts are tried: the one that large models get, and the row alone, as a model that was trained for nothing
else may get it. Each way is timed in turns, because the machine's speed drifts.

Writes results/decoding.json and results/decoding.md. Compare ratios, not seconds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from sensecf_bench.engine.provenance import provenance
from sensecf_bench.prompting import Brief, Prompt, row_text
from sensecf_bench.testing import local_setting

RESULTS = Path(__file__).with_name("results")
PIECES = 3000
ANSWER = 12  # tokens of a free answer
END = "<|end|>"


@dataclass(frozen=True)
class Work:
    """Prompts as token ids by their kind, their grammars, and the model that is to answer them."""

    loaded: SimpleNamespace
    prompts: dict[str, list[list[int]]]
    grammars: list[object]
    grammar_seconds: float
    longest: int


def prepared(queries: int) -> Work:
    import torch
    from sensecf_huggingface.constraint import Compiler
    from sensecf_huggingface.grammar import edit_list_grammar

    setting = local_setting("breast-cancer", "svm", queries=queries)
    data = setting.explained.data
    rows, labels = data.matrix[data.train], data.labels[data.train]
    schema = data.schema.with_scales(rows)
    prompt = Prompt.of(Brief.of(schema, data.table.classes, data.target, rows, labels), rationale=False)
    people = list(setting.queries)
    asked = [people[i % len(people)] for i in range(queries)]
    texts = {
        "whole prompt": ["".join(m["content"] for m in prompt.messages(q.row)) for q in asked],
        "row alone": [row_text(schema, q.row) for q in asked],
    }
    seen = [text for kind in texts.values() for text in kind]
    loaded = micro_llama(seen, [f'{{"feature":"{name}","value":' for name in schema.names], torch)
    compiler = Compiler(loaded)
    started = time.perf_counter()
    grammars = [edit_list_grammar(schema, q.row, rationale=False) for q in asked]
    compiled = [compiler.compile(g) for g in grammars]
    seconds = time.perf_counter() - started
    encode = loaded.tokenizer.encode
    ids = {kind: [encode(text, add_special_tokens=False) for text in said] for kind, said in texts.items()}
    return Work(loaded, ids, compiled, seconds, max(g.longest for g in grammars))


def micro_llama(texts: list[str], heads: list[str], torch) -> SimpleNamespace:
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    numbers = [f"{i / 1000:.{i % 4}f}" for i in range(4000)]
    trainer = trainers.BpeTrainer(vocab_size=PIECES - len(heads) - 2, initial_alphabet=alphabet, show_progress=False)
    trained.train_from_iterator([*texts, *numbers], trainer)
    trained.add_tokens([AddedToken(piece, normalized=False) for piece in ['{"changes":[', *heads]])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=trained, eos_token=END, pad_token=END)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = LlamaForCausalLM(config).eval()
    return SimpleNamespace(model=model, tokenizer=tokenizer, stop_ids=(tokenizer.eos_token_id,))


def measured(work: Work, kind: str, batch: int, repeats: int) -> dict[str, object]:
    """Seconds for all prompts of a kind, by what was written and how."""
    from sensecf_huggingface.decoding import Decoder, Decoding, Limits

    prompts = work.prompts[kind]
    decoder = Decoder(work.loaded, Limits(batch=batch))
    seeds, free = [0] * len(prompts), [None] * len(prompts)

    def timed(grammars: list[object], most: int) -> tuple[float, int]:
        started = time.perf_counter()
        answers = decoder.decode(prompts, grammars, seeds, Decoding(most))
        return time.perf_counter() - started, sum(a.tokens for (a,) in answers)

    timed(free, 2), timed(work.grammars, 2)  # the prefix, and what torch allocates once
    ways = {
        "free, 1 token": (free, 1),
        "constrained, 1 token": (work.grammars, 1),
        "free": (free, ANSWER),
        "constrained": (work.grammars, ANSWER),
        "to the end": (work.grammars, work.longest),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    tokens: dict[str, int] = {}
    for _ in range(repeats):
        for way, (grammars, most) in ways.items():
            took, tokens[way] = timed(grammars, most)
            seconds[way].append(took)
    return {
        "seconds": seconds,
        "tokens": tokens,
        "prompt_tokens": statistics.mean(map(len, prompts)),
        "prefix_tokens": next(i for i, column in enumerate(zip(*prompts, strict=False)) if len(set(column)) > 1),
        "one_by_one": one_by_one(work, prompts, 8),
    }


def one_by_one(work: Work, prompts: list[list[int]], queries: int) -> list[float]:
    """Seconds a prompt in a loop over transformers' generate with xgrammar's processor, which reads each prompt whole."""
    import torch
    import xgrammar

    seconds = []
    for ids, grammar in list(zip(prompts, work.grammars, strict=True))[: queries + 1]:
        started = time.perf_counter()
        work.loaded.model.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            max_new_tokens=ANSWER,
            do_sample=False,
            pad_token_id=0,
            logits_processor=[xgrammar.contrib.hf.LogitsProcessor(grammar)],
        )
        seconds.append(time.perf_counter() - started)
    return seconds[1:]


def page(result: dict, command: str) -> str:
    made, work = result["provenance"], result["work"]
    lines = [
        "# What decoding costs",
        f"`{command}` on {made['date']}, {made['cores']} cores, Python {made['python']}, torch on {work['threads']} thread(s).",
        "",
        f"A LLaMA of {work['parameters']:,} random parameters, {work['pieces']:,} pieces; {work['queries']} prompts from "
        f"breast-cancer, batches of {work['batch']}, medians. Compare ratios, not seconds.",
    ]
    for kind, found in result["decoding"].items():
        lines += ["", *table(kind, found, work["queries"])]
    lines += ["", f"Grammars of all prompts, written and compiled: {work['grammar_seconds'] * 1000:.0f} ms."]
    return "\n".join(lines) + "\n"


def table(kind: str, found: dict, count: int) -> list[str]:
    seconds = found["seconds"]
    median = {way: statistics.median(values) for way, values in seconds.items()}
    each = statistics.median(found["one_by_one"])
    whole = statistics.median(c / f for c, f in zip(seconds["constrained"], seconds["free"], strict=True)) - 1
    steps = (median["constrained"] - median["constrained, 1 token"]) / (median["free"] - median["free, 1 token"]) - 1
    named = {
        "free": f"free, {ANSWER} tokens",
        "constrained": f"constrained, {ANSWER} tokens",
        "to the end": f"constrained, to the end ({found['tokens']['to the end'] / count:.0f} tokens)",
    }
    return [
        f"## {kind.capitalize()}: {found['prompt_tokens']:.0f} tokens, the first {found['prefix_tokens']} the same for all",
        "| what | seconds | answers/s |",
        "| --- | ---: | ---: |",
        *(f"| {what} | {median[way]:.3f} | {count / median[way]:.0f} |" for way, what in named.items()),
        f"| one by one, `generate` with xgrammar's processor, {ANSWER} tokens | {each * count:.3f} | {1 / each:.1f} |",
        "",
        f"Constrained costs {whole:+.0%} over free (median over repeats), and {steps:+.0%} where only tokens after the first are "
        f"counted, without reading prompts. Batches are {each * count / median['constrained']:.1f} times as fast as one by one.",
    ]


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--queries", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    work = prepared(chosen.queries)
    result = {
        "work": {
            "parameters": sum(p.numel() for p in work.loaded.model.parameters()),
            "pieces": len(work.loaded.tokenizer),
            "queries": chosen.queries,
            "batch": chosen.batch,
            "threads": chosen.threads,
            "grammar_seconds": work.grammar_seconds,
        },
        "decoding": {kind: measured(work, kind, chosen.batch, chosen.repeats) for kind in work.prompts},
        "provenance": provenance(),
    }
    text = page(result, " ".join(["python", "benchmarks/decoding.py", *sys.argv[1:]]))
    (RESULTS / "decoding.json").write_text(json.dumps(result, indent=1) + "\n")
    (RESULTS / "decoding.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
