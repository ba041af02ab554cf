"""`sensecf-bench plugin check` and `plugin new`, as a plugin's author meets them."""

import json
import os
import subprocess
import sys

import pytest
from command_line import typed

from sensecf_bench.registry import discover
from sensecf_bench.scaffold import write_project

BROKEN = "def sensecf_generators():\n    return []\n"
ONE_MISTAKE = '''
from sensecf_bench import Generator, hookimpl


class Mine(Generator):
    """Does nothing much"""

    name = "mine"

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [Mine]
'''


def plugin(*words, cwd=".", path=""):
    """In a process of its own; `typed` is cheaper where that makes no difference."""
    environment = {**os.environ, "PYTHONPATH": str(path)}
    command = [sys.executable, "-m", "sensecf_bench", "plugin", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120, env=environment)


# -- check --------------------------------------------------------------------------------------------------------------
def test_a_plugin_in_order(tmp_path):
    done = plugin("check", "nearest-opposite")
    assert done.returncode == 0, done.stdout + done.stderr
    first, *lines, summary = done.stdout.strip().splitlines()
    assert first == "generator nearest-opposite"
    assert summary == f"{len(lines)}/{len(lines)} checks ran, 0 skipped, 0 failed"
    assert len(lines) >= 24
    assert {line.split()[0] for line in lines} == {"ok"}


def test_an_expected_failure_is_told_with_its_reason():
    done = typed("plugin", "check", "identity", "--check", "finds-something")
    assert done.returncode == 0
    assert "expected failure  finds-something: it changes nothing" in done.stdout


def test_a_mistake_is_told_with_its_cure(tmp_path):
    (tmp_path / "mine.py").write_text(ONE_MISTAKE)
    done = typed("plugin", "check", "mine.py", "--check", "says-what-it-is", "--check", "fits", cwd=tmp_path)
    assert done.returncode == 1
    assert "FAILED            says-what-it-is: expected a first line that ends with a full stop" in done.stdout
    assert "fix: make the first line of the docstring one whole sentence" in done.stdout
    assert "ok                fits" in done.stdout
    assert "2/2 checks ran, 0 skipped, 1 failed" in done.stdout


def test_an_expected_failure_that_passes_is_a_failure(tmp_path):
    declared = '    name = "mine"\n    expected_failures = {"fits": "it never did"}\n'
    (tmp_path / "mine.py").write_text(ONE_MISTAKE.replace('    name = "mine"\n', declared))
    done = typed("plugin", "check", "mine.py", "--check", "fits", cwd=tmp_path)
    assert done.returncode == 1
    assert "FAILED            fits: it passes, but was expected to fail: it never did" in done.stdout


def test_what_needs_something_is_skipped_unless_it_is_allowed(tmp_path):
    needy = ONE_MISTAKE.replace('    name = "mine"\n', '    name = "mine"\n    needs = frozenset({"paid"})\n')
    (tmp_path / "mine.py").write_text(needy)
    done = typed("plugin", "check", "mine.py", "--check", "fits", cwd=tmp_path)
    assert (done.returncode, "skipped           fits: it needs paid" in done.stdout) == (0, True)
    assert "0/1 checks ran, 1 skipped" in done.stdout
    assert (
        "ok                fits"
        in typed("plugin", "check", "mine.py", "--check", "fits", "--allow", "paid", cwd=tmp_path).stdout
    )


def test_all_that_a_plugin_brings_as_json():
    done = typed("plugin", "check", "built-in metrics", "--check", "says-what-it-is", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert {(c["kind"], c["ran"], c["skipped"], c["bad"]) for c in found} == {("metric", 1, 0, 0)}
    assert {"validity", "distance"} <= {c["name"] for c in found}
    assert found[0]["checks"] == [{"check": "says-what-it-is", "status": "ok", "reason": "", "cure": ""}]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("nearest-oposite",), 2, "did you mean 'nearest-opposite'"),
        (("nowhere.py",), 1, "nowhere.py"),
        (("broken.py",), 1, "it implements no hook"),
        (("identity", "--check", "finds-nothing"), 2, "unknown check 'finds-nothing'; did you mean"),
    ],
)
def test_what_cannot_be_checked(words, code, message, tmp_path):
    (tmp_path / "broken.py").write_text(BROKEN)
    done = typed("plugin", "check", *words, cwd=tmp_path)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr


# -- new ----------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("new")
    done = plugin("new", "short-walk", "--into", folder)
    assert done.returncode == 0, done.stderr
    assert "sensecf-bench plugin check short-walk" in done.stdout
    return folder / "short-walk"


def test_a_new_project_is_whole(project):
    written = {str(path.relative_to(project)) for path in project.rglob("*") if path.is_file()}
    assert written == {
        "pyproject.toml", "README.md", "LICENSE", ".gitignore", ".github/workflows/ci.yml", "tests/test_conformance.py",
        "src/sensecf_short_walk/__init__.py", "src/sensecf_short_walk/generator.py", "src/sensecf_short_walk/py.typed",
    }  # fmt: skip
    for path in map(project.joinpath, written):
        assert "$" not in path.read_text().replace("${{ matrix.python }}", ""), path


def test_a_new_project_passes_every_check(project):
    done = plugin("check", "src/sensecf_short_walk/__init__.py", cwd=project, path=project / "src")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{31}/{31} checks ran, 0 skipped, 0 failed" in done.stdout


def test_a_new_project_passes_its_own_tests(project):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=project, timeout=120)
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout


def test_a_new_project_is_clean(project):
    for words in (("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)):
        pytest.importorskip(words[0])
        done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, cwd=project)
        assert done.returncode == 0, done.stdout + done.stderr


def test_whatever_it_is_called_a_new_project_is_clean(tmp_path):
    pytest.importorskip("ruff")
    for name in ("a", "generator", "none", "x-2-y", "as-long-a-name-as-any-generator-can-have"):
        write_project(name, tmp_path, discover())
    for words in (("check", "."), ("format", "--check", ".")):
        done = subprocess.run([sys.executable, "-m", "ruff", *words], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Short_Walk", "'Short_Walk' cannot be the name of a generator"),
        ("Short_Walk", "such as 'short-walk'"),
        ("9-lives", "a letter first"),
        ("../elsewhere", "cannot be the name"),
        ("nearest-opposite", "there is a generator 'nearest-opposite' already, of plugin built-in generators"),
        ("full", "is there and not empty"),
        ("file", "is a file"),
        ("x" * 41, "the name has 41 characters"),
    ],
)
def test_a_project_that_cannot_be_written(name, message, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("do not overwrite")
    (tmp_path / "file").write_text("")
    before = sorted(tmp_path.rglob("*"))
    done = typed("plugin", "new", name, "--into", tmp_path)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_templates_are_part_of_the_wheel(tmp_path):
    from pathlib import Path

    import sensecf_bench

    package = Path(sensecf_bench.__file__).parent
    templates = [p for p in (package / "templates").rglob("*") if p.is_file()]
    assert len(templates) == 9  # in an installed wheel, too
    if package.parent == Path(__file__).resolve().parents[1]:
        words = ["git", "check-ignore", *map(str, templates)]
        ignored = subprocess.run(words, capture_output=True, text=True, cwd=package)
        assert ignored.stdout == ""  # what git ignores, hatch leaves out
