"""Generators that are in order except for one thing each: `breaks` names the check that must see it, and no other may."""

import os
import signal
import socket
import tempfile
import time
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import numpy as np
from pydantic import ConfigDict

from sensecf_bench import PluginOptions, Unavailable
from sensecf_bench.generators import Identity, NearestOpposite


def some_of(frame):
    """The rows of about half the people, whoever is asked beside them."""
    return frame["query_id"].map(lambda query_id: query_id[-1] in "135").astype(bool)


class Sound(NearestOpposite):
    """Answers with the nearest row of the target class, and breaks nothing."""

    name = "sound"
    breaks = ""
    expected_failures = MappingProxyType({})

    def own_rows(self, queries, choice=0):
        """The rows that `choose` ranks `choice`-th for each query, as a frame."""
        keep = self.task.k
        object.__setattr__(self.task, "k", keep + choice)
        try:
            frame = super().generate(queries)
        finally:
            object.__setattr__(self.task, "k", keep)
        rank = frame.groupby("query_id").cumcount()
        return frame[(rank >= choice) & (rank < choice + keep)].reset_index(drop=True)

    def generate(self, queries):
        return self.own_rows(queries)


# -- what it declares ---------------------------------------------------------------------------------------------------
class Shouts(Sound):
    """Has a name in capitals."""

    name = "Loud_Name"
    breaks = "has-a-name-of-its-own"


class Trails(Sound):
    """Never comes to an end of its sentence"""

    name = "trails"
    breaks = "says-what-it-is"


class TellsNobody(Sound):
    name = "tells-nobody"
    __doc__ = None
    breaks = "says-what-it-is"


class GoesOn(Sound):
    __doc__ = f"Goes {'on and ' * 30}on."
    name = "goes-on"
    breaks = "says-what-it-is"


class LosesATuple(Sound):
    """Has an option `pair` that JSON turns into something else."""

    name = "loses-a-tuple"
    breaks = "options-have-defaults"

    class Options(PluginOptions):
        pair: Any = (1, 2)


class WantsAnOption(Sound):
    """Has an option `size` without a default."""

    name = "wants-an-option"
    breaks = "options-have-defaults"

    class Options(PluginOptions):
        size: int


class TakesAnything(Sound):
    """Takes options that it does not have."""

    name = "takes-anything"
    breaks = "unknown-options-are-refused"

    class Options(PluginOptions):
        model_config = ConfigDict(frozen=True, extra="ignore")


class KeepsSilent(Sound):
    """Says nothing about what it can be told."""

    name = "keeps-silent"
    breaks = "options-are-described"

    class Options(PluginOptions):
        vigour: int = 3


class WrongLane(Sound):
    """Asks for a kind of machine that there is not."""

    name = "wrong-lane"
    lane = "tpu"
    breaks = "declares-legal-values"


class NeedsATuple(Sound):
    """Writes its needs as a tuple."""

    name = "needs-a-tuple"
    needs = ("network",)
    breaks = "declares-legal-values"


class BatchOfNone(Sound):
    """Wants batches of no query."""

    name = "batch-of-none"
    batch_size = 0
    breaks = "declares-legal-values"


class Mumbles(Sound):
    """Bows out without a cure."""

    name = "mumbles"
    breaks = "bows-out-in-words"

    def available(self):
        raise Unavailable("not today")


class FallsOver(Sound):
    """Raises whatever comes along where it should bow out."""

    name = "falls-over"
    breaks = "bows-out-in-words"

    def available(self):
        raise ImportError("no module named nonsense")


def hidden():
    class OutOfReach(Sound):
        """Is defined where no other process can get at it."""

        name = "out-of-reach"
        breaks = "can-be-found-again"

    return OutOfReach


# -- what it answers ----------------------------------------------------------------------------------------------------
class CannotFit(Sound):
    """Raises while it is fitted."""

    name = "cannot-fit"
    breaks = "fits"

    def fit(self, task):
        raise RuntimeError("no patience for this table")


class DiesFitting(Sound):
    """Crashes while it is fitted."""

    name = "dies-fitting"
    breaks = "fits"

    def fit(self, task):
        os.kill(os.getpid(), signal.SIGSEGV)


