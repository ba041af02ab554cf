from sensecf_bench import Generator, hookimpl


class Rival(Generator):
    name = "rival"

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [Rival]
