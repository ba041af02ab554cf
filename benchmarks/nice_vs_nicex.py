"""Speed and identity of the NICE plugin beside NICEx 0.2.3.

    python benchmarks/nice_vs_nicex.py --peer-python PEER

PEER is an interpreter with NICEx, numpy, pandas < 2 and the same scikit-learn and xgboost; this one has sensecf-bench
and the plugin. NICEx's package cannot share an environment with sensecf-bench (pandas), so each side runs in its own,
on the same arrays, with the same classifier fitted anew and checked to predict the same bits, on one thread. Timed are
`Generator.generate(all queries)` here and `NICE.explain(row)` for each query there; fitting is timed on neither side.
The plugin runs with `stock=True`, since NICEx knows no rules; what its default does is reported beside it.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from nice_cases import ForestOnCodes, SyntheticMixed
from nice_report import markdown
from nice_ties import closest_call
from sensecf_nice import Nice, NicePlausibility, NiceProximity, NiceSparsity
from sensecf_nice.reconstruction import ReconstructionError
from threadpoolctl import threadpool_limits

from sensecf_bench.engine.context import fit_classifier, prepare_data
from sensecf_bench.registry import discover
from sensecf_bench.testing.local import Setting

HERE = Path(__file__).parent
VARIANTS = {"none": Nice, "sparsity": NiceSparsity, "proximity": NiceProximity, "plausibility": NicePlausibility}
DATASETS = ("breast-cancer", "diabetes-progression", "synthetic-mixed")
CLASSIFIERS = ("random-forest", "forest-on-codes", "xgboost")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def setting(dataset, classifier, seed, queries):
    registry = discover()
    data = prepare_data(SyntheticMixed() if dataset == SyntheticMixed.name else registry.dataset(dataset)(), seed)
    model = ForestOnCodes() if classifier == ForestOnCodes.name else registry.classifier(classifier)()
    explained = fit_classifier(data, model)
    return Setting(explained, explained.queries(queries))


class Peer:
    """NICEx in a process of its own, on the same case; it explains when it is asked to."""

    def __init__(self, python, here, classifier, folder):
        self.folder = folder
        data, model = here.explained.data, here.explained.model
        rows, schema = data.matrix[data.train], data.schema
        error = ReconstructionError.of(schema, rows, NicePlausibility.Options().variance_kept)
        probe = np.vstack([data.matrix[data.test], here.queries.matrix, rows])
        np.savez(
            folder / "case.npz",
            settings=json.dumps({"classifier": classifier, "seed": data.seed}),
            levels=np.where(schema.nominal, [len(f.levels) for f in schema.features], 0),
            low=schema.frozen_scales().low,
            span=schema.frozen_scales().span,
            mean=error.mean,
            discarded=error.discarded,
            rows=rows,
            labels=data.labels[data.train],
            asked=here.queries.matrix,
            probe=probe,
            probabilities=model.predict_proba(probe),
            errors=error(probe),
        )
        command = [python, str(HERE / "nice_peer.py"), "case.npz"]
        environment = os.environ | ONE_THREAD
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, cwd=folder, env=environment, stdin=pipe, stdout=pipe, text=True)
        self.versions = self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the peer ended with exit code {self.process.wait()}")
        return json.loads(line)

    def explain(self, variant):
        """NICEx's answers to all queries `(q, d)`, and what they took."""
        self.process.stdin.write(f"{variant}\n")
        self.process.stdin.flush()
        report = self.answer()
        return np.load(self.folder / report["answers"]), report

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Counted:
    """The classifier, with its calls and rows counted."""

    def __init__(self, predict_proba):
        self.predict_proba, self.calls, self.rows = predict_proba, 0, 0

    def __call__(self, rows):
        self.calls += 1
        self.rows += len(rows)
        return self.predict_proba(rows)


def timed(generator, queries):
    """The answer, and its seconds on the wall and on the processor."""
    start, cpu_start = time.perf_counter(), time.process_time()
    answer = generator.generate(queries)
    return answer, time.perf_counter() - start, time.process_time() - cpu_start


