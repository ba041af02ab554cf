from sensecf_bench import Generator, hookimpl


class Exiting(Generator):
    name = "available-exits"

    def available(self):
        print("good bye")
        raise SystemExit(3)

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [Exiting]
