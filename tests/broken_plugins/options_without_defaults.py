from sensecf_bench import Generator, PluginOptions, hookimpl


class Demanding(Generator):
    name = "demanding"

    class Options(PluginOptions):
        width: int

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [Demanding]
