"""cfnow-fast: a search of our own with CFNOW's two phases and objective, for all queries of a batch at once."""

from sensecf_cfnow.fast.generator import CfnowFast

__all__ = ["CfnowFast"]
