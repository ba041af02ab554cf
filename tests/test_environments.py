"""Generators under another interpreter: found, described, refused with a cure, and answering as at home."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from sensecf_bench import api
from sensecf_bench.engine import environments
from sensecf_bench.engine.building import Recipe, build, requirements_of
from sensecf_bench.engine.config import RunConfig, build_config, parse_environments
from sensecf_bench.engine.environments import environment_for, home, inspect, is_ready, unmet
from sensecf_bench.errors import ConfigError, EnvironmentBuildError, NothingRan, Unavailable, UnknownNameError
from sensecf_bench.generators import NearestOpposite
from sensecf_bench.registry import discover

PLUGINS = Path(__file__).parent / "single_file_plugins"
FOREIGN = PLUGINS / "foreign.py"


def make_bare(folder, *libraries):
    """An environment that borrows a few of the libraries here, and has neither pydantic nor pluggy."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (target,) = folder.glob("lib/python*/site-packages")
    here = Path(sysconfig.get_paths()["purelib"])
    for name in libraries:
        for found in (
            *here.glob(name),
            *here.glob(f"{name}.py"),
            *here.glob(f"{name}.libs"),
            *here.glob(f"{name}-*-info"),
        ):
            (target / found.name).symlink_to(found)
    return folder / "bin" / "python"


@pytest.fixture(scope="session")
def bare(tmp_path_factory):
    return make_bare(tmp_path_factory.mktemp("bare") / "env", "numpy", "pandas", "dateutil", "python_dateutil", "six")


@pytest.fixture
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data" / "sensecf-bench" / "environments"


def config(**settings):
    basis = {"datasets": ("diabetes-progression",), "classifiers": ("random-forest",), "queries": 8, "jobs": 1}
    return RunConfig(**{**basis, "plugins": (FOREIGN,), "augmentation": "off", **settings})


def answers(run, generator):
    found = run.counterfactuals
    return found[found["cf_generator"] == generator].drop(columns="cf_generator").reset_index(drop=True)


@pytest.fixture(scope="module")
def side_by_side(bare, tmp_path_factory):
    names = ("at-home", "abroad", "tells-where-it-is", "not-there")
    chosen = dict.fromkeys(names[1:], bare)
    settings = config(
        generators=names, environments=chosen, options={"abroad": {"shift": 0.25}, "at-home": {"shift": 0.25}}
    )
    return api.run(settings, tmp_path_factory.mktemp("run") / "run")


# -- answering -------------------------------------------------------------------------------------------------------
def test_an_interpreter_without_pydantic_and_pluggy_gives_the_same_answers(side_by_side):
    home_made, foreign = answers(side_by_side, "at-home"), answers(side_by_side, "abroad")
    assert len(home_made) == 8
    assert home_made.equals(foreign)


def test_predictions_are_counted_alike(side_by_side):
    calls = side_by_side.queries.groupby("cf_generator")[["cf_calls", "cf_rows"]].sum()
    assert calls.loc["abroad"].equals(calls.loc["at-home"])
    assert calls.loc["abroad", "cf_calls"] > 0


def test_it_runs_with_the_libraries_of_its_environment_alone(side_by_side, bare):
    (row,) = [r for r in side_by_side.document["rows"] if r["generator"] == "tells-where-it-is"]
    folder = side_by_side.folder / "cells" / row["cell"]
    (log,) = folder.glob("output-*.log")
    said = json.loads(log.read_text().splitlines()[-1])
    assert said["executable"] == str(bare)
    assert said["has"] == {"pydantic": False, "pluggy": False, "sklearn": False, "numpy": True}
    assert said["path_leads_here"] is False


def test_what_its_environment_is_stands_in_its_record(side_by_side, bare):
    (row,) = [r for r in side_by_side.document["rows"] if r["generator"] == "abroad"]
    environment = inspect(str(bare))
    assert row["versions"]["numpy"] == environment.installed["numpy"]
    assert row["versions"]["python"] == environment.version
    assert len(row["versions"]["environment"]) == 16
    page = (side_by_side.folder / "leaderboard.md").read_text()
    assert f"abroad ran in an environment of its own: Python {environment.version}; numpy " in page
    assert f"--env abroad={bare.name}" in page
    assert str(bare) not in page
    (home_made,) = [r for r in side_by_side.document["rows"] if r["generator"] == "at-home"]
    assert "environment" not in home_made["versions"]


def test_an_environment_is_asked_whether_its_generator_is_available(side_by_side):
    (row,) = [r for r in side_by_side.document["rows"] if r["generator"] == "not-there"]
    assert row["status"] == "failed"
    assert "no such weights" in row["reason"]


