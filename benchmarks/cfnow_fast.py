"""cfnow-fast beside cfnow-greedy (the package cfnow, at the plugin's settings): speed, distance, validity.

    python benchmarks/cfnow_fast.py

Both answer the same queries in one process on one thread, taking turns; timed is `Generator.generate` of all queries of
a seed, fitting is timed on neither side. Distances are compared on the queries that both solved, and the interval of
their difference resamples people, since a person may be asked under several seeds.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
from sensecf_cfnow import CfnowFast, CfnowGreedy
from threadpoolctl import threadpool_limits

from sensecf_bench.testing import local_setting

HERE = Path(__file__).parent
DATASETS = ("breast-cancer", "diabetes-progression")
CLASSIFIERS = ("random-forest", "xgboost")
RESAMPLES = 10_000


class Side:
    """One generator on the settings of all seeds: its seconds, and its answers scored."""

    def __init__(self, cls, settings):
        self.settings = settings
        self.generators = [setting.fit(cls()) for setting in settings]
        self.rounds = []

    def turn(self):
        """Answer everything once and note the seconds."""
        start = time.perf_counter()
        self.frames = [g.generate(s.queries) for g, s in zip(self.generators, self.settings, strict=True)]
        self.rounds.append(time.perf_counter() - start)

    def score(self):
        """Per query: whether the answer is admitted and flips, its distance, features changed, and if it is in range."""
        columns = {"valid": [], "distance": [], "changed": [], "inside": []}
        for setting, frame in zip(self.settings, self.frames, strict=True):
            queries, answers = setting.queries, setting.admit(frame)
            owner, rows = answers.owner, answers.matrix
            factuals, scales = queries.matrix[owner], queries.schema.frozen_scales()
            valid = np.zeros(len(queries), dtype=bool)
            distance, changed = np.full(len(queries), np.nan), np.full(len(queries), np.nan)
            inside = np.zeros(len(queries), dtype=bool)
            admitted = np.array([not reason for reason in answers.reasons], dtype=bool)
            valid[owner] = admitted & (setting.classes(answers) == queries.target[owner])
            distance[owner] = queries.schema.gaps(rows, factuals).mean(axis=1)
            changed[owner] = queries.schema.changed(rows, factuals).sum(axis=1)
            inside[owner] = ((rows >= scales.low) & (rows <= scales.high)).all(axis=1)
            for name, values in zip(columns, (valid, distance, changed, inside), strict=True):
                columns[name].append(values)
        return {name: np.concatenate(values) for name, values in columns.items()}


def interval(differences, people, rng):
    """95 % bootstrap interval of the mean difference; people are resampled, each with all that was asked of them."""
    _, person = np.unique(people, return_inverse=True)
    total, count = np.bincount(person, differences), np.bincount(person)
    weights = rng.multinomial(len(count), np.full(len(count), 1 / len(count)), RESAMPLES)
    low, high = np.quantile((weights @ total) / (weights @ count), [0.025, 0.975])
    return [float(low), float(high)]


def compare(dataset, classifier, seeds, rounds, repeats):
    settings = [local_setting(dataset, classifier, seed=seed) for seed in seeds]
    greedy, fast = Side(CfnowGreedy, settings), Side(CfnowFast, settings)
    for _ in range(rounds):
        greedy.turn()
        for _ in range(repeats):
            fast.turn()
    theirs, ours = greedy.score(), fast.score()
    both = theirs["valid"] & ours["valid"]
    people = np.concatenate([setting.queries.ids for setting in settings])
    difference = (ours["distance"] - theirs["distance"])[both]
    queries = len(both)
    seconds = statistics.median(greedy.rounds), statistics.median(fast.rounds)

    def share_of_valid(side):
        return float(side["inside"][side["valid"]].mean())

    factuals = [
        ((s.queries.matrix >= scales.low) & (s.queries.matrix <= scales.high)).all(axis=1)
        for s in settings
        for scales in [s.queries.schema.frozen_scales()]
    ]
    return {
        "dataset": dataset,
        "classifier": classifier,
        "queries": queries,
        "people": len(set(people)),
        "greedy_ms": 1000 * seconds[0] / queries,
        "fast_ms": 1000 * seconds[1] / queries,
        "ratio": seconds[0] / seconds[1],
        "greedy_rounds": greedy.rounds,
        "fast_rounds": fast.rounds,
        "solved_by_both": int(both.sum()),
        "greedy_distance": float(theirs["distance"][both].mean()),
        "fast_distance": float(ours["distance"][both].mean()),
        "difference": float(difference.mean()),
        "interval": interval(difference, people[both], np.random.default_rng(0)),
        "fast_nearer": float((difference < 0).mean()),
        "greedy_validity": float(theirs["valid"].mean()),
        "fast_validity": float(ours["valid"].mean()),
        "greedy_changed": float(theirs["changed"][both].mean()),
        "fast_changed": float(ours["changed"][both].mean()),
        "greedy_in_range": share_of_valid(theirs),
        "fast_in_range": share_of_valid(ours),
        "factuals_in_range": float(np.concatenate(factuals).mean()),
    }


def markdown(results):
    lines = [
        "# cfnow-fast beside cfnow-greedy",
        "",
        f"`{results['command']}`, {results['date']}, {results['machine']['processor']}, Python "
        f"{results['machine']['python']}, cfnow {results['versions']['cfnow']}, one thread on a machine shared with other work;",
        f"the two take turns; medians of {results['rounds']['greedy']} and {results['rounds']['fast']} rounds over all seeds.",
        "",
        "Both run at their defaults and are held to the schema's rules. Seconds are those of `generate`, per query. Distance: the",
        "harness's (mean Gower difference), over the queries that both solved; difference: cfnow-fast minus cfnow-greedy with its",
        "95 % bootstrap interval over people. Validity: of all queries. In range: share of valid answers with every feature",
        "inside the training range; the factual rows' own share stands beside it.",
        "",
        "| dataset | classifier | queries (people) | greedy ms | fast ms | times as fast | distance greedy | fast | difference "
        "| features changed greedy / fast | validity greedy / fast | in range greedy / fast / factuals |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {c['dataset']} | {c['classifier']} | {c['queries']} ({c['people']}) | {c['greedy_ms']:.1f} | {c['fast_ms']:.2f} "
        f"| {c['ratio']:.1f} | {c['greedy_distance']:.4f} | {c['fast_distance']:.4f} "
        f"| {c['difference']:+.4f} [{c['interval'][0]:+.4f}, {c['interval'][1]:+.4f}] "
        f"| {c['greedy_changed']:.1f} / {c['fast_changed']:.1f} | {c['greedy_validity']:.0%} / {c['fast_validity']:.0%} "
        f"| {c['greedy_in_range']:.0%} / {c['fast_in_range']:.0%} / {c['factuals_in_range']:.0%} |"
        for c in results["cases"]
    ]
    missed = [f"{c['dataset']}, {c['classifier']}" for c in results["cases"] if c["ratio"] < 20 or c["interval"][1] > 0]
    lines += [
        "",
        "Goals: 20 times as fast, and a distance whose interval lies wholly below cfnow-greedy's. Missed: "
        f"{'; '.join(missed) or 'none'}.",
    ]
    return "\n".join(lines) + "\n"


def processor():
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", nargs="+", default=DATASETS)
    parser.add_argument("--classifiers", nargs="+", default=CLASSIFIERS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rounds", type=int, default=3, help="turns of cfnow-greedy, each followed by cfnow-fast's")
    parser.add_argument("--repeats", type=int, default=3, help="of cfnow-fast in each round")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    args = parser.parse_args()

    threadpool_limits(1)
    warnings.simplefilter("ignore")
    cases = []
    for dataset in args.datasets:
        for classifier in args.classifiers:
            cases.append(compare(dataset, classifier, args.seeds, args.rounds, args.repeats))
            print(json.dumps({k: v for k, v in cases[-1].items() if "rounds" not in k}), flush=True)
    packages = ("sensecf-bench", "sensecf-bench-cfnow", "cfnow", "numpy", "pandas", "scikit-learn", "xgboost")
    seeds = " ".join(map(str, args.seeds))
    results = {
        "command": f"python benchmarks/cfnow_fast.py --seeds {seeds} --rounds {args.rounds} --repeats {args.repeats}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "threads": 1,
        },
        "versions": {name: version(name) for name in packages},
        "options": {"cfnow-greedy": CfnowGreedy.Options().model_dump(), "cfnow-fast": CfnowFast.Options().model_dump()},
        "rounds": {"greedy": args.rounds, "fast": args.rounds * args.repeats},
        "cases": cases,
    }
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "cfnow_fast.json").write_text(json.dumps(results, indent=1) + "\n")
    (args.out / "cfnow_fast.md").write_text(markdown(results))


if __name__ == "__main__":
    main()
