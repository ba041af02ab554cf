"""docs/plugins.md does what it says: every recording is repeated, every block of code is run."""

import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from recorded import Machine, agrees, blocks, steps

from sensecf_bench.engine.config import RunConfig

PAGE = Path(__file__).parent.parent / "docs" / "plugins.md"
PLUGINS = {
    re.search(r'name(?:, .*)? = "([\w-]+)"', text).group(1): text
    for text in blocks(PAGE, "python")
    if "@hookimpl" in text and "sensecf_cell_finished" not in text
}
WALK, ONE_FILE, _ = blocks(PAGE, "console")  # the third is repeated by the tests of the plugin nice-reference
(OBSERVER,) = [text for text in blocks(PAGE, "python") if "sensecf_cell_finished" in text]
(COMMANDS,) = [text for text in blocks(PAGE, "python") if "typer.Typer" in text]
ENTRY_POINT, COMMAND_ENTRY_POINT = blocks(PAGE, "toml")
(OWN_TESTS,) = [text for text in blocks(PAGE, "python") if "def test_" in text]


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A machine on which the first recording has been repeated."""
    machine = Machine(tmp_path_factory.mktemp("machine"))
    machine.otherwise = machine.repeat(WALK)
    for name, text in PLUGINS.items():
        (machine.folder / f"{name.replace('-', '_')}.py").write_text(text)
    return machine


def test_no_block_of_the_page_is_left_out():
    known = ["from sensecf_bench import hookimpl\n", OBSERVER, OWN_TESTS, COMMANDS, *PLUGINS.values()]
    assert sorted(blocks(PAGE, "python")) == sorted(known)
    assert {language for language, _ in re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(), re.DOTALL)} == {
        "console",
        "python",
        "sh",
        "toml",
        "yaml",
    }


def test_a_recording_agrees_with_itself_and_with_nothing_else():
    (step,) = steps("$ say hello\nhello …, it is … o'clock\n")
    assert step.command == "say hello"
    assert agrees(step.said, "hello world, it is 5 o'clock\n")
    assert not agrees(step.said, "hello world, it is 5 o'clock.\n")
    assert not agrees(step.said, "hello, it is 5 o'clock\n")
    assert agrees("done   one\ndone   two (… s)\nend\n", "done   two (1 s)\ndone   one\nend\n")
    assert not agrees("done   one\ndone   two\n", "done   two\ndone   two\n")
    (open_ended,) = steps("$ say more\nhello\n…\n")
    assert agrees(open_ended.said, "hello\n") and agrees(open_ended.said, "hello\nworld\n")
    assert not agrees(open_ended.said, "well, hello\n")


def test_from_nothing_to_a_row_on_the_leaderboard(machine):
    assert machine.otherwise == []


def test_one_file_is_enough(machine):
    assert machine.repeat(ONE_FILE) == []


@pytest.mark.parametrize("name", sorted(set(PLUGINS) - {"median-step", "old-school"}))
def test_every_plugin_on_the_page_passes_its_checks(machine, name):
    said = machine.type(f"sensecf-bench plugin check {name.replace('-', '_')}.py")
    assert re.search(r"\d checks ran, [0-2] skipped, 0 failed", said), (
        said
    )  # some speak of shares, gradients or weights only


def test_the_tests_on_the_page_pass(machine):
    (machine.folder / "test_page.py").write_text(OWN_TESTS)
    said = machine.type("python -m pytest -q -p no:cacheprovider test_page.py")
    assert re.search(r"^3[0-9] passed", said, re.MULTILINE) or ("[100%]" in said and "failed" not in said), said


def test_the_observer_observes(machine):
    (machine.folder / "observer.py").write_text(OBSERVER)
    settings = "--generators identity --classifiers svm --datasets diabetes-progression --queries 5 --augmentation off"
    said = machine.type(f"sensecf-bench run --plugin observer.py {settings} --out runs/observed")
    assert "1 cells done" in said
    assert (machine.folder / "finished.txt").read_text().startswith("identity: {'FOUND': 5")


def test_the_configuration_is_one():
    (text,) = blocks(PAGE, "yaml")
    config = RunConfig.model_validate(yaml.safe_load(text))
    assert config.plugins_dir == Path("my_plugins")


def test_the_entry_point_is_the_generated_project_s(machine):
    own = tomllib.loads((machine.folder / "straight-line" / "pyproject.toml").read_text())
    assert own["project"]["entry-points"] == tomllib.loads(ENTRY_POINT)["project"]["entry-points"]


def test_the_commands_on_the_page_are_brought(machine):
    project = machine.folder / "straight-line"
    with (project / "pyproject.toml").open("a") as file:
        file.write(f"\n{COMMAND_ENTRY_POINT}")
    (project / "src" / "sensecf_straight_line" / "commands.py").write_text(COMMANDS)
    machine.type("pip install -q -e straight-line")
    (machine.folder / "kept").mkdir()
    (machine.folder / "kept" / "file").write_text("four")
    assert "Brought by sensecf-bench-straight-line 0.1.0." in machine.type("sensecf-bench --help")
    assert machine.type("sensecf-bench kept size kept") == "4 bytes\n"
    assert "error: there is no folder nowhere\n  fix: name the cache" in machine.type("sensecf-bench kept size nowhere")


def test_the_commands_for_the_committed_leaderboards_exist(machine):
    (text,) = blocks(PAGE, "sh")
    for line in text.splitlines():
        words = line.split()
        shown = machine.type(" ".join([*words[: 2 if words[1] == "run" else 3], "--help"]))
        assert [flag for flag in words if flag.startswith("--") and flag not in shown] == []


def test_what_is_found_stands_in_the_machine_readable_list(machine):
    found = json.loads(machine.type("sensecf-bench list plugins --json 2>/dev/null"))
    (mine,) = [entry for entry in found if entry["name"] == "straight-line"]
    assert mine["provides"] == ["generator straight-line"]
    assert mine["status"] == "ok"
