from pathlib import Path

import pytest

PLUGINS = Path(__file__).parent / "single_file_plugins"


@pytest.fixture(scope="session")
def single_file_plugins():
    return PLUGINS
