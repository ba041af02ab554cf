"""The page on augmentation says what the code says: every setting, grid, control, status and command."""

import re
import shlex
from pathlib import Path
from typing import get_args

import pytest
import yaml

from sensecf_bench.augmentation.controls import CONTROLS
from sensecf_bench.augmentation.lift import NOTHING
from sensecf_bench.engine.assessments import Status
from sensecf_bench.engine.config import PRESETS, AugmentationConfig, RunConfig, build_config, parse_settings
from sensecf_bench.reports.curves import file_name

PAGE = (Path(__file__).parent.parent / "docs" / "augmentation.md").read_text()
SETTINGS = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", PAGE, re.MULTILINE))
((COMMANDS,), (FILE,)) = (re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) for language in ("sh", "yaml"))
LINES = COMMANDS.strip().splitlines()


def test_every_setting_is_there_with_its_default():
    fields = AugmentationConfig.model_fields
    assert set(SETTINGS) == set(fields)
    for name, said in SETTINGS.items():
        if said.startswith("`"):
            assert yaml.safe_load(said.strip("`")) == fields[name].default, name


@pytest.mark.parametrize("line", LINES)
def test_every_command_is_understood(line):
    words = shlex.split(line, comments=True)
    assert words[:2] == ["sensecf-bench", "run"]
    flags = list(zip(words[2::2], words[3::2], strict=True))
    settings = parse_settings([value for flag, value in flags if flag == "--set"]).get("augmentation", {})
    settings["grid"] = dict(flags).get("--augmentation", "quick")
    assert {flag for flag, _ in flags} <= {"--set", "--augmentation"}
    assert AugmentationConfig.model_validate(settings)


def test_the_grids_are_as_written():
    quick, full = (AugmentationConfig.model_validate(grid) for grid in ("quick", "full"))
    assert RunConfig().augmentation == quick
    assert (quick.scenarios, quick.reductions, quick.seeds) == (("A",), (0.5,), (0, 1, 2))
    assert "quick: scenario A at 50 %, seeds 0, 1, 2; part of every run" in LINES[0]
    assert (full.scenarios, full.seeds) == (("A", "B", "C"), (0, 1, 2, 3, 4))
    assert (min(full.reductions), max(full.reductions)) == (0.1, 0.7)
    assert "scenarios A, B, C at 10 to 70 %, seeds 0 to 4" in LINES[1]
    assert PRESETS["quick"]["augmentation"] == "off"
    assert PRESETS["paper"]["augmentation"] == "full"


def test_the_file_is_a_configuration(tmp_path):
    (tmp_path / "run.yaml").write_text(FILE)
    config = build_config({}, tmp_path / "run.yaml").augmentation
    assert config.grid == "full"
    assert config.levels == tuple((s, r) for s in "AC" for r in (0.2, 0.4, 0.6))


@pytest.mark.parametrize("control", [NOTHING, *CONTROLS])
def test_every_control_is_explained(control):
    assert f"\n- `{control}`: " in PAGE


@pytest.mark.parametrize("status", get_args(Status))
def test_every_status_but_the_ordinary_one_is_explained(status):
    assert status == "ok" or f"*{status}*" in PAGE


def test_the_files_of_curves_are_called_as_it_says():
    assert f"`{file_name('<dataset>', '<scenario>')}`" in PAGE
