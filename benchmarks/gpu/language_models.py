"""Language models of 7 and 8 billion parameters, at full size on a GPU: how fast they answer and are fine-tuned.

    python benchmarks/gpu/language_models.py [--models llama-3.1-8b biomistral-7b] [--stages speed constraint tuning resume]

The architectures are those of LLaMA-3.1-8B and Mistral-7B, the weights are random and written to disk as `save_pretrained`
does: speeds are measured, and nothing is said about answers. Without a GPU the same runs at toy size, and the results say so.
Each stage writes results/gpu_language_models.json and .md at once. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from random_models import FULL, TOY, save_random

from sensecf_bench.contracts import QueryBatch, Task
from sensecf_bench.engine.provenance import provenance
from sensecf_bench.testing import local_setting

RESULTS = Path(__file__).parents[1] / "results"
STAGES = ("speed", "constraint", "tuning", "resume")
AT_ONCE = 32
GIB = 2**30
CHILD_WAITS = 1800  # seconds for a first checkpoint


class Bench:
    """One model on one table."""

    def __init__(self, name: str, home: Path, chosen: argparse.Namespace) -> None:
        from sensecf_huggingface.generators import Llama, LlamaTuned, Mistral, MistralTuned

        self.name, self.home, self.chosen = name, home, chosen
        self.plain, self.tuned = {"llama-3.1-8b": (Llama, LlamaTuned), "biomistral-7b": (Mistral, MistralTuned)}[name]
        self.explained = local_setting(chosen.dataset, "svm").explained
        self.model = home / name
        if not (self.model / "tokenizer.json").exists():
            save_random(name, self.model, texts(self.task(), self.rows()), full=has_gpu())

    def rows(self) -> np.ndarray:
        return self.explained.data.matrix

    def task(self) -> Task:
        return replace(self.explained.task(self.plain, self.home), cache=self.home / "cache")

    def people(self, most: int) -> QueryBatch:
        """Everybody in the undesired class, whichever split they are in: nothing is judged here."""
        task = self.task()
        found = self.rows()[task.predict(self.rows()) != task.target]
        rows = found[np.arange(most) % len(found)]
        wanted = np.full(most, task.target)
        ids = tuple(map(str, range(most)))
        return QueryBatch(task.schema, ids, rows, 1 - wanted, wanted, np.arange(most, dtype=np.uint64))

    def fitted(self):
        generator = self.plain(self.plain.Options(model=str(self.model), rationale=False, batch=AT_ONCE))
        generator.available()
        generator.fit(self.task())
        return generator

    def to_tune(self, cls):
        options = {"rationale": False, "epochs": self.chosen.epochs, "several": 1}
        return cls(cls.Options(model=str(self.model), **options))


def texts(task: Task, rows: np.ndarray) -> list[str]:
    """What a tokenizer may learn its pieces from: the prompts it will read."""
    from sensecf_huggingface.generators import Llama
    from sensecf_huggingface.questions import Questions

    questions = Questions(Llama(Llama.Options(rationale=False))._prompt(task))
    return [m["content"] for said in questions.messages(rows[:60], np.full(60, 0.5)) for m in said]


# -- stages ----------------------------------------------------------------------------------------------------------


def speed(bench: Bench) -> dict:
    """`generate` of the plugin beside transformers' `generate` row by row, which writes as many tokens of each answer."""
    import torch
    import xgrammar

    generator, people = bench.fitted(), bench.people(bench.chosen.people)
    asker = generator._asker
    generator.generate(bench.people(2))  # kernels and the prefix
    seconds, answers = timed(lambda: generator.generate(people))
    tokens = {i: u.completion_tokens for i, u in answers.usage.items()}
    few = bench.people(bench.chosen.loop)
    asked, _ = asker.ask(few)
    loop = []
    for one in asked:
        ids = torch.tensor([one.ids], device=asker.loaded.device)
        how = {
            "attention_mask": torch.ones_like(ids),
            "max_new_tokens": tokens[one.query.id],
            "do_sample": False,
            "pad_token_id": asker.loaded.tokenizer.pad_token_id,
            "logits_processor": [xgrammar.contrib.hf.LogitsProcessor(one.grammar)],
        }
        each, said = timed(lambda ids=ids, how=how: asker.loaded.model.generate(ids, **how))
        loop.append({"seconds": each, "tokens": said.shape[1] - ids.shape[1]})
    return {
        "people": len(people),
        "prompt_tokens": statistics.mean(u.prompt_tokens for u in answers.usage.values()),
        "tokens": sum(tokens.values()),
        "seconds": seconds,
        "unparsable": len(answers.unparsable),
        "loop": loop,
        "peak_gib": peak_gib(),
    }


