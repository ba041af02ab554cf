import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from command_line import bench


@pytest.fixture(scope="session", autouse=True)
def data_home(tmp_path_factory):
    """Environments are built where no user's are."""
    folder = tmp_path_factory.mktemp("data")
    before = os.environ.get("XDG_DATA_HOME")
    os.environ["XDG_DATA_HOME"] = str(folder)
    yield folder
    if before is None:
        del os.environ["XDG_DATA_HOME"]
    else:
        os.environ["XDG_DATA_HOME"] = before


@pytest.fixture(scope="session")
def python(data_home):
    """Built by the command that a user would type, after what he sees without it has been looked at."""
    before = bench("run", "--generators", "nice-reference", "--queries", "5", "--dry-run").stdout
    assert "skipped nice-reference: needs NICEx==0.2.3 (not installed)" in before
    assert "sensecf-bench plugin env create nice-reference" in before
    done = bench("plugin", "env", "create", "nice-reference")
    return done.stdout.strip()