def compare(here, variant, peer, rounds, repeats):
    """One line of the table. The two sides take turns, so that a machine busy with other things is busy for both."""
    queries, explained, cls = here.queries, here.explained, VARIANTS[variant]
    counted = Counted(explained.model.predict_proba)
    generator, default = cls(cls.Options(stock=True)), here.fit(cls())
    with tempfile.TemporaryDirectory() as scratch:
        generator.fit(explained.task(cls, Path(scratch), predictor=counted))
    counted.calls = counted.rows = 0
    answer, default_answer = generator.generate(queries), default.generate(queries)
    calls, rows = counted.calls, counted.rows

    wall, cpu, default_wall, reports = [], [], [], []
    for _ in range(rounds):
        theirs, report = peer.explain(variant)
        reports.append(report)
        turns = [timed(generator, queries)[1:] for _ in range(repeats)]
        wall.extend(seconds for seconds, _ in turns)
        cpu.extend(seconds for _, seconds in turns)
        default_wall.append(timed(default, queries)[1])
    median = statistics.median
    nicex_wall, nicex_cpu = [r["wall"] for r in reports], [r["cpu"] for r in reports]

    ours = np.full_like(theirs, np.nan)
    ours[[queries.ids.index(i) for i in answer["query_id"]]] = queries.schema.encode(answer)
    same = (ours == theirs).all(axis=1)
    different = [
        {
            "query": queries.ids[i],
            "features": [n for n, d in zip(queries.schema.names, ours[i] != theirs[i], strict=True) if d],
            "closest_call": closest_call(generator, queries.take([int(i)])),
        }
        for i in np.flatnonzero(~same)
    ]
    return {
        "variant": variant,
        "queries": len(queries),
        "training_rows": len(explained.data.train),
        "nicex_seconds": median(nicex_wall),
        "ours_seconds": median(wall),
        "ratio": median(nicex_wall) / median(wall),
        "ratio_processor_time": median(nicex_cpu) / median(cpu),
        "identical": float(same.mean()),
        "different": different,
        "nicex_repeats": nicex_wall,
        "ours_repeats": wall,
        "nicex_calls": reports[-1]["calls"],
        "nicex_rows": reports[-1]["rows"],
        "nicex_error_seconds": median([r["error_seconds"] for r in reports]),
        "ours_calls": calls,
        "ours_rows": rows,
        "nicex_breaks_rules": float(np.mean([r != "" for r in here.admit(answer).reasons])),
        "default_answers": len(default_answer) / len(queries),
        "default_breaks_rules": float(np.mean([r != "" for r in here.admit(default_answer).reasons])),
        "default_seconds": median(default_wall),
    }


def processor():
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


def show(dataset, classifier, line):
    print(
        f"{dataset:22}{classifier:16}{line['variant']:13}{line['queries']:4} {line['nicex_seconds']:9.3f} "
        f"{line['ours_seconds']:8.4f} {line['ratio']:7.1f}x ({line['ratio_processor_time']:.1f}x processor time) "
        f"identical {line['identical']:.1%}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer-python", required=True, help="an interpreter that has NICEx")
    parser.add_argument("--datasets", nargs="+", default=DATASETS, choices=DATASETS)
    parser.add_argument("--classifiers", nargs="+", default=CLASSIFIERS, choices=CLASSIFIERS)
    parser.add_argument("--queries", type=int, default=100, help="at most so many a table")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3, help="turns of NICEx, each followed by the plugin's")
    parser.add_argument("--repeats", type=int, default=5, help="of the plugin in each round")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    args = parser.parse_args()

    threadpool_limits(1)
    cases, peer_versions = [], {}
    for dataset in args.datasets:
        for classifier in args.classifiers:
            here = setting(dataset, classifier, args.seed, args.queries)
            if classifier == ForestOnCodes.name and not here.explained.data.schema.nominal.any():
                continue  # the harness's forest does without coding here, too
            with tempfile.TemporaryDirectory() as folder:
                peer = Peer(args.peer_python, here, classifier, Path(folder))
                lines = []
                for variant in VARIANTS:
                    lines.append(compare(here, variant, peer, args.rounds, args.repeats))
                    show(dataset, classifier, lines[-1])
                peer.close()
            peer_versions = peer.versions
            cases.extend({"dataset": dataset, "classifier": classifier, **line} for line in lines)
    ours = ("sensecf-bench", "sensecf-bench-nice", "numpy", "pandas", "scikit-learn", "xgboost")
    results = {
        "command": f"python benchmarks/nice_vs_nicex.py --peer-python PEER --queries {args.queries} --seed {args.seed} "
        f"--rounds {args.rounds} --repeats {args.repeats}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": {
            "processor": processor(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "threads": 1,
        },
        "versions": {"plugin": {name: version(name) for name in ours}, "peer": peer_versions},
        "repeats": {"ours": args.rounds * args.repeats, "nicex": args.rounds},
        "cases": cases,
    }
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "nice_vs_nicex.json").write_text(json.dumps(results, indent=1) + "\n")
    (args.out / "nice_vs_nicex.md").write_text(markdown(results))


if __name__ == "__main__":
    main()