def constraint(bench: Bench) -> dict:
    """Free answers beside answers held to the grammar, 32 at once, all to the same number of tokens."""
    from sensecf_huggingface.decoding import Decoder, Decoding, Limits

    generator = bench.fitted()
    asker = generator._asker
    tokens = bench.chosen.tokens
    people = bench.people(AT_ONCE)
    asked = asker.asked(people)
    prompts, grammars = [one.ids for one in asked], [one.grammar for one in asked]
    known, limits = asker.compiler.vocabulary, Limits(AT_ONCE, threads=1)
    ways = {
        "free": (Decoder(replace(asker.loaded, stop_ids=()), limits, known), [None] * len(prompts)),
        "held": (Decoder(asker.loaded, limits, known), grammars),
    }
    seconds: dict[str, dict[str, list[float]]] = {way: {"one": [], "all": []} for way in ways}
    written = {}
    for turn in range(bench.chosen.repeats + 1):
        for way, (decoder, held) in ways.items():
            for part, most in (("one", 1), ("all", tokens)):
                took, answers = timed(
                    lambda d=decoder, g=held, m=most: d.decode(prompts, g, [0] * len(prompts), Decoding(m))
                )
                if turn:
                    seconds[way][part].append(took)
            written[way] = sum(a.tokens for (a,) in answers)
    return {"tokens": tokens, "answers": len(prompts), "written": written, "seconds": seconds}


def tuning(bench: Bench) -> dict:
    """LoRA on the model, through the generator's own `fit`."""
    from sensecf_huggingface.adapters import Adapters

    reset_peak()
    generator = bench.to_tune(bench.tuned)
    generator.available()
    with tempfile.TemporaryDirectory(dir=bench.home) as cache:  # an adapter found in one would not be trained
        seconds, _ = timed(lambda: generator.fit(replace(bench.task(), cache=Path(cache))))
        (adapter,) = Adapters(Path(cache)).all()
        return {"fit_seconds": seconds, "peak_gib": peak_gib(), "training": dict(adapter.manifest.validation)}


def resume(bench: Bench) -> dict:
    """A training in a process of its own, killed once a checkpoint is there, and started again."""
    reset_peak()  # the GPU is the other process's
    with tempfile.TemporaryDirectory(dir=bench.home) as cache:
        command = [sys.executable, __file__, *sys.argv[1:], "--models", bench.name, "--home", str(bench.home)]
        command += ["--child", cache]
        started = time.perf_counter()
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            while not any(Path(cache).glob("huggingface/training/*/**/step-*")):
                if process.poll() is not None or time.perf_counter() - started > CHILD_WAITS:
                    process.kill()
                    raise SystemExit("the training ended, or wrote no checkpoint, before it could be killed")
                time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
        done = subprocess.run(command, capture_output=True, text=True)
        lines = [line for line in done.stderr.splitlines() if "going on after step" in line]
        adapters = list(Path(cache).glob("huggingface/adapters/*/adapter_model.safetensors"))
        return {
            "killed_with": -process.returncode,
            "second_run": done.returncode,
            "said": lines[0].partition(": ")[2] if lines else "",
            "adapter_written": len(adapters) == 1,
        }


def child(bench: Bench, cache: Path) -> None:
    """Train with a checkpoint after every step: upkeep, which changes nothing about the weights."""

    class Careful(bench.tuned):
        def _lesson(self, task, questions):
            lesson = super()._lesson(task, questions)
            return replace(lesson, recipe=replace(lesson.recipe, checkpoint_steps=1))

    bench.to_tune(Careful).fit(replace(bench.task(), cache=cache))


# -- what is measured with -------------------------------------------------------------------------------------------


def has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def timed(work: Callable[[], object]) -> tuple[float, object]:
    import torch

    started = time.perf_counter()
    made = work()
    if has_gpu():
        torch.cuda.synchronize()
    return time.perf_counter() - started, made


def reset_peak() -> None:
    import torch

    gc.collect()
    if has_gpu():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_gib() -> float:
    """Of the GPU where there is one; else of this process, since it began."""
    import torch

    if has_gpu():
        return torch.cuda.max_memory_allocated() / GIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB


# -- results ---------------------------------------------------------------------------------------------------------


def write(result: dict, out: Path) -> None:
    (out / "gpu_language_models.json").write_text(json.dumps(result, indent=1) + "\n")
    (out / "gpu_language_models.md").write_text(page(result))


def page(result: dict) -> str:
    made, work = result["provenance"], result["work"]
    head = [
        "# Language models: answering and fine-tuning",
        f"`{work['command']}` on {made['date']}, {work['device']}, Python {made['python']}, "
        + ", ".join(f"{name} {version}" for name, version in work["versions"].items())
        + ".",
        "",
    ]
    if not work["full"]:
        head += [
            "**Toy size, on a CPU: there was no GPU, and all figures of models of 7 and 8 billion parameters are open.** "
            "What is below shows that every stage runs, and nothing about the speed or memory of the real shapes.",
            "",
        ]
    head += [
        f"Weights are random: speeds alone are measured. Prompts from {work['dataset']}, answers without rationale. "
        f"Load of the machine at the start: {work['load'][0]:.1f} on {made['cores']} cores.",
    ]
    for name, found in result["models"].items():
        head += [
            "",
            f"## {'Shape' if work['full'] else 'Toy'} of {name}: {found['parameters']:,} parameters, {found['vocabulary']:,} pieces",
        ]
        head += [line for stage in STAGES if stage in found for line in SAYS[stage](found[stage])]
    return "\n".join(head) + "\n"


