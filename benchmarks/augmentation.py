"""The augmentation grid of one quick generator: how it grows with workers, and a plain script that does the same.

    python benchmarks/augmentation.py                  a small part of the grid, some minutes
    python benchmarks/augmentation.py --whole --repeats 1

The harness is timed as the command `sensecf-bench run` in a fresh folder, from its start to its leaderboard; beside the
grid it makes the leaderboard's main table, intervals and pages, and all of that is in its time. The plain script
(augmentation_plain.py) makes the same arms in one process, one loop over scenario, reduction, seed and classifier, and
makes everything anew in each turn. Both are whole processes by the clock, with one numeric thread a process, and they
take turns. Before anything is reported, every score of the plain script must equal the harness's to 1e-9.

With `--nicex FOLDER`, the folder of the package `nice` of NICEx 0.2.3, the plain script asks NICEx instead of the plugin.
Its answers are not the plugin's (it knows no rules), so scores of that one arm are then not compared.

Words after `--` go to `sensecf-bench run`. Writes augmentation.json and augmentation.md to the folder `--out`.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from augmentation_plain import Grid

from sensecf_bench.augmentation.scores import SCORES, scores
from sensecf_bench.engine.assessments import FOLDER, read_assessment
from sensecf_bench.engine.augmentation_config import GRIDS
from sensecf_bench.engine.config import parse_settings
from sensecf_bench.engine.processes import ONE_THREAD
from sensecf_bench.engine.provenance import provenance

HERE = Path(__file__).parent
PART: dict[str, Any] = {"scenarios": ("A", "C"), "reductions": (0.2, 0.5), "seeds": (0, 1)}
FAMILIES = ("svm", "random-forest", "xgboost", "mlp")
TOLERANCE = 1e-9
GOAL, MINUTES = 3, 15  # times as fast as the plain script; the whole grid on two cores

Key = tuple[str, int, str, str]  # level, seed, classifier, arm
Found = dict[Key, dict[str, float | None]]


# -- the two sides -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class HarnessRun:
    """What one command took, in seconds: as a whole, and as its own record has it by stages."""

    seconds: float
    timing: dict[str, float]
    found: Found


def words(grid: Grid, settings: list[str], more: list[str], workers: int) -> list[str]:
    levels = {name: json.dumps(getattr(grid, name)) for name in PART}
    chosen = [
        f"augmentation.{name}={levels[name]}" for name in levels if levels[name] != json.dumps(GRIDS["full"][name])
    ]
    sets = [word for setting in (*chosen, *settings) for word in ("--set", setting)]
    whom = ["--generators", grid.generator, "--datasets", grid.dataset, "--classifiers", ",".join(grid.classifiers)]
    return ["run", *whom, "--augmentation", "full", *sets, "--jobs", str(workers), *more]


def harness(command: list[str]) -> HarnessRun:
    with tempfile.TemporaryDirectory(prefix="sensecf-bench-") as folder:
        run = Path(folder) / "run"
        seconds = timed("-m", "sensecf_bench", *command, "--out", str(run), "--cache", f"{folder}/cache")
        timing = json.loads((run / "results.json").read_text())["timing"]
        return HarnessRun(seconds, timing, stored_scores(run / FOLDER))


def stored_scores(folder: Path) -> Found:
    """The harness's scores without the rounding of its reports, from the predictions that it stores."""
    found: Found = {}
    for path in sorted(folder.glob("*.bin")):
        _, seed, level, arm, _ = path.stem.split("--")
        assessment = read_assessment(path)
        for classifier, probability in assessment.probabilities.items():
            found[level, int(seed.removeprefix("seed")), classifier, arm] = scores(assessment.truth, probability)
    return found


def plain(grid: Grid) -> tuple[float, Found]:
    with tempfile.TemporaryDirectory(prefix="sensecf-bench-") as folder:
        settings, out = Path(folder) / "settings.json", Path(folder) / "scores.json"
        settings.write_text(json.dumps(asdict(grid)))
        seconds = timed(str(HERE / "augmentation_plain.py"), str(settings), str(out))
        found: Found = {}
        for row in json.loads(out.read_text()):
            arm = row["arm"]
            level = "all" if arm == "full" else f"{row['scenario']}{100 * row['reduction']:g}"
            values = {name: row[name] for name in SCORES}
            if found.setdefault((level, row["seed"], row["classifier"], arm), values) != values:
                sys.exit(f"the plain script comes to two results for {arm} of {row}")
        return seconds, found


