"""DiCE as sensecf-bench-dice runs it against dice_ml's own classes: time, model calls, and whether the answers are equal.

    python benchmarks/dice_vs_stock.py

One process, one thread. Both sides get the same training rows, classifier (a random forest of 100 trees), seeds and
settings (decimals, permitted ranges, features to vary, post-hoc algorithm) and are asked query by query in turn. `ours`
runs with `mend=False`, so equal answers are to be expected; `shipped` is the generator as users get it, with the mends of
plugins/dice/README.md. Answers are equal when they are the same rows on the grid of decimals that DiCE was given. What the
classes prepare once stays out of the clock on both sides. A query is cut off after `--cap` seconds and then counts in no
median. Writes benchmarks/results/dice_vs_stock.json and .md.
"""

import argparse
import contextlib
import importlib.metadata
import io
import json
import os
import platform
import random
import signal
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path

import dice_ml
import numpy as np
import pandas as pd
from raiutils.exceptions import UserConfigValidationException
from sensecf_dice import DiceGenetic, DiceKDTree, DiceRandom
from sensecf_dice.codec import OUTCOME, Codec
from sensecf_dice.data import FrozenData
from sensecf_dice.explainers import SwiftGenetic, SwiftKDTree, SwiftRandom
from sensecf_dice.explainers.swift import Swift
from sensecf_dice.model import FrameClassifier, MemoModel
from sensecf_dice.rules import Rules
from threadpoolctl import threadpool_limits

from sensecf_bench import Dataset, Feature, FeatureSchema, Table
from sensecf_bench.classifiers import RandomForest
from sensecf_bench.contracts import classes_of
from sensecf_bench.datasets.clinical import BreastCancer, DiabetesProgression
from sensecf_bench.engine.context import fit_classifier, prepare_data

RESULTS = Path(__file__).parent / "results"


class Mixed(Dataset):
    """10,000 rows of `make_classification`: 16 numbers with 3 decimals, 4 columns cut into 4 levels."""

    name = "mixed-10000"

    def load(self) -> Table:
        from sklearn.datasets import make_classification

        rows, outcome = make_classification(10_000, 20, n_informative=10, n_redundant=4, class_sep=1.0, random_state=0)
        frame = pd.DataFrame(rows.round(3), columns=[f"x{j:02d}" for j in range(20)])
        levels = ("low", "mid", "high", "top")
        for name in frame.columns[:4]:
            frame[name] = pd.qcut(frame[name], 4, labels=list(levels)).astype(str)
        features = [
            Feature(name=name, kind="categorical", levels=levels)
            if j < 4
            else Feature(name=name, kind="continuous", precision=0.001)
            for j, name in enumerate(frame.columns)
        ]
        ids = tuple(f"row-{i:05d}" for i in range(len(frame)))
        return Table(self.name, FeatureSchema(tuple(features)), frame, outcome, ids, ("0", "1"), undesired=1)


DATASETS = {cls.name: cls for cls in (BreastCancer, DiabetesProgression, Mixed)}
METHODS = {
    "random": (SwiftRandom, DiceRandom, [{"posthoc_sparsity_algorithm": a} for a in ("binary", "linear")]),
    "genetic": (SwiftGenetic, DiceGenetic, [{}]),
    "kdtree": (
        SwiftKDTree,
        DiceKDTree,
        [
            {"posthoc_sparsity_param": 0.0},
            {"posthoc_sparsity_algorithm": "binary"},
            {"posthoc_sparsity_algorithm": "linear"},
        ],
    ),
}


class Counted:
    """The classifier, counting calls and rows."""

    def __init__(self, predict):
        self._predict, self.calls, self.rows = predict, 0, 0

    def __call__(self, rows):
        self.calls += 1
        self.rows += len(rows)
        return self._predict(rows)


class CutOffError(Exception):
    """A query took longer than the cap."""


@contextlib.contextmanager
def limited(seconds):
    def stop(*_):
        raise CutOffError

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


