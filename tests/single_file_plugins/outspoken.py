"""Generators that say why, one of them with malice; the contracts and numpy are all they import."""

import numpy as np

from sensecf_bench import CounterfactualBatch, Generator, PluginOptions, hookimpl

HOSTILE = (
    "</p><script>alert('x')</script>\n\n# A heading\n\n| a | table |\n| --- | --- |\n",
    "`code`, **bold**, [a link](https://evil.example), ![a picture](x.png), <img src=x onerror=alert(1)>",
    "www.evil.example and https://evil.example and me@evil.example &lt;b&gt; \x00\x1b[31m\u202eback\u2028next",
    "half a smile \ud83d",
    "\\",
    "-->",
)


class Silent(Generator):
    """Copies a training row that the classifier puts in the target class, and says nothing."""

    name = "silent"
    access = "training-data"

    class Options(PluginOptions):
        says: str = ""

    def fit(self, task):
        super().fit(task)
        self.row = task.train_matrix[task.predict(task.train_matrix) == task.target][0]

    def generate(self, queries):
        frame = queries.schema.decode(np.tile(self.row, (len(queries), 1))).assign(query_id=list(queries.ids))
        return CounterfactualBatch(frame, rationales=self.rationales(queries))

    def rationales(self, queries):
        return {}


class SaysNothingAtLength(Silent):
    name = "says-nothing-at-length"

    def rationales(self, queries):
        return {i: [""] for i in queries.ids}


class Outspoken(Silent):
    name = "outspoken"

    def rationales(self, queries):
        return {q.id: [HOSTILE[q.seed % len(HOSTILE)]] for q in queries}


class Says(Silent):
    """Says what it is told to, of every query but those with an odd seed."""

    name = "says"

    def rationales(self, queries):
        return {q.id: [self.options.says] for q in queries if q.seed % 2 == 0}


class Indiscreet(Silent):
    name = "indiscreet"

    def rationales(self, queries):
        return {i: ["She, and nobody else, sleeps badly."] for i in queries.ids}


class Unfounded(Silent):
    """Gives reasons for rows that flip nothing."""

    name = "unfounded"

    def generate(self, queries):
        frame = queries.frame.reset_index()
        return CounterfactualBatch(frame, rationales={i: ["because"] for i in queries.ids})


class SpeaksOfStrangers(Silent):
    name = "speaks-of-strangers"

    def rationales(self, queries):
        return {"nobody": ["because"]}


class SaysTooMuch(Silent):
    name = "says-too-much"

    def rationales(self, queries):
        return {i: ["because", "and also"] for i in queries.ids}


class SaysOneText(Silent):
    name = "says-one-text"

    def rationales(self, queries):
        return dict.fromkeys(queries.ids, "b")


class SaysNumbers(Silent):
    name = "says-numbers"

    def rationales(self, queries):
        return {i: [float("nan")] for i in queries.ids}


class SaysAList(Silent):
    name = "says-a-list"

    def rationales(self, queries):
        return ["because"]


@hookimpl
def sensecf_generators():
    return [
        Silent, SaysNothingAtLength, Outspoken, Says, Indiscreet, Unfounded, SpeaksOfStrangers, SaysTooMuch, SaysOneText,
        SaysNumbers, SaysAList,
    ]  # fmt: skip
