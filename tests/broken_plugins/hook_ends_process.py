import os

from sensecf_bench import hookimpl


@hookimpl
def sensecf_generators():
    os._exit(3)
