"""Datasets whose rows may not be shown, or that do not say whether they may."""

from sensecf_bench import hookimpl
from sensecf_bench.datasets.clinical import BreastCancer


class Closed(BreastCancer):
    """A table that nobody may pass on."""

    name = "closed"

    def restricted(self):
        return "the licence | says <no>"


class Doubtful(BreastCancer):
    """A table that cannot say whether it may be passed on."""

    name = "doubtful"

    def restricted(self):
        raise FileNotFoundError("patient-17.txt")


@hookimpl
def sensecf_datasets():
    return [Closed, Doubtful]
