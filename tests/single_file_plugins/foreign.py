"""Generators that can run under another interpreter: they import the contracts and numpy, and nothing else."""

import ctypes
import importlib.util
import json
import sys
import time

import numpy as np

from sensecf_bench import Generator, PluginOptions, Unavailable, hookimpl


class AtHome(Generator):
    """Walks to the nearest confirmed training row of the target class, and a share of the way back."""

    name = "at-home"
    access = "training-data"

    class Options(PluginOptions):
        shift: float = 0.0
        victim: str = ""
        names: tuple[str, ...] = ("a", "b")

    def fit(self, task):
        super().fit(task)
        self.rows = task.train_matrix[task.predict(task.train) == task.target]
        assert self.options.names == ("a", "b")

    def misbehave(self):
        """Nothing: the others do."""

    def generate(self, queries):
        found = []
        for query, row in zip(queries, queries.matrix):  # noqa: B905 older Pythons have no strict
            if query.id == self.options.victim:
                self.misbehave()
            schema = queries.schema
            gaps = schema.gaps(self.rows, np.repeat(row[None], len(self.rows), axis=0)).sum(axis=1)
            new = self.rows[np.argmin(gaps)].copy()
            new[~schema.mutable] = row[~schema.mutable]
            assert schema.changed(new[None], row[None]).any()
            rng = np.random.default_rng(query.seed)
            j = schema.names.index("bmi_kg_m2")
            new[j] += self.options.shift * rng.uniform() * (row[j] - new[j])
            found.append(new)
        assert (self.task.predict_proba(np.array(found)).sum(axis=1) > 0.99).all()
        return queries.schema.decode(np.array(found)).assign(query_id=list(queries.ids))


class Abroad(AtHome):
    name = "abroad"


class Crashes(AtHome):
    name = "crashes-abroad"

    def misbehave(self):
        ctypes.string_at(0)


class Hangs(AtHome):
    name = "hangs-abroad"

    def misbehave(self):
        time.sleep(3600)


class Raises(AtHome):
    name = "raises-abroad"

    def generate(self, queries):
        raise ValueError("no answer")


class TellsWhereItIs(AtHome):
    name = "tells-where-it-is"

    def fit(self, task):
        super().fit(task)
        has = {name: importlib.util.find_spec(name) is not None for name in ("sklearn", "numpy")}
        for name in ("pydantic", "pluggy"):  # stood in for, perhaps
            has[name] = not getattr(sys.modules.get(name), "__name__", "").startswith("sensecf_bench")
        leads = any("site-packages" in p and not p.startswith(sys.prefix) for p in sys.path)
        print(json.dumps({"executable": sys.executable, "has": has, "path_leads_here": leads}))  # noqa: T201


class NotThere(AtHome):
    name = "not-there"

    def available(self):
        raise Unavailable("no such weights", "bring them")


@hookimpl
def sensecf_generators():
    return [AtHome, Abroad, Crashes, Hangs, Raises, TellsWhereItIs, NotThere]
