"""The four generators keep the contract of sensecf-bench."""

from sensecf_nice import Nice, NicePlausibility, NiceProximity, NiceSparsity

from sensecf_bench.testing import parametrize_with_checks


@parametrize_with_checks([Nice, NiceSparsity, NiceProximity, NicePlausibility])
def test_conformance(check):
    check()