class Greedy(Sound):
    """Looks at probabilities without saying so."""

    name = "greedy"
    breaks = "declared-access-suffices"

    def fit(self, task):
        object.__setattr__(task, "access", "label")
        self.task = task

    def generate(self, queries):
        self.task.predict_proba(queries.matrix)


class WrongIds(Sound):
    """Answers queries nobody asked."""

    name = "wrong-ids"
    breaks = "answers-what-was-asked"

    def generate(self, queries):
        return self.own_rows(queries).assign(query_id="somebody")


class ForgetsAColumn(Sound):
    """Leaves a feature out."""

    name = "forgets-a-column"
    breaks = "answers-what-was-asked"

    def generate(self, queries):
        return self.own_rows(queries).drop(columns="diet")


class Crashes(Sound):
    """Dies in the middle of an answer."""

    name = "crashes"
    breaks = "answers-what-was-asked"

    def generate(self, queries):
        os.kill(os.getpid(), signal.SIGSEGV)


class Hangs(Sound):
    """Never answers."""

    name = "hangs"
    breaks = "answers-what-was-asked"

    def generate(self, queries):
        time.sleep(3600)


class TooMany(Sound):
    """Answers twice."""

    name = "too-many"
    breaks = "gives-at-most-k-rows"

    def generate(self, queries):
        frame = self.own_rows(queries)
        return frame.loc[frame.index.repeat(2)]


class TooManyOfMany(Sound):
    """Answers four times where it is asked for three."""

    name = "too-many-of-many"
    breaks = "gives-at-most-k-rows"

    def generate(self, queries):
        frame = self.own_rows(queries)
        return frame.loc[frame.index.repeat(4 if self.task.k == 3 else 1)]


class NotANumber(Sound):
    """Gives the first query a feature without a value."""

    name = "not-a-number"
    breaks = "keeps-units-and-levels"

    def generate(self, queries):
        frame = self.own_rows(queries)
        frame.loc[some_of(frame), "glucose"] = np.nan
        return frame


class Codes(Sound):
    """Gives some levels as their codes."""

    name = "codes"
    breaks = "keeps-units-and-levels"

    def generate(self, queries):
        frame = self.own_rows(queries)
        frame["diet"] = frame["diet"].replace({"mixed": "0", "plants": "1", "fast food": "2"})
        return frame


class Halves(Sound):
    """Gives one person half a visit."""

    name = "halves"
    breaks = "keeps-units-and-levels"

    def generate(self, queries):
        frame = self.own_rows(queries)
        return frame.assign(visits=frame["visits"] + 0.5 * (some_of(frame)))


class OutOfBounds(Sound):
    """Gives one person a glucose nobody has lived with."""

    name = "out-of-bounds"
    breaks = "keeps-the-rules"

    def generate(self, queries):
        frame = self.own_rows(queries)
        frame.loc[some_of(frame), "glucose"] = 4.0
        return frame


class TurnsYounger(Sound):
    """Makes one person younger."""

    name = "turns-younger"
    breaks = "keeps-the-rules"

    def generate(self, queries):
        frame = self.own_rows(queries)
        frame.loc[some_of(frame), "age"] = 18
        return frame


class BlindToImmutables(Sound):
    """Changes glucose and bmi where something may change at all, whether those may or not."""

    name = "blind-to-immutables"
    breaks = "keeps-the-rules"

    def generate(self, queries):
        if not queries.schema.mutable.any():
            return None
        return queries.frame.assign(glucose=80.0, bmi=20.0).reset_index()


class Overwrites(Sound):
    """Uses the queries as its notepad."""

    name = "overwrites"
    breaks = "leaves-its-input-alone"

    def generate(self, queries):
        frame = self.own_rows(queries)
        queries.matrix[:] = 0.0
        return frame


class Litters(Sound):
    """Keeps its notes beside the harness's own."""

    name = "litters"
    breaks = "writes-to-scratch-only"

    def generate(self, queries):
        with tempfile.TemporaryDirectory():
            return self.own_rows(queries)


