"""What docs/plugins.md records of environments, repeated: the page of a repository that has this plugin in it."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "plugins.md"
if not PAGE.exists():
    pytest.skip("the plugin is tested outside its repository", allow_module_level=True)
sys.path.insert(0, str(ROOT / "tests"))

from recorded import Machine, blocks  # noqa: E402 it lies beside the tests of the core


def test_an_environment_of_its_own(tmp_path):
    machine = Machine(tmp_path)
    (plugin,) = [text for text in blocks(PAGE, "python") if 'name = "old-school"' in text]
    (machine.folder / "old_school.py").write_text(plugin)
    recording = blocks(PAGE, "console")[2]
    assert "plugin env create old-school" in recording
    assert machine.repeat(recording) == []
