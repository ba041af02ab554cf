"""How fast `llama-micro-ft` answers: greedy and the nearest of eight, beside a loop row by row, held to a grammar and free.

    python benchmarks/llama_micro.py [--people 200] [--repeats 5] [--threads 1] [--steps 50]

Timed is `Generator.generate` for all people whom the classifier puts in the undesired class, up to `--people`, with
everything it takes: prompts, grammars, tokens, decoding, reading the answers, and for eight samples the classifier's choice.
Training is not timed and is short here: how good an answer is does not matter for speed, but how long it is does, so tokens
per answer are told. The loop is transformers' own `generate` with xgrammar's processor, one person at a time, on the same
prompts and grammars. Free and held answers are compared at batch 32 on equal work: the same people, and as many tokens of
each. Seconds are told by the clock and of the processor; where other work runs beside, the latter is the one to look at.
Writes results/llama_micro.json and results/llama_micro.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from sensecf_bench.contracts import Generator, QueryBatch, Task
from sensecf_bench.engine.provenance import provenance
from sensecf_bench.testing import local_setting

RESULTS = Path(__file__).with_name("results")
DATASETS = ("breast-cancer", "diabetes-progression")
AT_ONCE = 32  # answers where free and held ones are compared
Times = dict[str, list[float]]


class Clock:
    """Seconds by the clock and of this process's processors, one of each a repeat."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.processor: list[float] = []

    def time(self, work: Callable[[], object]) -> object:
        wall, processor = time.perf_counter(), time.process_time()
        made = work()
        self.wall.append(time.perf_counter() - wall)
        self.processor.append(time.process_time() - processor)
        return made

    def seconds(self) -> Times:
        return {"wall": self.wall, "processor": self.processor}


def measured(dataset: str, chosen: argparse.Namespace, cache: Path) -> dict:
    from sensecf_huggingface.generators import MicroTuned, MicroTunedAt8

    setting = local_setting(dataset, "svm")
    explained = setting.explained
    found: dict = {"ways": {}, "features": len(setting.queries.schema)}
    for cls in (MicroTuned, MicroTunedAt8):
        generator = cls(cls.Options(steps=chosen.steps, imagined=chosen.imagined))
        task = replace(explained.task(cls, cache), cache=cache)
        generator.fit(task)
        people = queries_of(task, explained.data.matrix, chosen.people)
        generator.generate(people)  # what is allocated and compiled once
        clock, answers = Clock(), None
        for _ in range(chosen.repeats):
            answers = clock.time(lambda g=generator, p=people: g.generate(p))
        written = sum(u.completion_tokens for u in answers.usage.values())
        found["ways"][cls.name] = {
            **clock.seconds(),
            "tokens_per_answer": written / len(people) / generator.options.samples,
            "unparsable": len(answers.unparsable),
        }
        found["people"] = len(people)
        if cls is MicroTuned:
            found["loop"] = row_by_row(generator, people, chosen.loop)
            found["constraint"] = free_and_held(generator, people, chosen.repeats)
    return found


def queries_of(task: Task, rows: np.ndarray, most: int) -> QueryBatch:
    """Everybody in the undesired class, whichever split they are in: nothing is judged here."""
    people = rows[task.predict(rows) != task.target][:most]
    n = len(people)
    wanted = np.full(n, task.target)
    return QueryBatch(task.schema, tuple(map(str, range(n))), people, 1 - wanted, wanted, np.arange(n, dtype=np.uint64))


def row_by_row(generator: Generator, people: QueryBatch, most: int) -> Times:
    """A loop as one would write it: a prompt, a grammar, `generate`, and the answer read; seconds of each person."""
    import torch
    import xgrammar
    from sensecf_huggingface.chat import prompt_ids
    from sensecf_huggingface.grammar import edit_list_grammar

    asker = generator._asker
    model, tokenizer = asker.loaded.model, asker.loaded.tokenizer
    clock = Clock()

    def answer(at: int, query) -> None:
        told = asker.probability(people.matrix[at : at + 1])
        (messages,) = asker.questions.messages(people.matrix[at : at + 1], told)
        ids = prompt_ids(tokenizer, messages)
        grammar = edit_list_grammar(people.schema, query.row, rationale=False)
        compiled = asker.compiler.compile(grammar)
        said = model.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            max_new_tokens=grammar.longest,
            do_sample=False,
            pad_token_id=tokenizer.pad_token_id,
            logits_processor=[xgrammar.contrib.hf.LogitsProcessor(compiled)],
        )
        asker.questions.read(tokenizer.decode(said[0, len(ids) :], skip_special_tokens=True), query.row)

    for at, query in enumerate(list(people)[: most + 1]):
        clock.time(lambda at=at, query=query: answer(at, query))
    return {"wall": clock.wall[1:], "processor": clock.processor[1:]}


