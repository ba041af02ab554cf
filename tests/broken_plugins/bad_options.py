from sensecf_bench import Generator, hookimpl


class BadOptions(Generator):
    name = "bad-options"

    class Options:
        width = 3

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [BadOptions]
