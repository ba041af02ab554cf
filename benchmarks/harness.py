"""What the harness itself costs: start-up, its share of a default run, and what a second worker brings.

    python benchmarks/harness.py [--repeats 3]

Writes results/harness.json and results/harness.md. Every figure is a median; compare ratios, not seconds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sensecf_bench.engine.provenance import provenance

HEAVY = ("torch", "xgboost", "sklearn", "dice_ml")
COMMANDS = {"--help": ["--help"], "list generators": ["list", "generators"]}
DICE = ["--generators", "dice-random,dice-genetic", "--datasets", "breast-cancer"]
RESULTS = Path(__file__).with_name("results")


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "sensecf_bench", *words], capture_output=True, text=True, check=True)


def start_up(repeats: int) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, words in COMMANDS.items():
        seconds = []
        for _ in range(repeats):
            started = time.perf_counter()
            bench(*words)
            seconds.append(time.perf_counter() - started)
        program = f"import sys; sys.argv[1:] = {words!r}; from sensecf_bench.cli.main import main\ntry: main()\nfinally: print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
        loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False).stderr
        found[name] = {"seconds": statistics.median(seconds), "heavy_modules_loaded": loaded.strip()}
    return found


def timing_of(*words: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        bench("run", *words, "--out", f"{folder}/run")
        timing: dict[str, float] = json.loads((Path(folder) / "run" / "results.json").read_text())["timing"]
        return timing


def share(timing: dict[str, float]) -> dict[str, float]:
    """Core-seconds not spent in fit, generate or predict, over all core-seconds of the run; and the same without the time
    before the first classifier is fitted, in which Python, scikit-learn and the generators' libraries are imported."""
    jobs, wall = timing["jobs"], timing["wall"]
    useful = timing["classifier"] + timing["fit"] + timing["generate"] + timing["judge"]
    imports = wall - timing["contexts"] - timing["generating"] - timing["scoring"]
    return {
        "wall": wall,
        "harness_share": 1 - useful / (jobs * wall),
        "harness_share_without_imports": 1 - useful / (jobs * (wall - imports)),
    }


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    one, two = [], []
    for _ in range(repeats):  # in turns, because the machine's speed drifts
        one.append(timing_of(*DICE, "--jobs", "1"))
        two.append(timing_of(*DICE, "--jobs", "2"))
    split = [timing_of(*DICE, "--classifiers", "random-forest", "--jobs", str(jobs))["generating"] for jobs in (1, 2)]
    result = {
        "command": f"python benchmarks/harness.py --repeats {repeats}",
        "provenance": provenance(),
        "start_up": start_up(3 * repeats),
        "default_run": medians([share(timing_of()) for _ in range(repeats)]),
        "three_seeds": share(timing_of("--seeds", "0,1,2")),
        "two_workers_on_dice": {
            "generating_seconds_1": statistics.median(t["generating"] for t in one),
            "generating_seconds_2": statistics.median(t["generating"] for t in two),
            "faster": statistics.median(a["generating"] / b["generating"] for a, b in zip(one, two, strict=True)),
            "faster_on_two_cells_that_are_split": split[0] / split[1],
        },
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "harness.json").write_text(json.dumps(result, indent=1) + "\n")
    (RESULTS / "harness.md").write_text(page(result))
    print(page(result))


def page(result: dict) -> str:
    p, default, seeds, dice = (
        result["provenance"],
        result["default_run"],
        result["three_seeds"],
        result["two_workers_on_dice"],
    )
    lines = [
        "# What the harness costs",
        f"`{result['command']}` on {p['date']}, {p['cores']} cores, Python {p['python']}.",
        "",
        "| what | measured |",
        "| --- | ---: |",
        *(
            f"| `sensecf-bench {name}`, seconds; heavy modules loaded | {found['seconds']:.2f}; {found['heavy_modules_loaded']} |"
            for name, found in result["start_up"].items()
        ),
        f"| default run, seconds on the clock | {default['wall']:.1f} |",
        f"| core time outside fit, generate and predict, default run | {default['harness_share']:.1%} |",
        f"| the same without importing libraries | {default['harness_share_without_imports']:.1%} |",
        f"| core time outside fit, generate and predict, three seeds ({seeds['wall']:.0f} s) | {seeds['harness_share']:.1%} |",
        f"| the same without importing libraries | {seeds['harness_share_without_imports']:.1%} |",
        f"| two workers against one, dice-random and dice-genetic, 8 cells: times as fast | {dice['faster']:.2f} |",
        f"| the same on 2 cells, which are split between the workers | {dice['faster_on_two_cells_that_are_split']:.2f} |",
        "",
        "Start-up is the time of a whole process. Core time is seconds on the clock times workers.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
