from pathlib import Path

import pytest

from sensecf_bench import api

PLUGINS = Path(__file__).parent / "single_file_plugins"


@pytest.fixture(scope="session")
def single_file_plugins():
    return PLUGINS


@pytest.fixture(scope="session")
def small_config():
    """The sentinels on one table and one classifier: the smallest run there is."""
    return api.RunConfig(
        datasets=("diabetes-progression",),
        classifiers=("svm",),
        generators=SENTINELS,
        queries=12,
        resamples=200,
        augmentation="off",
    )


@pytest.fixture(scope="session")
def small_run(tmp_path_factory, small_config):
    """A finished run that no test may alter; copy its folder to tamper with it."""
    return api.run(small_config, tmp_path_factory.mktemp("small") / "run")


SENTINELS = ("identity", "random-opposite", "nearest-opposite")
