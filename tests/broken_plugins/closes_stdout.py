import sys

from sensecf_bench import Generator, hookimpl

sys.stdout.close()
sys.stdout = None


class ClosesStdout(Generator):
    name = "closes-stdout"

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [ClosesStdout]
