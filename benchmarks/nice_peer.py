"""The NICEx side of nice_vs_nicex.py, run by an interpreter that has NICEx: no sensecf-bench in here.

Reads a case (arrays and settings) from a file, fits the same classifier with the same seed, and refuses to go on unless
it predicts exactly what the other side predicts. Then, for each variant named on a line of stdin, explains all queries
one by one, as NICEx takes them, and answers with a line of JSON: seconds, calls, and the file that holds the answers.
"""

import json
import sys
import time
from importlib.metadata import version

import numpy as np
from nice import NICE


def estimator(kind, seed):
    if kind == "xgboost":
        from xgboost import XGBClassifier

        return XGBClassifier(
            n_estimators=100, max_depth=6, learning_rate=0.3, tree_method="hist", random_state=seed, n_jobs=1
        )
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(100, random_state=seed, n_jobs=1)


def pipeline(kind, levels, seed):
    """The harness's pipeline: one-hot coding of unordered levels, then the estimator; "forest-on-codes" has no coding."""
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    nominal = np.flatnonzero(levels)
    if kind == "forest-on-codes" or not len(nominal):
        return make_pipeline(estimator(kind, seed))
    categories = [np.arange(levels[j], dtype=np.float64) for j in nominal]
    one_hot = OneHotEncoder(categories=categories, drop="if_binary", sparse_output=False)
    coding = ColumnTransformer([("ordered", "passthrough", np.flatnonzero(levels == 0)), ("nominal", one_hot, nominal)])
    return make_pipeline(coding, estimator(kind, seed))


def reconstruction_error(levels, low, span, mean, discarded):
    """The plugin's plausibility error, from its parameters; NICEx has none of its own."""

    # Two vectorised steps fill the coordinates, in the schema's order, since NICEx asks for few rows at a time.
    width = np.where(levels > 0, levels, 1)
    source = np.repeat(np.arange(len(levels)), width)
    level = np.concatenate([np.arange(w) for w in width])
    number, one_hot = np.flatnonzero(levels[source] == 0), np.flatnonzero(levels[source])
    numeric, nominal, level = source[number], source[one_hot], level[one_hot]
    low, span = low[numeric], span[numeric]

    def error(rows):
        embedded = np.empty((len(rows), len(source)))
        embedded[:, number] = (rows[:, numeric] - low) / span
        embedded[:, one_hot] = 0.5 * (rows[:, nominal] == level)
        embedded -= mean
        lost = (embedded[:, None] * discarded).sum(axis=2)
        return (lost * lost).sum(axis=1)

    return error


class Explainer:
    """NICEx on one case, with its calls of the classifier and its seconds in the reconstruction error counted."""

    def __init__(self, case):
        settings, self.levels = json.loads(str(case["settings"])), case["levels"]
        self.rows, self.labels, self.asked = case["rows"], case["labels"], case["asked"]
        self.model = pipeline(settings["classifier"], self.levels, settings["seed"]).fit(self.rows, self.labels)
        self.plain_error = reconstruction_error(self.levels, case["low"], case["span"], case["mean"], case["discarded"])
        self.count = {}
        self.nicex = {}

    def predict_proba(self, rows):
        self.count["calls"] += 1
        self.count["rows"] += len(rows)
        return self.model.predict_proba(rows).astype(np.float64)

    def error(self, rows):
        start = time.perf_counter()
        errors = self.plain_error(rows)
        self.count["error_seconds"] += time.perf_counter() - start
        return errors

    def build(self, variant):
        return NICE(
            predict_fn=self.predict_proba,
            X_train=self.rows.copy(),
            y_train=self.labels,
            cat_feat=[int(j) for j in np.flatnonzero(self.levels)],
            optimization=variant,
            auto_encoder=self.error,
        )

    def explain_all(self, variant):
        """The answers `(q, d)` and what they took; building and a first explanation are not timed."""
        self.count = {"calls": 0, "rows": 0, "error_seconds": 0.0}
        if variant not in self.nicex:
            self.nicex[variant] = self.build(variant)
            self.nicex[variant].explain(self.asked[:1].copy())
        explain, asked = self.nicex[variant].explain, [row[None].copy() for row in self.asked]
        self.count.update(calls=0, rows=0, error_seconds=0.0)
        start, cpu_start = time.perf_counter(), time.process_time()
        found = [explain(row) for row in asked]
        seconds = {"wall": time.perf_counter() - start, "cpu": time.process_time() - cpu_start}
        return np.vstack(found), seconds | self.count


def main(case_path):
    case = np.load(case_path)
    explainer = Explainer(case)
    probe = case["probe"]
    pairs = {
        "probabilities": explainer.model.predict_proba(probe).astype(np.float64),
        "errors": explainer.plain_error(probe),
    }
    for name, mine in pairs.items():
        if not np.array_equal(mine, case[name]):
            gap = np.abs(mine - case[name]).max()
            sys.exit(f"{name} differ by up to {gap}: the two sides explain different models")
    packages = ("NICEx", "numpy", "pandas", "scikit-learn", "xgboost")
    print(json.dumps({name: version(name) for name in packages}), flush=True)
    for line in sys.stdin:
        variant = line.strip()
        answers, report = explainer.explain_all(variant)
        np.save(f"{variant}.npy", answers)
        print(json.dumps(report | {"answers": f"{variant}.npy"}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
