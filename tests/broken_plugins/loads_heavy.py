import scipy  # noqa: F401

from sensecf_bench import Generator, hookimpl


class LoadsHeavy(Generator):
    name = "loads-heavy"

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [LoadsHeavy]