def timed(*command: str) -> float:
    environment = os.environ | dict.fromkeys(ONE_THREAD, "1")
    started = time.perf_counter()
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"{shlex.join(command)} ended with exit code {done.returncode}:\n{done.stderr[-4000:]}")
    return seconds


def largest_difference(ours: Found, theirs: Found, left_out: str) -> float:
    """Between scores of the same trial, over all trials but those of the arm `left_out`. Ends the program where there is
    one above the tolerance, or a trial that only one side has."""
    ours, theirs = ({k: v for k, v in side.items() if k[3] != left_out} for side in (ours, theirs))
    if lone := ours.keys() ^ theirs.keys():
        sys.exit(f"{len(lone)} trials are the harness's or the plain script's alone, such as {min(lone)}")
    largest = 0.0
    for key in ours:
        for name in SCORES:
            a, b = ours[key][name], theirs[key][name]
            gap = float("inf") if a is None or b is None else abs(a - b)
            if gap > TOLERANCE:
                sys.exit(
                    f"{name} of {key} is {a} in the harness and {b} in the plain script: the two do not do the same"
                )
            largest = max(largest, gap)
    return largest


# -- the whole ---------------------------------------------------------------------------------------------------------
def measured(grid: Grid, given: argparse.Namespace) -> dict[str, Any]:
    """All sides in turns, because the machine's speed drifts; medians of seconds, and of ratios within a turn."""
    turns: list[dict[str, float]] = []
    stages: dict[str, list[dict[str, float]]] = {str(n): [] for n in given.workers}
    difference, compared = 0.0, 0
    for _ in range(given.repeats):
        seconds, theirs = plain(grid)
        turn = {"plain": seconds}
        for n in given.workers:
            run = harness(words(grid, given.set, given.more, n))
            left_out = grid.generator if grid.nicex else ""
            difference = max(difference, largest_difference(run.found, theirs, left_out))
            compared = sum(key[3] != left_out for key in theirs)
            turn[str(n)] = run.seconds
            stages[str(n)].append(run.timing)
        turns.append(turn)
    return {
        "turns": turns,
        "stages": {n: medians(timings) for n, timings in stages.items()},
        "equality": {"fits_compared": compared, "scores_of_each": len(SCORES), "largest_difference": difference},
        "faster_than_plain": {str(n): ratio(turns, "plain", str(n)) for n in given.workers},
        "faster_than_fewest_workers": {str(n): ratio(turns, str(given.workers[0]), str(n)) for n in given.workers},
    }


def medians(timings: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(t[name] for t in timings) for name in timings[0]}


def ratio(turns: list[dict[str, float]], over: str, under: str) -> float:
    return statistics.median(turn[over] / turn[under] for turn in turns)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generator", default="nice-sparsity")
    parser.add_argument("--dataset", default="aireadi-synthetic")
    parser.add_argument("--set", action="append", default=[], help="NAME.OPTION=VALUE, options of the dataset")
    parser.add_argument("--whole", action="store_true", help="the study's grid: 3 scenarios, 7 reductions, 5 seeds")
    parser.add_argument("--scenarios", nargs="+", choices="ABC")
    parser.add_argument("--reductions", nargs="+", type=float)
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--classifiers", nargs="+", default=list(FAMILIES))
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2], help="ascending; the first is compared with")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--nicex", default="", help="the folder of NICEx's package `nice`")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    here, more = sys.argv[1:], []
    if "--" in here:
        here, more = here[: here.index("--")], here[here.index("--") + 1 :]
    given = parser.parse_args(here)
    given.more = more
    if any(a >= b for a, b in pairwise(given.workers)):
        parser.error("--workers: name each once, the smallest first")
    levels = {name: tuple(getattr(given, name) or (GRIDS["full"] if given.whole else PART)[name]) for name in PART}
    options = parse_settings(given.set).get(given.dataset, {})
    nicex = str(Path(given.nicex).resolve()) if given.nicex else ""
    grid = Grid(given.generator, given.dataset, options, **levels, classifiers=given.classifiers, nicex=nicex)

    load = os.getloadavg()
    result = measured(grid, given)
    shown = [word if word not in (given.nicex, str(given.out)) else "FOLDER" for word in sys.argv[1:]]
    result |= {
        "command": shlex.join(["python", "benchmarks/augmentation.py", *shown]),
        "harness": shlex.join(["sensecf-bench", *words(grid, given.set, more, given.workers[-1])]),
        "grid": asdict(grid) | {"nicex": bool(nicex)},
        "rounds": len(list(grid.rounds)),
        "whole": all(levels[n] == GRIDS["full"][n] for n in PART) and set(FAMILIES) <= set(grid.classifiers),
        "repeats": given.repeats,
        "load": [*load, *os.getloadavg()],
        "machine": processor(),
        "provenance": provenance(),
    }
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "augmentation.json").write_text(json.dumps(result, indent=1) + "\n")
    (given.out / "augmentation.md").write_text(page(result))
    print(page(result))


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "processor unknown")