def free_and_held(generator: Generator, people: QueryBatch, repeats: int) -> dict:
    """Seconds for the people with the longest answers, each to as many tokens as the shortest of these has."""
    from sensecf_huggingface.decoding import Decoder, Decoding, Limits

    asker = generator._asker
    asked, said = asker.ask(people)
    order = sorted(range(len(asked)), key=lambda i: -said[i][0].tokens)[:AT_ONCE]
    tokens = max(1, min(said[i][0].tokens for i in order) - 1)  # one less, for the last ends the answer
    prompts, seeds = [asked[i].ids for i in order], [0] * len(order)
    # Without stop tokens no free answer ends early.
    free = Decoder(replace(asker.loaded, stop_ids=()), Limits(AT_ONCE, threads=1), asker.compiler.vocabulary)
    held = Decoder(asker.loaded, Limits(AT_ONCE, threads=1), asker.compiler.vocabulary)
    ways = {"free": (free, [None] * len(order)), "held": (held, [asked[i].grammar for i in order])}
    clocks = {way: Clock() for way in ways}
    for turn in range(5 * repeats + 1):
        for way, (decoder, grammars) in ways.items():
            clock = Clock() if turn == 0 else clocks[way]
            answers = clock.time(lambda d=decoder, g=grammars: d.decode(prompts, g, seeds, Decoding(tokens)))
            assert all(a.tokens == tokens for (a,) in answers)
    return {"tokens": tokens, "answers": len(order), **{way: clock.seconds() for way, clock in clocks.items()}}


def page(result: dict) -> str:
    made, work = result["provenance"], result["work"]
    load = ", ".join(f"{x:.1f}" for x in (*work["load_before"], *work["load_after"]))
    lines = [
        "# How fast llama-micro-ft answers",
        f"`{work['command']}` on {made['date']}, {made['cores']} cores, Python {made['python']}, torch {work['torch']} on "
        f"{work['threads']} thread(s); {work['repeats']} repeats, medians.",
        "",
        f"Load of the machine (1, 5, 15 minutes) before and after: {load}. Where it is above the number of cores, other work ran "
        "beside, and a second of the clock is not one of this benchmark: look at processor time.",
    ]
    for dataset, found in result["datasets"].items():
        lines += ["", *table(dataset, found)]
    return "\n".join(lines) + "\n"


def table(dataset: str, found: dict) -> list[str]:
    n = found["people"]
    each = {clock: statistics.median(found["loop"][clock]) for clock in ("wall", "processor")}
    lines = [
        f"## {dataset}: {n} people, {found['features']} features",
        "| what | counterfactuals/s by the clock | per second of processor | tokens per answer |",
        "| --- | ---: | ---: | ---: |",
    ]
    for name, way in found["ways"].items():
        wall, processor = (n / statistics.median(way[clock]) for clock in ("wall", "processor"))
        lines.append(f"| `{name}` | {wall:.0f} | {processor:.0f} | {way['tokens_per_answer']:.1f} |")
    lines.append(f"| row by row, greedy | {1 / each['wall']:.1f} | {1 / each['processor']:.1f} | |")
    greedy = found["ways"]["llama-micro-ft"]
    times = {clock: each[clock] * n / statistics.median(greedy[clock]) for clock in each}
    held = found["constraint"]
    more = {
        c: statistics.median(h / f for h, f in zip(held["held"][c], held["free"][c], strict=True)) - 1 for c in each
    }
    return [
        *lines,
        "",
        f"Batches are {times['processor']:.1f} times as fast as row by row in processor time ({times['wall']:.1f} by the clock). Held to "
        f"the grammar, {held['answers']} answers at once of {held['tokens']} tokens take {more['processor']:+.0%} of processor time over "
        f"free ones ({more['wall']:+.0%} by the clock).",
    ]


def main() -> None:
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--loop", type=int, default=12, help="people of the loop row by row")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--steps", type=int, default=50, help="of fine-tuning")
    parser.add_argument("--imagined", type=int, default=800, help="people to learn from beside the training rows")
    parser.add_argument("--cache", type=Path, help="where trained models are kept; by default they go with the run")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    before = os.getloadavg()
    with tempfile.TemporaryDirectory(prefix="sensecf-bench-") as scratch:
        datasets = {name: measured(name, chosen, chosen.cache or Path(scratch)) for name in DATASETS}
    shown = [a for a in sys.argv[1:] if a != "--cache" and a != str(chosen.cache)]
    work = {
        "command": " ".join(["python", "benchmarks/llama_micro.py", *shown]),
        "threads": chosen.threads,
        "repeats": chosen.repeats,
        "torch": torch.__version__,
        "load_before": before,
        "load_after": os.getloadavg(),
    }
    result = {"work": work, "datasets": datasets, "provenance": provenance()}
    (RESULTS / "llama_micro.json").write_text(json.dumps(result, indent=1) + "\n")
    (RESULTS / "llama_micro.md").write_text(page(result))
    print(page(result))


if __name__ == "__main__":
    main()
