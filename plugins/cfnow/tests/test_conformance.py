"""The three generators keep the contract of sensecf-bench."""

from sensecf_cfnow import CfnowFast, CfnowGreedy, CfnowRandom

from sensecf_bench.testing import parametrize_with_checks


@parametrize_with_checks([CfnowGreedy, CfnowRandom, CfnowFast])
def test_conformance(check):
    check()
