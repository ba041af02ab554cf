from sensecf_bench import Generator, hookimpl


class Raising(Generator):
    name = "available-raises"

    def available(self):
        raise OSError("no such device")

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [Raising]
