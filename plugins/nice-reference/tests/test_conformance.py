"""The contract of sensecf-bench, kept by a process under another interpreter."""

import re

from command_line import bench


def test_conformance(python):
    said = bench("plugin", "check", "nice-reference", "--python", python).stdout
    assert re.search(r"28/31 checks ran, 3 skipped, 0 failed", said), said
    assert said.count("expected failure") == 2  # what NICEx cannot know: immutable features, directions, bounds
