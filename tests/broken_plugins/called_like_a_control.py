from sensecf_bench import Generator, hookimpl


class Smote(Generator):
    name = "smote"

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [Smote]
