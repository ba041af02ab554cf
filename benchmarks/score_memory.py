"""Scoring at size: peak memory and seconds for all metrics and their intervals, each size in a process of its own.

    python benchmarks/score_memory.py

Random rows, no generator: what is measured is scoring alone. One row a query, every query its own cluster (the dear
case for the bootstrap), 2000 resamples, and a training set of 341 rows, as many as breast-cancer has. The claim: 1,000,000
counterfactuals over 30 features stay under 2 GB and take time proportional to their number. Processor time decides, since
it says the same on a machine that others use too.
"""

from __future__ import annotations

import json
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

SIZES = (100_000, 300_000, 1_000_000)
FEATURES, NOMINAL, TRAINING = 30, 5, 341
LIMIT_MB = 2000.0
RESULTS = Path(__file__).parent / "results"


def judged(n: int):
    """n queries with a row each: 25 numbers and 5 categories, about a third of the features changed."""
    from sensecf_bench.contracts import Feature, FeatureSchema
    from sensecf_bench.judged import Judged, Reference, Spent
    from sensecf_bench.queries import Outcome

    rng = np.random.default_rng(0)
    numbers = [Feature(name=f"x{j}", kind="continuous", precision=0.01) for j in range(FEATURES - NOMINAL)]
    levels = [Feature(name=f"c{j}", kind="categorical", levels=("a", "b", "c", "d")) for j in range(NOMINAL)]

    def draw(count: int):
        rows = np.empty((count, FEATURES))
        for j in range(FEATURES):
            rows[:, j] = rng.normal(size=count) if j < len(numbers) else rng.integers(0, 4, size=count)
        return rows

    training = draw(TRAINING)
    factuals, rows = draw(n), draw(n)
    for j in range(FEATURES):
        same = rng.random(n) < 2 / 3
        rows[same, j] = factuals[same, j]
    copies = np.flatnonzero(rng.random(n) < 0.1)
    rows[copies] = training[rng.integers(0, TRAINING, size=len(copies))]
    spent = np.ones(n)
    return Judged(
        schema=FeatureSchema((*numbers, *levels)).with_scales(training),
        factuals=factuals,
        target=np.zeros(n, dtype=np.int64),
        outcomes=(Outcome.FOUND,) * n,
        owner=np.arange(n),
        rows=rows,
        predicted=rng.integers(0, 2, size=n),
        panel={name: rng.integers(0, 2, size=n) for name in ("a", "b", "c")},
        reference=Reference(training, rng.integers(0, 2, size=TRAINING)),
        spent=Spent(spent, spent, spent, spent, spent),
    )


def measure(n: int) -> dict[str, object]:
    from sensecf_bench.metrics import sensecf_metrics
    from sensecf_bench.metrics.bootstrap import estimates

    case = judged(n)
    before = _peak_mb()
    seconds: dict[str, float] = {}
    measured = []
    started, cpu = time.perf_counter(), time.process_time()
    for cls in sensecf_metrics():
        lap = time.perf_counter()
        metric = cls()
        measured.append((metric, metric.sums(case)))
        seconds[metric.name] = round(time.perf_counter() - lap, 2)
    lap = time.perf_counter()
    found = estimates(measured, [f"person-{i}" for i in range(n)], seed=0)
    seconds["bootstrap"] = round(time.perf_counter() - lap, 2)
    undefined = [name for name, e in found.items() if e.value is None]
    if undefined != ["diversity"]:
        raise SystemExit(f"expected only diversity to be undefined with one row a query, got {undefined}")
    return {
        "rows": n,
        "features": FEATURES,
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "peak_mb": round(_peak_mb()),
        "of_which_input_mb": round(before),
        "seconds_by_step": seconds,
    }


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e6 / 1024)


def markdown(records: list[dict], machine: str) -> str:
    lines = [
        "# Scoring at size",
        "",
        f"All metrics and a bootstrap of 2000 resamples over {FEATURES} features, one row a query, each query its own",
        f"cluster; {machine}. Written by `python benchmarks/score_memory.py`.",
        "",
        "| rows | seconds | processor seconds | µs of processor per row | peak memory, MB | of which the input, MB |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for r in records:
        per_row = 1e6 * r["cpu_seconds"] / r["rows"]
        lines.append(
            f"| {r['rows']:,} | {r['seconds']} | {r['cpu_seconds']} | {per_row:.0f} | {r['peak_mb']:,} "
            f"| {r['of_which_input_mb']:,} |"
        )
    steps = sorted(records[-1]["seconds_by_step"].items(), key=lambda item: -item[1])[:6]
    lines += ["", f"Longest steps at {records[-1]['rows']:,} rows: {', '.join(f'{k} {v} s' for k, v in steps)}.", ""]
    return "\n".join(lines)


def main() -> None:
    if len(sys.argv) == 2:
        print(json.dumps(measure(int(sys.argv[1]))))
        return
    records = []
    for n in SIZES:
        done = subprocess.run([sys.executable, __file__, str(n)], check=True, capture_output=True, text=True)
        records.append(json.loads(done.stdout))
        print(f"{n:>9,} rows: {records[-1]['seconds']} s, {records[-1]['peak_mb']} MB", file=sys.stderr)
    machine = f"{platform.machine()}, {len(_cpus())} cores, Python {platform.python_version()}, numpy {np.__version__}"
    RESULTS.mkdir(exist_ok=True)
    record = {"machine": machine, "limit_mb": LIMIT_MB, "runs": records}
    (RESULTS / "score_memory.json").write_text(json.dumps(record, indent=1) + "\n")
    (RESULTS / "score_memory.md").write_text(markdown(records, machine))
    growth = (records[-1]["cpu_seconds"] / records[0]["cpu_seconds"]) / (SIZES[-1] / SIZES[0])
    print(f"processor time grew {growth:.2f} times as fast as the number of rows", file=sys.stderr)
    if records[-1]["peak_mb"] > LIMIT_MB or growth > 1.3:
        raise SystemExit("the claim does not hold: see benchmarks/results/score_memory.md")


def _cpus() -> set[int] | range:
    import os

    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)


if __name__ == "__main__":
    main()
