import threading
import time

from sensecf_bench import Generator, hookimpl

threading.Thread(target=time.sleep, args=(3600,), name="left-behind").start()


class LeavesThread(Generator):
    name = "leaves-thread"

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [LeavesThread]
