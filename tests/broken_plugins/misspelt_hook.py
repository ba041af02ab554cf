from sensecf_bench import hookimpl


@hookimpl
def sensecf_generator():
    return []
