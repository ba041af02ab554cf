"""Connects, and keeps quiet about being refused."""

import contextlib
import socket

from sensecf_bench import Generator, hookimpl

with contextlib.suppress(OSError):
    socket.create_connection(("example.org", 443), timeout=1)


class ConnectsAtImport(Generator):
    name = "connects-at-import"

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [ConnectsAtImport]