class Side:
    """One way to run one method; keeps what each query took and what it answered."""

    def __init__(self, ask, counted):
        self.ask, self.counted = ask, counted
        self.seconds, self.calls, self.rows, self.answers = [], [], [], []

    def run(self, query, cap):
        calls, rows = self.counted.calls, self.counted.rows
        start = time.perf_counter()
        try:
            with limited(cap), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                answer = self.ask(query)
        except CutOffError:
            answer = "cut off"
        self.seconds.append(np.nan if isinstance(answer, str) else time.perf_counter() - start)
        self.calls.append(self.counted.calls - calls)
        self.rows.append(self.counted.rows - rows)
        self.answers.append(answer)

    def report(self, explained, target):
        rows = [a for a in self.answers if isinstance(a, np.ndarray)]
        done = np.isfinite(self.seconds)
        return {
            "median_ms": float(np.median(np.array(self.seconds)[done]) * 1e3) if done.any() else None,
            "mean_calls": float(np.mean(self.calls)),
            "mean_rows": float(np.mean(self.rows)),
            "answered": len(rows),
            "flipped": sum(int(classes_of(explained.model.predict_proba(a))[0] == target) for a in rows),
            "cut_off": int((~done).sum()),
        }


def direct(explainer, codec, rules, queries, settings, forget=None):
    """A function from a query's position to its settled rows, or None."""

    def ask(i):
        told = rules.ask(queries.matrix[i])
        if not told.features_to_vary:
            return None
        if forget:
            forget()
        seed = int(queries.seeds[i])
        random.seed(seed)
        np.random.seed(seed)
        request = {
            "desired_class": int(queries.target[i]),
            "features_to_vary": told.features_to_vary,
            "permitted_range": told.permitted_range,
            **settings,
        }
        if isinstance(explainer, Swift):
            rows = explainer.answer(queries.matrix[i], 1, **request)
            return None if rows is None else rules.settle(rows, queries.matrix[i])
        try:
            explained = explainer.generate_counterfactuals(codec.frame(queries.matrix[i : i + 1]), 1, **request)
        except UserConfigValidationException:
            return None
        answer = explained.cf_examples_list[0]
        frame = answer.final_cfs_df if answer.final_cfs_df_sparse is None else answer.final_cfs_df_sparse
        return rules.settle(codec.matrix(frame), queries.matrix[i])

    return ask


def sides(explained, queries, method, settings, scratch):
    swift, generator, _ = METHODS[method]
    data = explained.data
    train = data.matrix[data.train]
    codec = Codec(data.schema)
    rules = Rules(codec, train, sampled=method == "random")
    table = {
        "dataframe": codec.frame(train).assign(**{OUTCOME: data.labels[data.train]}),
        "continuous_features": codec.numeric,
        "outcome_name": OUTCOME,
        "continuous_features_precision": rules.decimals,
    }
    counts = [Counted(explained.model.predict_proba) for _ in range(3)]
    stock_model = dice_ml.Model(model=FrameClassifier(codec, counts[0]), backend="sklearn")
    stock = dice_ml.Dice(dice_ml.Data(**table), stock_model, method=method)
    model = MemoModel(codec, counts[1], decisive=False)
    ours = swift(FrozenData(table), model, codec, mend=False)
    ours.prepare(data.target)
    shipped = generator(generator.Options(**settings))
    shipped.fit(explained.task(generator, scratch, predictor=counts[2]))

    def as_shipped(i):
        frame = shipped.generate(queries.take([i]))
        return None if frame is None else data.schema.encode(frame)

    return {
        "stock": Side(direct(stock, codec, rules, queries, settings), counts[0]),
        "ours": Side(direct(ours, codec, rules, queries, settings, model.forget), counts[1]),
        "shipped": Side(as_shipped, counts[2]),
    }


def same(a, b):
    if isinstance(a, str) or isinstance(b, str):
        return None
    return a is b if a is None or b is None else np.array_equal(a, b)