class CallsHome(Sound):
    """Asks a server that it said nothing about."""

    name = "calls-home"
    breaks = "asks-no-network"

    def generate(self, queries):
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", 9), timeout=0.1).close()
        return self.own_rows(queries)


class GivesBack(Identity):
    """Gives everybody back unchanged."""

    name = "gives-back"
    breaks = "finds-something"
    expected_failures = MappingProxyType({})


class AlwaysAbstains(Sound):
    """Has nothing to say, and so does nothing wrong."""

    name = "always-abstains"
    breaks = "finds-something"

    def generate(self, queries):
        return None


# -- what must not matter -----------------------------------------------------------------------------------------------
class DrawsGlobally(Sound):
    """Draws from the global generator, which nobody seeds, while it is fitted."""

    name = "draws-globally"
    breaks = "same-seed-same-answer"

    def fit(self, task):
        super().fit(task)
        self.order = np.random.permutation(len(self.candidates))

    def choose(self, factual, reachable, seed):
        return reachable[np.argsort(self.order[: len(reachable)])][: self.task.k]


class AsksTheProcess(Sound):
    """Takes its seed from the process it happens to run in."""

    name = "asks-the-process"
    breaks = "same-seed-same-answer"

    def choose(self, factual, reachable, seed):
        return reachable[np.random.default_rng(os.getpid()).permutation(len(reachable))][: self.task.k]


class LooksAtTheFirst(Sound):
    """Takes the second nearest row when the first query has the larger id."""

    name = "looks-at-the-first"
    breaks = "order-does-not-matter"

    def generate(self, queries):
        return self.own_rows(queries, choice=int(len(queries) > 1 and self._turned(queries.ids)))

    def _turned(self, ids):
        return ids[0] < ids[-1]


class LooksAtTheLast(LooksAtTheFirst):
    """Takes the second nearest row when the last query has the larger id."""

    name = "looks-at-the-last"

    def _turned(self, ids):
        return ids[0] > ids[-1]


class KeepsCompany(Sound):
    """Takes the second nearest row for people who come in company."""

    name = "keeps-company"
    breaks = "one-at-a-time-is-all-at-once"

    def generate(self, queries):
        return self.own_rows(queries, choice=int(len(queries) > 1))


class NeedsCompany(Sound):
    """Cannot answer a single query."""

    name = "needs-company"
    breaks = "answers-one-query"

    def generate(self, queries):
        if len(queries) == 1:
            raise ValueError("expected a matrix")
        return self.own_rows(queries)


class NeedsSomebody(Sound):
    """Cannot be asked about nobody."""

    name = "needs-somebody"
    breaks = "survives-an-empty-batch"

    def generate(self, queries):
        return self.own_rows(queries).assign(first=queries.ids[0]).drop(columns="first")


class NeedsRoom(Sound):
    """Raises where nothing may change."""

    name = "needs-room"
    breaks = "leaves-the-immutable-alone"

    def generate(self, queries):
        if not queries.schema.mutable.any():
            raise ValueError("nothing to vary")
        return self.own_rows(queries)


class MovesTheRock(Sound):
    """Changes something where nothing may change."""

    name = "moves-the-rock"
    breaks = "leaves-the-immutable-alone"

    def generate(self, queries):
        if not queries.schema.mutable.any():
            return queries.frame.assign(glucose=80.0).reset_index()
        return self.own_rows(queries)


class Despairs(Sound):
    """Raises where no row flips."""

    name = "despairs"
    breaks = "gives-up-on-an-impossible-target"

    def generate(self, queries):
        if not len(self.candidates):
            raise RuntimeError("no counterfactual found")
        return self.own_rows(queries)


class NeverDespairs(Sound):
    """Searches for ever where no row flips."""

    name = "never-despairs"
    breaks = "gives-up-on-an-impossible-target"

    def generate(self, queries):
        while not len(self.candidates):
            self.task.predict(queries.matrix)
        return self.own_rows(queries)


class TakesItsTime(Sound):
    """Asks the classifier a hundred times a query, however slow that is."""

    name = "takes-its-time"
    breaks = "keeps-the-deadline"

    def generate(self, queries):
        for row in np.repeat(queries.matrix, 100, axis=0):
            self.task.predict(row[None])
        return self.own_rows(queries)