def say_speed(found: dict) -> list[str]:
    each = statistics.median(one["seconds"] for one in found["loop"])
    rate = found["people"] / found["seconds"]
    loop_tokens = sum(one["tokens"] for one in found["loop"]) / sum(one["seconds"] for one in found["loop"])
    return [
        f"- `generate` of {found['people']} people, prompts of {found['prompt_tokens']:.0f} tokens, {found['tokens']} tokens written: "
        f"{rate:.2f} counterfactuals/s, {found['tokens'] / found['seconds']:.0f} tokens/s, {found['unparsable']} unparsable; "
        f"row by row {1 / each:.2f} counterfactuals/s, {loop_tokens:.0f} tokens/s: {rate * each:.1f} times as fast (goal: 10). "
        f"Peak memory {found['peak_gib']:.1f} GiB."
    ]


def say_constraint(found: dict) -> list[str]:
    seconds = found["seconds"]
    whole = statistics.median(h / f for h, f in zip(seconds["held"]["all"], seconds["free"]["all"], strict=True)) - 1
    later = {w: statistics.median(a - b for a, b in zip(s["all"], s["one"], strict=True)) for w, s in seconds.items()}
    return [
        f"- {found['answers']} answers at once of {found['tokens']} tokens, held to the grammar over free: {whole:+.1%}; after the first "
        f"token, without reading prompts: {later['held'] / later['free'] - 1:+.1%} (goal: +5 % at 8B on a GPU). Written: "
        f"{found['written']['held']} tokens held, {found['written']['free']} free."
    ]


def say_tuning(found: dict) -> list[str]:
    training = found["training"]
    return [
        f"- LoRA: {training['steps']} steps over {training['targets']} targets in {training['seconds']:.1f} s, validation included: "
        f"{training['seconds'] / training['steps']:.2f} s a step; `fit` as a whole {found['fit_seconds']:.1f} s; peak memory "
        f"{found['peak_gib']:.1f} GiB (goal: at most 40 GB at 8B on a GPU)."
    ]


def say_resume(found: dict) -> list[str]:
    finished = "finished with an adapter" if found["adapter_written"] and not found["second_run"] else "did not finish"
    return [f"- Killed in training (signal {found['killed_with']}) and started again: “{found['said']}”, {finished}."]


SAYS = {"speed": say_speed, "constraint": say_constraint, "tuning": say_tuning, "resume": say_resume}
RUNS = {"speed": speed, "constraint": constraint, "tuning": tuning, "resume": resume}


def work_of(chosen: argparse.Namespace) -> dict:
    import importlib.metadata

    import torch

    device = torch.cuda.get_device_name() if has_gpu() else f"CPU, torch on {torch.get_num_threads()} thread(s)"
    names = ("torch", "transformers", "peft", "xgrammar")
    shown = [a for a in sys.argv[1:] if a not in ("--home", str(chosen.home))]
    return {
        "command": " ".join(["python", "benchmarks/gpu/language_models.py", *shown]),
        "full": has_gpu(),
        "device": device,
        "dataset": chosen.dataset,
        "load": os.getloadavg(),
        "versions": {name: importlib.metadata.version(name) for name in names},
    }


def options() -> argparse.Namespace:
    full = has_gpu()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=list(FULL), choices=list(FULL))
    parser.add_argument("--stages", nargs="+", default=list(STAGES), choices=STAGES)
    parser.add_argument("--dataset", default="breast-cancer" if full else "diabetes-progression")
    parser.add_argument("--people", type=int, default=128 if full else 32)
    parser.add_argument("--loop", type=int, default=8 if full else 3, help="people of the loop row by row")
    parser.add_argument("--tokens", type=int, default=64 if full else 12, help="of an answer, free or held")
    parser.add_argument("--repeats", type=int, default=5 if full else 3)
    parser.add_argument("--epochs", type=float, default=1.0 if full else 0.6)
    parser.add_argument("--home", type=Path, help="folder for the models, 32 GB; a temporary one by default")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    import torch

    chosen = options()
    if not has_gpu():
        torch.set_num_threads(1)
        print("no GPU: toy size on the CPU; figures of the real shapes stay open", file=sys.stderr)
    if chosen.child:
        child(Bench(chosen.models[0], chosen.home, chosen), chosen.child)
        return
    result = {"work": work_of(chosen), "models": {}, "provenance": provenance()}
    with tempfile.TemporaryDirectory(prefix="sensecf-bench-") as scratch:
        for name in chosen.models:
            bench = Bench(name, chosen.home or Path(scratch), chosen)
            shape = (FULL if has_gpu() else TOY)[name]
            generator = bench.plain(bench.plain.Options(model=str(bench.model)))
            found = {"parameters": generator._found().parameters, "vocabulary": shape["vocab_size"]}
            result["models"][name] = found
            for stage in chosen.stages:
                print(f"{name}: {stage}", file=sys.stderr)
                found[stage] = RUNS[stage](bench)
                write(result, chosen.out)
    print(page(result))


if __name__ == "__main__":
    main()
