"""A table that may not be passed on, and a generator that tells what it sees wherever it can."""

from dataclasses import replace

from sensecf_bench import Classifier, Generator, hookimpl
from sensecf_bench.datasets.clinical import DiabetesProgression


class Guarded(DiabetesProgression):
    """Patients with ids of their own."""

    name = "guarded"

    def load(self):
        table = super().load()
        return replace(table, name=self.name, ids=tuple(f"patient-{i}" for i in range(len(table.ids))))

    def restricted(self):
        return "under licence"


class Tattler(Generator):
    """Keeps each person in the cache, and fails with their values in the message."""

    name = "tattler"

    def generate(self, queries):
        self.task.cache.mkdir(parents=True, exist_ok=True)
        (self.task.cache / "seen.txt").write_text(queries.frame.to_string())
        raise ValueError(
            f"cannot answer {queries.ids}: cholesterol is {queries.frame['total_cholesterol_mg_dl'].tolist()}"
        )


class Telling(Classifier):
    """Cannot be fitted, and says on whom."""

    name = "telling"

    def fit(self, schema, rows, labels, seed):
        raise ValueError(f"cannot learn from {rows[0].tolist()}")

    def predict_proba(self, rows):
        raise NotImplementedError


@hookimpl
def sensecf_generators():
    return [Tattler]


@hookimpl
def sensecf_datasets():
    return [Guarded]


@hookimpl
def sensecf_classifiers():
    return [Telling]
