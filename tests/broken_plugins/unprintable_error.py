class Shy(Exception):  # noqa: N818
    def __str__(self):
        raise ValueError


raise Shy
