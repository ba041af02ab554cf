"""Generators that answer with a training row of the target class, except that each fails its victim in its own way."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from sensecf_bench import CounterfactualBatch, Generator, PluginOptions, Usage, hookimpl


class Good(Generator):
    """Copies the first training row of the target class; the yardstick for the others."""

    name = "good"
    access = "training-data"

    class Options(PluginOptions):
        victim: str = ""

    def fit(self, task):
        super().fit(task)
        self.row = task.train_matrix[task.train_labels == task.target][0]

    def answer(self, queries):
        frame = queries.schema.decode(np.tile(self.row, (len(queries), 1)))
        frame.insert(0, "query_id", queries.ids)
        return frame

    def has_victim(self, queries):
        return self.options.victim in queries.ids

    def misbehave(self, queries, frame):
        return frame

    def generate(self, queries):
        frame = self.answer(queries)
        return self.misbehave(queries, frame) if self.has_victim(queries) else frame


class Hangs(Good):
    name = "hangs"

    def misbehave(self, queries, frame):
        time.sleep(3600)


class Raises(Good):
    name = "raises"

    def misbehave(self, queries, frame):
        raise RuntimeError("no answer from me")


class Segfaults(Good):
    name = "segfaults"

    def misbehave(self, queries, frame):
        ctypes.string_at(0)


class Exits(Good):
    name = "exits"

    def misbehave(self, queries, frame):
        os._exit(7)


class SystemExits(Good):
    name = "system-exits"

    def misbehave(self, queries, frame):
        sys.exit("bye")


class WrongIds(Good):
    name = "wrong-ids"

    def misbehave(self, queries, frame):
        return frame.assign(query_id="nobody")


class TooManyRows(Good):
    name = "too-many-rows"

    def misbehave(self, queries, frame):
        return frame.loc[[0] * 1_000_000]


class NotAFrame(Good):
    name = "not-a-frame"

    def misbehave(self, queries, frame):
        return [1, 2, 3]


class ReturnsNaN(Good):
    name = "returns-nan"

    def misbehave(self, queries, frame):
        frame.loc[frame["query_id"] == self.options.victim, frame.columns[1]] = np.nan
        return frame


class LeavesOut(Good):
    name = "leaves-out"

    def misbehave(self, queries, frame):
        return frame[frame["query_id"] != self.options.victim]


class Unparsable(Good):
    name = "unparsable"

    def misbehave(self, queries, frame):
        kept = frame[frame["query_id"] != self.options.victim]
        return CounterfactualBatch(kept, unparsable={self.options.victim: "as a language model I cannot"})


class MutatesInput(Good):
    name = "mutates-input"

    def misbehave(self, queries, frame):
        queries.matrix[:] = 0.0
        queries.target[:] = 1
        for array in (self.task.train_matrix, self.task.schema.scales.low):
            try:
                array[:] = 0.0
            except ValueError:
                continue
        return frame


class FloodsOutput(Good):
    name = "floods-output"

    def misbehave(self, queries, frame):
        os.write(1, b"x" * 5_000_000)
        sys.stdout.write("y" * 1_000_000)
        return frame


class CutOffText(Good):
    name = "cut-off-text"

    def misbehave(self, queries, frame):
        kept = frame[frame["query_id"] != self.options.victim]
        return CounterfactualBatch(kept, unparsable={self.options.victim: "half a smile \ud83d"})


class UncountableUsage(Good):
    name = "uncountable-usage"

    def misbehave(self, queries, frame):
        return CounterfactualBatch(frame, usage={self.options.victim: Usage(None, 3, float("nan"))})


class LeavesAProcess(Good):
    """Starts a program that would outlive it."""

    name = "leaves-a-process"

    def misbehave(self, queries, frame):
        subprocess.Popen(["sleep", "31536000"])
        return frame


class Threads(Good):
    """Asks for predictions from many threads, and gives up in the middle of others."""

    name = "threads"
    access = "training-data"

    def misbehave(self, queries, frame):
        def give_up(*_):
            raise TimeoutError

        rows = self.task.train_matrix
        alone = [self.task.predict_proba(rows[i : i + 1]) for i in range(20)]
        signal.signal(signal.SIGALRM, give_up)
        for _ in range(20):
            signal.setitimer(signal.ITIMER_REAL, 0.002)
            try:
                while True:
                    self.task.predict_proba(rows)
            except TimeoutError:
                signal.setitimer(signal.ITIMER_REAL, 0)
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda i: self.task.predict_proba(rows[i : i + 1]), range(20)))
        if not np.array_equal(alone, together):
            raise AssertionError("somebody else's prediction")
        return frame


class BatchRaises(Raises):
    name = "batch-raises"
    batch_size = None


class BatchSegfaults(Segfaults):
    name = "batch-segfaults"
    batch_size = None


class BatchHangs(Hangs):
    name = "batch-hangs"
    batch_size = None


class BatchWrongIds(WrongIds):
    name = "batch-wrong-ids"
    batch_size = None


class FailsToFit(Good):
    name = "fails-to-fit"

    def fit(self, task):
        raise ValueError("cannot learn this")


class AsksTooMuch(Good):
    """Declares a lower tier than it uses."""

    name = "asks-too-much"
    access = "label"

    def fit(self, task):
        self.row = task.train_matrix[0]


@hookimpl
def sensecf_generators():
    return [
        Good, Hangs, Raises, Segfaults, Exits, SystemExits, WrongIds, TooManyRows, NotAFrame, ReturnsNaN, LeavesOut,
        Unparsable, MutatesInput, FloodsOutput, BatchRaises, BatchSegfaults, BatchHangs, BatchWrongIds, FailsToFit,
        AsksTooMuch, CutOffText, UncountableUsage, LeavesAProcess, Threads,
    ]  # fmt: skip
