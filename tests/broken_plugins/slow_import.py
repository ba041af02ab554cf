import time

from sensecf_bench import Generator, hookimpl

time.sleep(0.4)


class SlowImport(Generator):
    name = "slow-import"

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [SlowImport]