def test_what_is_said_abroad_arrives_as_what_is_said_at_home(bare, tmp_path):
    said = {}
    for place, chosen in (("home", {}), ("abroad", {"outspoken": bare})):
        settings = config(
            generators=("outspoken",),
            datasets=("breast-cancer",),
            plugins=(PLUGINS / "outspoken.py",),
            environments=chosen,
        )
        said[place] = answers(api.run(settings, tmp_path / place), "outspoken")
    assert said["abroad"].equals(said["home"])
    assert (said["home"]["cf_rationale"] != "").all()


def test_a_crash_and_a_hang_cost_a_query_each(bare, tmp_path):
    names = ("abroad", "crashes-abroad", "hangs-abroad")
    first = answers(api.run(config(generators=names[:1], environments={"abroad": bare}), tmp_path / "first"), "abroad")
    victim = first["query_id"].iloc[0]
    settings = config(
        generators=names,
        environments=dict.fromkeys(names, bare),
        options={"*-abroad": {"victim": victim}},
        timeout=2.0,
    )
    run = api.run(settings, tmp_path / "run")
    outcomes = run.queries.set_index(["cf_generator", "query_id"])["cf_outcome"]
    assert outcomes["crashes-abroad", victim] == "ERROR"
    assert outcomes["hangs-abroad", victim] == "TIMEOUT"
    for name in names[1:]:
        others = answers(run, name)
        assert others.equals(first[first["query_id"] != victim].reset_index(drop=True))


def test_an_environment_that_cannot_hold_the_contracts_says_why(tmp_path):
    empty = make_bare(tmp_path / "env")
    with pytest.raises(NothingRan, match="lacks numpy \\(not installed\\), pandas \\(not installed\\)"):
        api.run(config(generators=("abroad",), environments={"abroad": empty}), tmp_path / "run")


def test_an_environment_that_breaks_after_it_was_inspected_fails_its_cell_with_the_reason(tmp_path):
    python = make_bare(tmp_path / "env", "numpy", "pandas", "dateutil", "python_dateutil", "six")
    inspect(str(python))
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    (site / "numpy").unlink()
    run = api.run(config(generators=("abroad",), environments={"abroad": python}), tmp_path / "run")
    assert run.document["rows"][0]["status"] == "failed"
    assert "its environment cannot run the contracts: ModuleNotFoundError" in run.document["rows"][0]["reason"]


def test_a_changed_environment_is_another_cell(bare, tmp_path, monkeypatch):
    settings = config(generators=("abroad",), environments={"abroad": bare})
    first, _ = api.plan(settings)
    other = make_bare(tmp_path / "env", "numpy", "pandas", "dateutil", "python_dateutil", "six", "yaml", "PyYAML")
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    info = site / "extra-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: extra\nVersion: 1.0\n")
    second, _ = api.plan(config(generators=("abroad",), environments={"abroad": other}))
    assert first.cells[0].key("data") != second.cells[0].key("data")
    moved, _ = api.plan(settings.model_copy(update={"environments": {"abroad": Path(str(bare))}}))
    assert first.cells[0].key("data") == moved.cells[0].key("data")


# -- choosing --------------------------------------------------------------------------------------------------------
def test_unmet_requirements_say_what_is_there_instead():
    versions = {"pandas": "3.1.1", "numpy": "2.4.6"}
    assert unmet(("pandas<2", "numpy>=2", "NICEx==0.2.3"), versions.get) == [
        "pandas<2 (3.1.1 is installed)",
        "NICEx==0.2.3 (not installed)",
    ]
    assert unmet(("nothing; python_version < '3'",), versions.get) == []


class Picky(NearestOpposite):
    name = "picky"
    requirements = ("pandas<2",)


def test_a_generator_whose_requirements_are_not_met_is_unavailable_with_the_cure(own_home):
    with pytest.raises(Unavailable, match=r"needs pandas<2 \(.* is installed\)") as caught:
        environment_for(Picky, None)
    assert caught.value.fix.endswith("sensecf-bench plugin env create picky")


def test_a_generator_whose_requirements_are_met_runs_here(own_home):
    assert environment_for(NearestOpposite, None) is None
    easy = type("Easy", (Picky,), {"requirements": ("pandas>=1",)})
    assert environment_for(easy, None) is None


def test_a_chosen_environment_must_meet_the_requirements_too(bare):
    with pytest.raises(Unavailable, match="lacks pandas<2") as caught:
        environment_for(Picky, bare)
    assert caught.value.fix == f"{bare} -m pip install 'pandas<2'"


