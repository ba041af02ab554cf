"""A generator that takes its time and depends on the query's seed: what a resumed run must get right."""

import os
import time
from pathlib import Path

import numpy as np

from sensecf_bench import Generator, hookimpl


class SlowRandom(Generator):
    """Takes a random training row for most queries, and leaves some out."""

    name = "slow-random"
    access = "training-data"

    def generate(self, queries):
        (query,) = queries
        time.sleep(0.02)
        wait_if_held(query.id)
        rng = np.random.default_rng(query.seed)
        if rng.random() < 0.2:
            return None
        self.task.predict_proba(queries.matrix)
        frame = queries.schema.decode(self.task.train_matrix[[rng.integers(len(self.task.train_matrix))]])
        frame.insert(0, "query_id", query.id)
        return frame


def wait_if_held(query_id):
    """Wait at the query that a test holds, for as long as it does, and leave a mark beside its file for it to see."""
    hold = Path(os.environ.get("SLOW_RANDOM_HOLD", os.devnull))
    while hold.is_file() and hold.read_text() == query_id:
        hold.with_name(f"{hold.name}-{os.getpid()}").touch()
        time.sleep(0.01)


@hookimpl
def sensecf_generators():
    return [SlowRandom]
