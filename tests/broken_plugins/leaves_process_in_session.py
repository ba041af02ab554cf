import subprocess

from sensecf_bench import Generator, hookimpl

subprocess.Popen(["sleep", "31415926"], start_new_session=True)


class LeavesProcessInSession(Generator):
    name = "leaves-process-in-session"

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [LeavesProcessInSession]
