"""A generator that takes its time and depends on the query's seed: what a resumed run must get right."""

import time

import numpy as np

from sensecf_bench import Generator, hookimpl


class SlowRandom(Generator):
    """Takes a random training row for most queries, and leaves some out."""

    name = "slow-random"
    access = "training-data"

    def generate(self, queries):
        (query,) = queries
        time.sleep(0.02)
        rng = np.random.default_rng(query.seed)
        if rng.random() < 0.2:
            return None
        self.task.predict_proba(queries.matrix)
        frame = queries.schema.decode(self.task.train_matrix[[rng.integers(len(self.task.train_matrix))]])
        frame.insert(0, "query_id", query.id)
        return frame


@hookimpl
def sensecf_generators():
    return [SlowRandom]
