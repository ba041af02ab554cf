"""A generator that does nothing but time its calls of `predict_proba`; pipe.py runs it at home and under other Pythons."""

import json
import time

import numpy as np

from sensecf_bench import Generator, PluginOptions, hookimpl


class PipeCaller(Generator):
    """Times calls of predict_proba."""

    name = "pipe-caller"
    access = "training-data"

    class Options(PluginOptions):
        rows: int = 100
        calls: int = 2000

    def fit(self, task):
        super().fit(task)
        rows = np.ascontiguousarray(task.train_matrix[: self.options.rows])
        for _ in range(200):
            task.predict_proba(rows)
        seconds = []
        for _ in range(self.options.calls):
            started = time.perf_counter()
            task.predict_proba(rows)
            seconds.append(time.perf_counter() - started)
        (task.scratch / "seconds.json").write_text(json.dumps([rows.shape, seconds]))

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [PipeCaller]
