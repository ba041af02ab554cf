"""What is imported when, and which way imports run."""

import ast
import subprocess
import sys
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import sensecf_bench

ROOT = Path(sensecf_bench.__file__).parent
SINGLE_FILES = str(Path(__file__).parent / "single_file_plugins")
HEAVY = ("torch", "transformers", "xgboost", "sklearn", "dice_ml", "scipy", "matplotlib", "distributed")


def loaded_after(code):
    """Top-level packages in a fresh interpreter after some code."""
    probe = f"import sys\n{code}\nprint('\\n' + ' '.join(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def command(*arguments):
    return (
        f"import sys\nsys.argv = ['sensecf-bench', {', '.join(map(repr, arguments))}]\n"
        "from sensecf_bench.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code, done.code"
    )


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import sensecf_bench.cli.main", (*HEAVY, "pandas", "numpy")),
        (command("--help"), (*HEAVY, "pandas", "numpy")),
        (command("run", "--help"), (*HEAVY, "pandas", "numpy")),
        (command("--version"), (*HEAVY, "pandas", "numpy")),
        ("from sensecf_bench.registry import discover\nassert discover().names('generator')", HEAVY),
        (command("list", "plugins"), HEAVY),
        (command("list", "generators"), HEAVY),
        (command("list", "generators", "--plugins-dir", SINGLE_FILES), HEAVY),
        ("import sensecf_bench.contracts", (*HEAVY, "pandas")),
        ("from sensecf_bench import Generator, hookimpl", (*HEAVY, "pandas")),
    ],
    ids=[
        "main",
        "--help",
        "run --help",
        "--version",
        "discover",
        "list plugins",
        "list generators",
        "list --plugins-dir",
        "contracts",
        "names",
    ],
)
def test_nothing_heavy_is_loaded_to_answer_a_light_question(code, absent):
    assert not loaded_after(code) & set(absent)


def test_planning_loads_nothing_heavy():
    code = (
        "from sensecf_bench.registry import discover\nfrom sensecf_bench.engine.config import RunConfig\n"
        "from sensecf_bench.engine.plan import make_plan\nassert make_plan(RunConfig(), discover()).cells"
    )
    assert not loaded_after(code) & set(HEAVY)


def test_the_probe_sees_what_is_loaded():
    assert "sklearn" in loaded_after("import sklearn")


# -- which way imports run -------------------------------------------------------------------------------------------
LAYERS = [
    {"errors", "quiet", "leftovers", "constraints"},
    {"schema", "loading", "purse"},
    {"queries", "prompting"},
    {"admission", "judged", "contracts"},
    {"hookspecs"},
    {"discovery"},
    {"metrics", "datasets", "classifiers", "generators"},
    {"registry", "augmentation"},
    {"scaffold"},
    {"engine"},
    {"reports", "testing", "foreign"},
    {"api"},
    {"cli"},
    {"__main__"},
]
RANK = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}
EXCEPTIONS = {("contracts", "datasets")}  # Dataset.split offers the stratified split, imported when it is called


class Imports(ast.NodeVisitor):
    """Modules of sensecf_bench that a module imports, at its top or in a function, but not for type checkers only."""

    def __init__(self, module, is_package):
        self.parts = module.split(".")[: None if is_package else -1]
        self.found = set()

    def visit_If(self, node):
        if "TYPE_CHECKING" not in ast.unparse(node.test):
            self.generic_visit(node)
        else:
            for other in node.orelse:
                self.visit(other)

    def visit_Import(self, node):
        self.found |= {alias.name for alias in node.names}

    def visit_ImportFrom(self, node):
        parts = [] if not node.level else self.parts[: len(self.parts) - node.level + 1]
        base = ".".join([*parts, *([node.module] if node.module else [])])
        for alias in node.names:
            whole = f"{base}.{alias.name}"
            self.found.add(whole if whole in MODULES else base)


MODULES = {
    ".".join(("sensecf_bench", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
}


def imports_of(source, module="sensecf_bench.x", is_package=False):
    visitor = Imports(module, is_package)
    visitor.visit(ast.parse(source))
    return {name for name in visitor.found if name.partition(".")[0] == "sensecf_bench"}


ARROWS = {
    name: imports_of(path.read_text(encoding="utf-8"), name, path.name == "__init__.py")
    for name, path in MODULES.items()
}


def part_of(module):
    return module.split(".")[1] if "." in module else ""


def test_arrows_are_found_wherever_they_are_written():
    source = (
        "from __future__ import annotations\nimport os\nimport sensecf_bench.errors\nfrom sensecf_bench import schema\n"
        "from . import queries\nfrom .contracts import Task\nif TYPE_CHECKING:\n    from sensecf_bench import api\n"
        "def f():\n    from sensecf_bench.hookspecs import hookimpl\n"
    )
    assert imports_of(source) == {
        f"sensecf_bench.{name}" for name in ("errors", "schema", "queries", "contracts", "hookspecs")
    }
    assert sum(map(len, ARROWS.values())) > 100


def test_every_part_of_the_package_has_its_layer():
    assert {part_of(module) for module in MODULES} - {""} <= set(RANK)


def test_imports_between_parts_run_downwards_only():
    upwards = {
        (source, target)
        for source, targets in ARROWS.items()
        for target in targets
        if part_of(source)
        and part_of(target) not in ("", part_of(source))
        and (part_of(source), part_of(target)) not in EXCEPTIONS
        and RANK[part_of(target)] >= RANK[part_of(source)]
    }
    assert upwards == set()


def test_every_exception_is_still_needed():
    used = {(part_of(source), part_of(target)) for source, targets in ARROWS.items() for target in targets}
    assert used >= EXCEPTIONS


def test_no_module_imports_itself_in_a_circle():
    graph = defaultdict(set)
    for source, targets in ARROWS.items():
        graph[source] = {
            target
            for target in targets
            if target != source
            and target in MODULES
            and (part_of(source), part_of(target)) not in EXCEPTIONS
            and target != "sensecf_bench"
        }
    assert len(list(TopologicalSorter(graph).static_order())) >= len(MODULES) - 1


def test_prompting_rests_on_the_schema_alone():
    below = {
        part_of(target) for source, targets in ARROWS.items() if part_of(source) == "prompting" for target in targets
    }
    assert below <= {"prompting", "schema", "errors"}
