from sensecf_bench import Generator, hookimpl


class Nameless(Generator):
    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [Nameless]