def compare(explained, queries, method, settings, args):
    ran = sides(explained, queries, method, settings, Path())
    begun = time.perf_counter()
    for i in range(len(queries)):
        for side in ran.values():
            side.run(i, args.cap)
        if time.perf_counter() - begun > args.budget:
            break
    equal = [same(a, b) for a, b in zip(ran["stock"].answers, ran["ours"].answers, strict=True)]
    compared = [e for e in equal if e is not None]
    result = {name: side.report(explained, explained.data.target) for name, side in ran.items()}
    stock_ms, ours_ms = result["stock"]["median_ms"], result["ours"]["median_ms"]
    return {
        "method": method,
        "settings": settings,
        "queries": len(equal),
        **result,
        "speedup": stock_ms / ours_ms if stock_ms else None,
        "compared": len(compared),
        "equal": sum(compared),
    }


def markdown(record):
    lines = [
        f"`{record['command']}`, {record['date'][:10]}, {record['processor']}, Python {record['versions']['python']}, "
        f"dice-ml {record['versions']['dice-ml']}, one thread; random forest of 100 trees, 60 % of the rows to train on. "
        "Medians per query; a query is cut off after --cap seconds, a line ends after --budget seconds.",
        "",
        "| table | method | queries | stock ms | ours ms | faster | shipped ms | equal answers | model calls stock / ours "
        "| rows stock / ours | flipped stock / ours / shipped |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in record["rows"]:
        stock, ours, shipped = row["stock"], row["ours"], row["shipped"]
        label = ", ".join(f"{k.removeprefix('posthoc_sparsity_')}={v}" for k, v in row["settings"].items())
        cut = f" ({stock['cut_off']} cut off)" if stock["cut_off"] else ""
        speedup, stock_ms = (f"{row['speedup']:.1f}×", f"{stock['median_ms']:.0f}") if row["speedup"] else ("—", "—")
        lines.append(
            f"| {row['dataset']} | {row['method']}{' ' + label if label else ''} | {row['queries']} | {stock_ms}{cut} "
            f"| {ours['median_ms']:.0f} | {speedup} | {shipped['median_ms']:.0f} | {row['equal']}/{row['compared']} "
            f"| {stock['mean_calls']:.1f} / {ours['mean_calls']:.1f} | {stock['mean_rows']:.0f} / {ours['mean_rows']:.0f} "
            f"| {stock['flipped']} / {ours['flipped']} / {shipped['flipped']} |"
        )
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--only", choices=sorted(DATASETS), help="one table, printed and not written")
    parser.add_argument("--cap", type=float, default=20.0, help="seconds after which a query is cut off")
    parser.add_argument("--budget", type=float, default=90.0, help="seconds after which no further query is asked")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    threadpool_limits(1)
    rows = []
    for name in (args.only,) if args.only else DATASETS:
        explained = fit_classifier(prepare_data(DATASETS[name](), 0), RandomForest())
        queries = explained.queries(args.queries)
        for method in METHODS:
            for settings in METHODS[method][2]:
                rows.append({"dataset": name, **compare(explained, queries, method, settings, args)})
                print(markdown({**provenance(args), "rows": rows[-1:]}).splitlines()[-1], flush=True)
    record = {**provenance(args), "rows": rows}
    if not args.only:
        (RESULTS / "dice_vs_stock.json").write_text(json.dumps(record, indent=1) + "\n")
        (RESULTS / "dice_vs_stock.md").write_text(markdown(record))


def provenance(args):
    packages = ("dice-ml", "sensecf-bench", "sensecf-bench-dice", "numpy", "pandas", "scikit-learn")
    model = next(
        (x.split(":")[1].strip() for x in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in x), ""
    )
    return {
        "command": f"python benchmarks/dice_vs_stock.py --queries {args.queries} --cap {args.cap:g} --budget {args.budget:g}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": f"{model or platform.machine()}, {os.cpu_count()} cores",
        "versions": {"python": platform.python_version(), **{p: importlib.metadata.version(p) for p in packages}},
    }


if __name__ == "__main__":
    main()
