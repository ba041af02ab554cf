from sensecf_bench import Generator, hookimpl


class BadName(Generator):
    name = "Bad Name"

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [BadName]
