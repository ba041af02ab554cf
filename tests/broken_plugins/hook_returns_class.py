from sensecf_bench import Generator, hookimpl


@hookimpl
def sensecf_generators():
    return Generator
