from sensecf_bench import Generator, hookimpl


class MillionRows(Generator):
    name = "million-rows"

    def generate(self, queries):
        frame = queries.frame.reset_index()
        return frame.loc[frame.index.repeat(1_000_000)]


@hookimpl
def sensecf_generators():
    return [MillionRows]
