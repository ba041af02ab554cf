import subprocess

from sensecf_bench import Generator, hookimpl

subprocess.Popen(["sleep", "31415926"])


class LeavesProcess(Generator):
    name = "leaves-process"

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [LeavesProcess]