@pytest.mark.parametrize(
    ("python", "words"),
    [
        ("absent/python", "is no interpreter"),
        ("/bin/false", "cannot be used as a Python"),
        ("/bin/echo", "cannot be used"),
    ],
)
def test_what_is_no_python_is_refused_before_anything_runs(python, words):
    with pytest.raises(ConfigError, match=words):
        api.plan(config(generators=("abroad",), environments={"abroad": python}))


def test_a_python_that_is_too_old_is_refused(tmp_path):
    old = tmp_path / "python"
    old.write_text('#!/bin/sh\necho \'{"python": "3.6.15", "installed": {}, "supported": false}\'\n')
    old.chmod(0o755)
    with pytest.raises(ConfigError, match=r"is Python 3\.6\.15") as caught:
        inspect(str(old))
    assert caught.value.fix == "use Python 3.9 or later"


def test_an_environment_for_nobody_is_a_mistake(bare):
    with pytest.raises(UnknownNameError, match="did you mean 'abroad'"):
        api.plan(config(environments={"aboard": bare}))


def test_settings_from_file_and_flags_are_joined(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("environments: {one: a/python, two: b/python}\n")
    joined = build_config({"environments": parse_environments(["two=c/python"])}, file)
    assert joined.environments == {"one": Path("a/python"), "two": Path("c/python")}


@pytest.mark.parametrize("item", ["abroad", "=python", "abroad="])
def test_a_setting_that_cannot_be_read_is_explained(item):
    with pytest.raises(ConfigError, match="GENERATOR=PATH_TO_PYTHON"):
        parse_environments([item])


# -- building --------------------------------------------------------------------------------------------------------
def test_a_built_environment_is_used_from_then_on(own_home, bare, monkeypatch):
    monkeypatch.setattr(Picky, "requirements", ("extra==1.0",))
    folder = home("picky")
    assert folder == own_home / "picky"
    shutil.copytree(bare.parent.parent, folder, symlinks=True)
    with pytest.raises(Unavailable, match="needs extra"):
        environment_for(Picky, None)  # it was never finished
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "extra-1.0.dist-info").mkdir()
    (site / "extra-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: extra\nVersion: 1.0\n")
    (folder / environments.READY).write_text("{}")
    inspect.cache_clear()
    assert environment_for(Picky, None).python == str(folder / "bin" / "python")


def test_a_failed_build_says_what_pip_said_and_leaves_nothing_usable(own_home):
    offline = {"PIP_NO_INDEX": "1"}
    recipe = Recipe("picky", ("no-such-library==1",))
    with pytest.MonkeyPatch.context() as patch, pytest.raises(EnvironmentBuildError, match="no-such-library") as caught:
        for name, value in offline.items():
            patch.setenv(name, value)
        build(recipe)
    assert "pip failed" in caught.value.message
    assert not is_ready("picky")


def test_a_python_that_is_not_there_cannot_build(own_home):
    with pytest.raises(EnvironmentBuildError, match="No such file") as caught:
        build(Recipe("picky", (), python="/no/such/python"))
    assert "--python" in caught.value.fix


def test_requirements_are_the_generators_or_its_distributions():
    registry = discover([FOREIGN])
    assert requirements_of(registry.get("generator", "abroad")) == ()
    assert requirements_of(registry.get("generator", "nearest-opposite")) == ()


@pytest.mark.slow
@pytest.mark.parametrize("version", ["3.9", "3.10", "3.12", "3.13"])
def test_other_pythons_give_the_same_answers(version, own_home, tmp_path):
    """Needs the interpreter and an index to install numpy and pandas from."""
    python = os.environ.get(f"PYTHON{version.replace('.', '_')}") or f"python{version}"
    if shutil.which(python) is None or subprocess.run([python, "-V"], capture_output=True, check=False).returncode:
        pytest.skip(f"there is no python{version} here; set PYTHON{version.replace('.', '_')} to the path of one")
    environment = build(Recipe("abroad", (), python=python))
    assert environment.version.startswith(version)
    names = ("abroad", "raises-abroad")
    settings = config(generators=("at-home", *names), environments=dict.fromkeys(names, environment.python))
    run = api.run(settings, tmp_path / "run")
    assert set(run.queries.set_index("cf_generator").loc["raises-abroad", "cf_reason"]) == {"raised"}
    assert len(answers(run, "abroad")) == 8
    assert answers(run, "abroad").equals(answers(run, "at-home"))
