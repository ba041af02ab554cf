"""What asking for a prediction over the pipe costs, at home and under another interpreter, beside a pickling pipe.

    python benchmarks/pipe.py [--env PATH_TO_PYTHON ...] [--repeats 5]

The classifier at the other end answers at once with a constant, so that what is left is the way there and back: writing,
reading and checking 100 rows of 30 features, and waking the other process. Beside it the same rows go through a
`multiprocessing.Pipe` that pickles them, without any check. Writes results/pipe.json and results/pipe.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from sensecf_bench.contracts import Classifier
from sensecf_bench.engine.config import RunConfig
from sensecf_bench.engine.context import Explained, fit_classifier, prepare_data
from sensecf_bench.engine.environments import inspect
from sensecf_bench.engine.executors import prepare
from sensecf_bench.engine.nursery import Nursery
from sensecf_bench.engine.plan import make_plan
from sensecf_bench.engine.provenance import provenance
from sensecf_bench.engine.supervisor import Supervisor
from sensecf_bench.registry import discover

HERE = Path(__file__).parent
ROWS, CALLS = 100, 2000


class Constant(Classifier):
    """Answers at once."""

    name = "constant"

    def fit(self, schema, rows, labels, seed):
        self.answers = {}

    def predict_proba(self, rows):
        return self.answers.setdefault(len(rows), np.full((len(rows), 2), 0.5))


def explained() -> Explained:
    data = prepare_data(discover().dataset("breast-cancer")(), 0)
    model = Constant()
    return fit_classifier(data, model)


def through_the_harness(asked: Explained, nursery: str, python: str) -> list[float]:
    config = RunConfig(
        datasets=("breast-cancer",),
        classifiers=("svm",),
        generators=("pipe-caller",),
        plugins=(HERE / "pipe_caller.py",),
    )
    cell = make_plan(config, discover(config.plugins)).cells[0]
    cell = replace(cell, generator=replace(cell.generator, python=python))
    with tempfile.TemporaryDirectory() as folder:
        child = Supervisor(asked, cell, Path(folder), nursery)
        child.start(120.0)
        child.stop()
        (rows, columns), seconds = json.loads((Path(folder) / "seconds.json").read_text())
    assert (rows, columns) == (ROWS, 30)
    return seconds


def echo(pipe: multiprocessing.connection.Connection) -> None:
    answer = np.full((ROWS, 2), 0.5)
    while pipe.recv() is not None:
        pipe.send(answer)


def through_pickle(rows: np.ndarray) -> list[float]:
    here, there = multiprocessing.Pipe()
    other = multiprocessing.get_context("fork").Process(target=echo, args=(there,))
    other.start()
    seconds = []
    for i in range(CALLS + 200):
        started = time.perf_counter()
        here.send(rows)
        here.recv()
        if i >= 200:
            seconds.append(time.perf_counter() - started)
    here.send(None)
    other.join()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    others = [inspect(path) for path in chosen.env]
    ways = {"at home": ""} | {
        f"Python {e.version}, numpy {e.version_of('numpy')}, pandas {e.version_of('pandas')}": e.python for e in others
    }
    prepare()
    asked = explained()
    rows = np.ascontiguousarray(asked.data.matrix[asked.data.train][:ROWS])
    medians: dict[str, list[float]] = {name: [] for name in (*ways, "pickling pipe, no checks")}
    slow: dict[str, list[float]] = {name: [] for name in medians}
    with Nursery(()) as nursery:
        for _ in range(chosen.repeats):  # in turns, because the machine's speed drifts
            taken = {name: through_the_harness(asked, nursery.address, python) for name, python in ways.items()}
            taken["pickling pipe, no checks"] = through_pickle(rows)
            for name, seconds in taken.items():
                medians[name].append(statistics.median(seconds))
                slow[name].append(statistics.quantiles(seconds, n=100)[94])
    result = {
        "command": f"python benchmarks/pipe.py --repeats {chosen.repeats}" + " --env PATH_TO_PYTHON" * len(others),
        "provenance": provenance(),
        "rows": ROWS,
        "columns": 30,
        "calls": CALLS,
        "median_microseconds": {name: 1e6 * statistics.median(m) for name, m in medians.items()},
        "p95_microseconds": {name: 1e6 * statistics.median(m) for name, m in slow.items()},
    }
    (HERE / "results" / "pipe.json").write_text(json.dumps(result, indent=1) + "\n")
    (HERE / "results" / "pipe.md").write_text(page(result))
    print(page(result))


def page(result: dict) -> str:
    p, medians = result["provenance"], result["median_microseconds"]
    peer = medians["pickling pipe, no checks"]
    lines = [
        "# What a prediction costs on its way",
        f"`{result['command']}` on {p['date']}, {p['cores']} cores, Python {p['python']}; {result['calls']} calls of "
        f"{result['rows']} × {result['columns']} rows each time, medians of the repeats.",
        "",
        "| from where | median µs a call | 95th percentile | times a pickling pipe |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| {name} | {value:.0f} | {result['p95_microseconds'][name]:.0f} | {value / peer:.2f} |"
            for name, value in medians.items()
        ),
        "",
        "The classifier answers at once with a constant: this is the way alone. A random forest's own prediction takes 4 to 7 ms.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
