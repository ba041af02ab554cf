"""Five million bytes, from C and from Python."""

import ctypes
import os
import sys

from sensecf_bench import Generator, hookimpl

os.write(1, b"x" * 3_000_000)
ctypes.CDLL(None).printf(b"%s", b"y" * 1_000_000)
print("z" * 999_999)
print("not on stdout", file=sys.stderr)


class FloodsOutput(Generator):
    name = "floods-output"

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [FloodsOutput]
