"""Tools for plugin authors' own tests."""

from sensecf_bench.testing.local import Setting, local_setting

__all__ = ["Setting", "local_setting"]
