from sensecf_bench import Generator, hookimpl


class Idle(Generator):
    name = "idle"


@hookimpl
def sensecf_generators():
    return [Idle]
