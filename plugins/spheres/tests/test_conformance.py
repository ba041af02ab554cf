"""Growing Spheres keeps the contract of sensecf-bench."""

from sensecf_spheres import GrowingSpheres

from sensecf_bench.testing import parametrize_with_checks


@parametrize_with_checks([GrowingSpheres])
def test_conformance(check):
    check()
