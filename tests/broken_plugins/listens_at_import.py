import socket

from sensecf_bench import Generator, hookimpl

socket.create_server(("", 8765))


class ListensAtImport(Generator):
    name = "listens-at-import"

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [ListensAtImport]
