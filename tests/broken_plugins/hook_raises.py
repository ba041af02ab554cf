from sensecf_bench import hookimpl


@hookimpl
def sensecf_generators():
    raise KeyError("boom")
