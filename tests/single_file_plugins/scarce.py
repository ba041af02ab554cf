"""A small cohort, and generators that do what they should not, cannot, or must be seen doing, where labels are scarce."""

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd

from sensecf_bench import Classifier, Dataset, Feature, FeatureSchema, Generator, PluginOptions, Table, hookimpl
from sensecf_bench.errors import DataError
from sensecf_bench.prompting import Brief


class Cohort(Dataset):
    """People with three measurements, ill where the first two are high."""

    name = "cohort"

    class Options(PluginOptions):
        people: int = 120
        ill: int = 40
        restricted: str = ""
        refuses: int | None = None  # a seed under which it cannot be split
        fixed: bool = False  # the same split under every seed

    def load(self):
        rng = np.random.default_rng(7)
        n, ill = self.options.people, self.options.ill
        outcome = np.arange(n) < ill
        values = rng.normal(size=(n, 3)) + 1.5 * outcome[:, None] * np.array([1, 1, 0])
        frame = pd.DataFrame(np.round(values, 6), columns=["a", "b", "c"])
        schema = FeatureSchema(tuple(Feature(name=name, kind="continuous") for name in frame.columns))
        ids = tuple(f"patient-{i}" for i in range(n))
        return Table("cohort", schema, frame, outcome.astype(int), ids, ("well", "ill"), undesired=1)

    def restricted(self):
        return self.options.restricted

    def split(self, table, seed):
        if seed == self.options.refuses:
            raise DataError(f"seed {seed} leaves nobody to test", "take another one")
        return super().split(table, 0 if self.options.fixed else seed)


class Halfway(Generator):
    """Goes from a person to the nearest row that the classifier puts in the target class, as far as it takes."""

    name = "halfway"
    access = "training-data"

    def fit(self, task):
        super().fit(task)
        there = task.predict(task.train_matrix) == task.target
        self.donors = task.train_matrix[there if there.any() else task.train_labels == task.target]

    def generate(self, queries):
        rows = []
        for factual in queries.matrix:
            donor = self.donors[np.abs(self.donors - factual).sum(axis=1).argmin()]
            steps = np.linspace(0, 1, 11)[1:, None]
            path = factual + steps * (donor - factual)
            there = np.flatnonzero(self.task.predict(path) == self.task.target)
            rows.append(path[there[0]] if len(there) else donor)
        frame = queries.schema.decode(np.array(rows))
        frame.insert(0, "query_id", queries.ids)
        return frame


class Peeker(Generator):
    """Loads the whole table itself and answers with rows of it that it was not shown."""

    name = "peeker"
    access = "training-data"
    batch_size = None

    def generate(self, queries):
        table = Cohort().load()
        rows = table.schema.encode(table.frame)
        shown = {row.tobytes() for row in self.task.train_matrix}
        hidden = [
            r for r, c in zip(rows, table.outcome, strict=True) if c == self.task.target and r.tobytes() not in shown
        ]
        frame = queries.schema.decode(np.array([hidden[i % len(hidden)] for i in range(len(queries))]))
        frame.insert(0, "query_id", queries.ids)
        return frame


class Recorder(Generator):
    """Writes down all it is told, and abstains."""

    name = "recorder"
    access = "training-data"
    batch_size = None

    class Options(PluginOptions):
        folder: str = ""

    def generate(self, queries):
        task = self.task
        brief = Brief.of(task.schema, task.classes, task.target, task.train_matrix, task.train_labels)
        name = f"{task.seed}-{task.target}-{len(task.train_matrix)}-{queries.ids[0]}.npz"
        np.savez(
            Path(self.options.folder) / name,
            train=task.train_matrix,
            labels=task.train_labels,
            queries=queries.matrix,
            current=queries.current,
            target=queries.target,
            scales=np.array([task.schema.scales.low, task.schema.scales.high]),
            brief=np.array([[d.seen.low, d.seen.high] for d in brief.features]).T,
            seed=task.seed,
        )


class Crashes(Generator):
    name = "crashes"
    batch_size = None

    def generate(self, queries):
        raise RuntimeError(f"no answer about {queries.ids[0]}")


class Forgetful(Halfway):
    """Answers once, and knows nothing of what it is asked after that."""

    name = "forgetful"
    batch_size = 1
    asked = 0

    def generate(self, queries):
        self.asked += 1
        if self.asked > 1:
            raise RuntimeError("what was the question?")
        return super().generate(queries)


class OneSided(Halfway):
    """Answers where the first class is asked for, and crashes where the second is."""

    name = "one-sided"

    def generate(self, queries):
        if self.task.target == 1:
            raise RuntimeError("never heard of it")
        return super().generate(queries)


class Sleeps(Generator):
    """Falls asleep where there are too few rows to learn from."""

    name = "sleeps"
    access = "training-data"
    batch_size = None

    def generate(self, queries):
        if len(self.task.train_matrix) < 36:
            time.sleep(3600)


class Abstains(Generator):
    name = "abstains"
    batch_size = None

    def generate(self, queries):
        return None


class Dear(Generator):
    """Would take minutes, it says."""

    name = "dear-one"
    dear = "it learns by heart first"

    def generate(self, queries):
        return None


class Fussy(Classifier):
    """Learns from many rows only, and may die of one that it has seen before."""

    name = "fussy"

    class Options(PluginOptions):
        least: int = 0
        mortal: bool = False

    def fit(self, schema, rows, labels, seed):
        if self.options.mortal and len(np.unique(rows, axis=0)) < len(rows):
            os._exit(1)
        if len(rows) < self.options.least:
            raise ValueError(f"{len(rows)} rows are not enough: {rows[0].tolist()}")
        self.centre = rows.mean(axis=0)

    def predict_proba(self, rows):
        ill = 1 / (1 + np.exp(-(rows - self.centre).sum(axis=1)))
        return np.column_stack([1 - ill, ill])


@hookimpl
def sensecf_datasets():
    return [Cohort]


@hookimpl
def sensecf_generators():
    return [Halfway, Forgetful, Peeker, Recorder, Crashes, OneSided, Sleeps, Abstains, Dear]


@hookimpl
def sensecf_classifiers():
    return [Fussy]
