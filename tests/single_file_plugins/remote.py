"""Generators that would send rows away, or spend money."""

from sensecf_bench import Generator, PluginOptions, hookimpl
from sensecf_bench.datasets.clinical import DiabetesProgression


class Remote(Generator):
    """Would send rows to a model's provider."""

    name = "remote"
    needs = frozenset({"network"})
    named_options = ("host",)

    class Options(PluginOptions):
        host: str = "models.example.org"

    def recipient(self):
        return self.options.host

    def generate(self, queries):
        return queries.frame.reset_index()


class Spender(Generator):
    """Spends half a dollar a query."""

    name = "spender"
    needs = frozenset({"paid"})

    def price(self, schema, queries, k):
        return 0.5 * queries * k

    def generate(self, queries):
        self.task.purse.settle(self.task.purse.reserve(0.5), 0.25)
        kept = self.task.cache / "answers"
        kept.parent.mkdir(parents=True, exist_ok=True)
        with kept.open("a") as file:
            file.write(f"{queries.ids[0]}\n")
        return queries.frame.reset_index()


class Secret(DiabetesProgression):
    """A table that nobody may pass on."""

    name = "secret"

    def restricted(self):
        return "under licence"


@hookimpl
def sensecf_generators():
    return [Remote, Spender]


@hookimpl
def sensecf_datasets():
    return [Secret]
