"""Lets the socket itself look the name up."""

import contextlib
import socket

from sensecf_bench import Generator, hookimpl

with contextlib.suppress(OSError), socket.socket() as line:
    line.connect(("example.org", 80))


class ConnectsByNameAtImport(Generator):
    name = "connects-by-name-at-import"

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [ConnectsByNameAtImport]