# -- the page ----------------------------------------------------------------------------------------------------------
def page(result: dict[str, Any]) -> str:
    p, grid, equality, workers = result["provenance"], result["grid"], result["equality"], list(result["stages"])
    seconds = {side: statistics.median(turn[side] for turn in result["turns"]) for side in ("plain", *workers)}
    asked = "NICEx's own package, row by row" if grid["nicex"] else f"the plugin's own class of `{grid['generator']}`"
    unequal = f", those of `{grid['generator']}` left out, which are NICEx's there," if grid["nicex"] else ""
    lines = [
        "# Augmentation: the grid, workers, and a plain script",
        f"`{result['command']}` on {p['date']}: {result['machine']}, {p['cores']} cores, Python {p['python']}, scikit-learn "
        f"{p['libraries']['scikit-learn']}, xgboost {p['libraries']['xgboost']}; one numeric thread a process, medians of {counted(result['repeats'], 'turn')}.",
        "",
        f"Load of the machine (1, 5, 15 minutes) before and after: {', '.join(f'{n:.1f}' for n in result['load'])}. Where it is above the "
        "workers' number, other work ran beside.",
        "",
        f"The grid: {grid['dataset']}, scenarios {listed(grid['scenarios'])}, reductions {listed(grid['reductions'])}, seeds {listed(grid['seeds'])}, "
        f"classifiers {listed(grid['classifiers'])}: {counted(result['rounds'], 'round')} of the loop, each with all rows, the reduced rows, four controls, three "
        f"sentinels and `{grid['generator']}`; an arm that adds nothing is fitted on neither side. The harness: `{result['harness']}` in a fresh folder.",
        "",
        f"| side | seconds | times as fast as the plain script | times as fast as {counted(workers[0], 'worker')} |",
        "| --- | ---: | ---: | ---: |",
        f"| plain script, one process | {seconds['plain']:.1f} | 1.00 | |",
        *(
            f"| harness, {counted(n, 'worker')} | {seconds[n]:.1f} | {result['faster_than_plain'][n]:.2f} | "
            f"{result['faster_than_fewest_workers'][n]:.2f} |"
            for n in workers
        ),
        "",
        "| seconds of the harness by its own clock | contexts | generating | scoring | retraining | the rest: start, plan, pages |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *(stages(n, result["stages"][n], seconds[n]) for n in workers),
        "",
        "The denominator of a speed-up is the harness's whole command, with the main table and the intervals that the plain script "
        "does without. The plain script is one loop over scenario, reduction, seed and classifier, which fits the classifier on "
        f"all and on the reduced rows, the reference classifier and every generator anew in each turn; it asks {asked}.",
        "",
        f"Equality: {equality['fits_compared']:,} fits with {equality['scores_of_each']} scores each{unequal} differ by at most "
        f"{equality['largest_difference']:.1g} between the two sides.",
        "",
        *goals(result, seconds, workers[-1]),
    ]
    return "\n".join(lines) + "\n"


def stages(n: str, timing: dict[str, float], whole: float) -> str:
    names = ("contexts", "generating", "scoring", "retraining")
    rest = whole - sum(timing[name] for name in names)
    cells = [f"{timing[name]:.1f}" for name in names]
    return f"| {counted(n, 'worker')} | {' | '.join(cells)} | {rest:.1f} |"


def listed(items: list[Any]) -> str:
    return ", ".join(str(item) for item in items)


def counted(n: int | str, what: str) -> str:
    return f"{int(n):,} {what}{'s' * (int(n) != 1)}"


def goals(result: dict[str, Any], seconds: dict[str, float], most: str) -> list[str]:
    wanted = f"{GOAL} times as fast as the plain script, and within {MINUTES} minutes, on 2 workers"
    if not result["whole"]:
        return [f"Goals are for the whole grid: {wanted}. This is a part of it."]
    faster, minutes = result["faster_than_plain"][most], seconds[most] / 60
    missed = [
        *([f"{faster:.2f} times as fast"] if faster < GOAL else []),
        *([f"{minutes:.1f} minutes"] if minutes > MINUTES else []),
    ]
    return [f"Goals: {wanted}. On {counted(most, 'worker')}, missed: {', '.join(missed) or 'none'}."]


if __name__ == "__main__":
    main()
