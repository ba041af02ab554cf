from sensecf_bench import Generator, hookimpl


class Unbuildable(Generator):
    name = "construction-raises"

    def __init__(self, options=None):
        raise ValueError("cannot be built")

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [Unbuildable]
