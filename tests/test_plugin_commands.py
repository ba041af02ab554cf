"""Command groups that plugins bring: announced without being imported, and a broken one harms nobody."""

import subprocess
import sys

import pytest

APP = '''"""What has been kept."""
import sys
import typer
from sensecf_bench import Unavailable

sys.stderr.write("imported\\n")
app = typer.Typer(help="Look after what was kept.", no_args_is_help=True)


@app.command("list")
def list_(much: int = 1) -> None:
    """List it."""
    typer.echo("kept " * much)
    if much > 2:
        raise Unavailable("that is too much", "ask for less")
'''
ALONE = "import typer\napp = typer.Typer()\n\n@app.command()\ndef only() -> None:\n    typer.echo('the only one')\n"


@pytest.fixture
def bench(tmp_path):
    """Installs packages that bring commands, and types commands where they are installed."""

    class Bench:
        def install(self, package, source, commands):
            module = package.replace("-", "_")
            (tmp_path / f"{module}.py").write_text(source)
            info = tmp_path / f"{module}-1.2.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
            points = "".join(f"{name} = {module}:app\n" for name in commands)
            (info / "entry_points.txt").write_text(f"[sensecf_bench.commands]\n{points}")

        def type(self, *words):
            return subprocess.run(
                [sys.executable, "-m", "sensecf_bench", *words],
                capture_output=True,
                text=True,
                env={"PYTHONPATH": str(tmp_path), "COLUMNS": "120", "NO_COLOR": "1", "PATH": ""},
            )

    return Bench()


def test_a_group_is_announced_without_being_imported(bench):
    bench.install("keeper", APP, ["kept"])
    done = bench.type("--help")
    assert done.returncode == 0
    assert "kept" in done.stdout
    assert "Brought by keeper 1.2." in done.stdout
    assert "imported" not in done.stderr


def test_its_commands_run_with_their_options(bench):
    bench.install("keeper", APP, ["kept"])
    done = bench.type("kept", "list", "--much", "2")
    assert (done.returncode, done.stdout) == (0, "kept kept \n")


def test_its_own_help_is_its_own(bench):
    bench.install("keeper", APP, ["kept"])
    done = bench.type("kept", "--help")
    assert done.returncode == 0
    assert "Look after what was kept." in done.stdout
    assert "Usage: sensecf-bench kept" in done.stdout or "Usage: python -m sensecf_bench kept" in done.stdout
    assert "List it." in done.stdout


def test_its_errors_are_shown_as_ours_are(bench):
    bench.install("keeper", APP, ["kept"])
    done = bench.type("kept", "list", "--much", "3")
    assert done.returncode == 2
    assert "error: that is too much\n  fix: ask for less\n" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_group_of_one_command_is_a_group_all_the_same(bench):
    bench.install("keeper", ALONE, ["kept"])
    assert bench.type("kept", "only").stdout == "the only one\n"


def test_commands_of_ours_import_no_plugin_and_cannot_be_replaced(bench):
    bench.install("keeper", APP, ["list", "run", "kept"])
    done = bench.type("list", "metrics")
    assert done.returncode == 0
    assert "validity" in done.stdout
    assert "imported" not in done.stderr
    assert bench.type("--help").stdout.count("Brought by") == 1


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_library\n", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("raise SystemExit(0)\n", "SystemExit: 0"),
        ("app = 3\n", "TypeError: keeper:app is a int, not a typer.Typer"),
        ("def app(:\n", "SyntaxError"),
        ("other = 3\n", "AttributeError"),
    ],
)
def test_a_broken_group_is_named_and_the_rest_stays_usable(bench, source, reason):
    bench.install("keeper", source, ["kept"])
    done = bench.type("kept", "list")
    assert done.returncode == 2
    assert f"error: the command 'kept' of keeper 1.2 is broken: {reason}" in done.stderr
    assert "fix: " in done.stderr
    assert "Traceback" not in done.stderr
    assert bench.type("--help").returncode == 0
    assert bench.type("list", "metrics").returncode == 0


def test_a_name_that_two_packages_claim_is_refused_to_both(bench):
    bench.install("keeper", APP, ["kept"])
    bench.install("other-keeper", APP, ["kept"])
    done = bench.type("kept", "list")
    assert done.returncode == 2
    assert "command 'kept' is claimed by keeper 1.2 and other-keeper 1.2" in done.stderr
    assert "imported" not in done.stderr
    assert "Brought by keeper 1.2 and other-keeper 1.2." in bench.type("--help").stdout


def test_an_unknown_command_stays_unknown(bench):
    bench.install("keeper", APP, ["kept"])
    done = bench.type("keep")
    assert done.returncode == 2
    assert "No such command 'keep'" in done.stderr
    assert "imported" not in done.stderr
