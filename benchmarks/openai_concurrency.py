"""How near 500 answers from a server that takes 300 ms come to the ideal, what a second run costs, and which style is shorter.

    python benchmarks/openai_concurrency.py [--queries 500] [--latency 0.3] [--concurrency 32] [--repeats 3]

The server is the one of the plugin's tests, on loopback and in this process: it answers with conforming edits after its
latency. A run asks every person of a made-up table of 30 features; `generate` is what the harness measured around the
generator. The ideal is queries / concurrency × latency. Writes results/openai_concurrency.json and .md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from sensecf_bench import Dataset, Feature, FeatureSchema, Table, api, hookimpl
from sensecf_bench.contracts import Split
from sensecf_bench.engine.config import RunConfig
from sensecf_bench.engine.provenance import provenance

HERE = Path(__file__).parent
ROWS = 1600


class Crowd(Dataset):
    """1600 made-up people with 30 numbers each, half of whom are ill; most of them are test rows."""

    name = "crowd"

    def load(self) -> Table:
        rng = np.random.default_rng(0)
        names = [f"marker_{i:02d}" for i in range(30)]
        frame = pd.DataFrame(rng.normal(100.0, 15.0, (ROWS, 30)).round(2), columns=names)
        risk = frame[names[:5]].sum(axis=1)
        schema = FeatureSchema(tuple(Feature(name=n, kind="continuous", precision=0.01) for n in names))
        ids = tuple(f"p{i:04d}" for i in range(ROWS))
        ill = (risk > risk.median()).to_numpy().astype(np.int64)
        return Table(self.name, schema, frame, ill, ids, ("well", "ill"), undesired=1)

    def split(self, table: Table, seed: int) -> Split:
        order = np.random.default_rng(seed).permutation(ROWS)
        return Split(order[:300], order[300:400], order[400:])


@hookimpl
def sensecf_datasets() -> list[type[Dataset]]:
    return [Crowd]


def one_run(folder: Path, cache: Path, url: str, chosen: argparse.Namespace) -> dict[str, float]:
    config = RunConfig(
        plugins=(Path(__file__),),
        datasets=("crowd",),
        classifiers=("svm",),
        generators=("gpt-4-zero-shot",),
        metrics=("validity",),
        queries=chosen.queries,
        allow=("network", "paid"),
        jobs=1,
        cache=cache,
        options={"gpt-4-*": {"base_url": url, "concurrency": chosen.concurrency}},
        resamples=100,
    )
    started = time.monotonic()
    api.run(config, folder)
    wall = time.monotonic() - started
    queries = pd.read_parquet(next(folder.glob("cells/*/queries.parquet")))
    assert (queries["cf_outcome"] == "FOUND").all(), queries["cf_outcome"].value_counts()
    assert len(queries) == chosen.queries
    return {"generate": float(queries["cf_seconds"].sum()), "wall": wall}


def speed(chosen: argparse.Namespace) -> dict[str, object]:
    from fault_server import FaultServer

    first, second = [], []
    for _ in range(chosen.repeats):
        with tempfile.TemporaryDirectory() as name, FaultServer(latency=chosen.latency) as server:
            folder = Path(name)
            first.append(one_run(folder / "one", folder / "cache", server.url, chosen))
            assert len(server.bodies) == chosen.queries
            second.append(one_run(folder / "two", folder / "cache", server.url, chosen))
            assert len(server.bodies) == chosen.queries  # not one more
    ideal = chosen.queries / chosen.concurrency * chosen.latency
    return {
        "ideal": ideal,
        "generate": [run["generate"] for run in first],
        "from_cache": [run["generate"] for run in second],
        "wall_from_cache": [run["wall"] for run in second],
    }


def lengths() -> list[dict[str, object]]:
    """Tokens and bytes of answers to the people of breast-cancer, in both styles, for two authors of the same changes."""
    from fault_server import changes_for, tokens

    from sensecf_bench.contracts import classes_of
    from sensecf_bench.prompting import Brief, Prompt, answer_text, choose_shots
    from sensecf_bench.testing import local_setting

    setting = local_setting("breast-cancer", "random-forest")
    data, model = setting.explained.data, setting.explained.model
    rows, labels = data.matrix[data.train], data.labels[data.train]
    brief = Brief.of(data.schema, data.table.classes, data.target, rows, labels)

    def predict(matrix: np.ndarray) -> np.ndarray:
        return classes_of(model.predict_proba(matrix))

    shots = choose_shots(data.schema, rows, predict(rows), predict, data.target, 20, 0)
    prompt = Prompt.of(brief, "edits")
    moved = [(query.row, changes_for(prompt.messages(query.row))[1]) for query in setting.queries]
    authors = {
        "few-shot examples": [(shot.factual, shot.counterfactual) for shot in shots],
        "the test server, 8 changes each": [(row, {**row, **changes}) for row, changes in moved],
    }
    table = []
    for author, pairs in authors.items():
        for style, rationale in (("row", False), ("row", True), ("edits", False), ("edits", True)):
            form = Prompt.of(brief, style, rationale=rationale).answer
            texts = [str(answer_text(form, factual, counterfactual)) for factual, counterfactual in pairs]
            counts = {
                "tokens": statistics.mean(map(tokens, texts)),
                "bytes": statistics.mean(len(text.encode()) for text in texts),
            }
            table.append({"author": author, "style": style, "rationale": rationale, "answers": len(texts), **counts})
    return table


def page(result: dict[str, object], chosen: argparse.Namespace, command: str) -> str:
    made = result["provenance"]
    timing, ideal = result["speed"], result["speed"]["ideal"]
    median = {name: statistics.median(values) for name, values in timing.items() if name != "ideal"}
    head = (
        f"# Many questions at once\n`{command}` on {made['date']}, {made['cores']} cores, Python {made['python']}; "
        f"{chosen.queries} people, {chosen.latency * 1000:g} ms a request, {chosen.concurrency} under way at once, "
        f"medians of {chosen.repeats} (slowest).\n\n"
        "| what | seconds | times the ideal |\n| --- | ---: | ---: |\n"
        f"| the ideal | {ideal:.2f} | 1 |\n"
    )
    lines = [
        f"| `generate`, nothing in the cache | {median['generate']:.2f} ({max(timing['generate']):.2f}) "
        f"| {median['generate'] / ideal:.2f} ({max(timing['generate']) / ideal:.2f}) |",
        f"| `generate`, all in the cache, no request | {median['from_cache']:.2f} ({max(timing['from_cache']):.2f}) | |",
        f"| the whole second run, classifier and scoring included | {median['wall_from_cache']:.2f} "
        f"({max(timing['wall_from_cache']):.2f}) | |",
    ]
    table = [
        "\n\n## How long answers are\nTable breast-cancer, 30 features. A token is a piece as the cl100k vocabulary cuts text "
        "before it merges: three digits, a word, a sign.\n\n"
        "| author of the changes | style | answers | tokens | bytes | tokens, share of the full row |\n"
        "| --- | --- | ---: | ---: | ---: | ---: |\n"
    ]
    for line in result["lengths"]:
        (full,) = [
            other["tokens"]
            for other in result["lengths"]
            if other["author"] == line["author"] and other["style"] == "row" and not other["rationale"]
        ]
        style = f"{line['style']}, {'with' if line['rationale'] else 'no'} rationale"
        table.append(
            f"| {line['author']} | {style} | {line['answers']} | {line['tokens']:.0f} | {line['bytes']:.0f} "
            f"| {line['tokens'] / full:.2f} |\n"
        )
    return head + "\n".join(lines) + "".join(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--latency", type=float, default=0.3)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    os.environ.pop("OPENAI_API_KEY", None)
    sys.path.insert(0, str(HERE.parent / "plugins" / "openai" / "tests"))
    result = {"settings": vars(chosen), "speed": speed(chosen), "lengths": lengths(), "provenance": provenance()}
    command = " ".join(["python", "benchmarks/openai_concurrency.py", *sys.argv[1:]])
    text = page(result, chosen, command)
    (HERE / "results" / "openai_concurrency.json").write_text(json.dumps(result, indent=1) + "\n")
    (HERE / "results" / "openai_concurrency.md").write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
