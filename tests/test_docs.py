"""The docs say what the code says: every hook, metric, command and example."""

import importlib.util
import inspect
import re
from pathlib import Path

import pytest
import yaml
from command_line import typed

from sensecf_bench import hookspecs
from sensecf_bench.datasets.table import TableFile
from sensecf_bench.engine.config import DEFAULT_QUERIES, PRESETS, RunConfig
from sensecf_bench.queries import Outcome
from sensecf_bench.registry import discover
from sensecf_bench.reports.sentinels import EXPECTED
from sensecf_bench.testing import local_setting

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)


def blocks(page, language):
    return [text for found, text in BLOCK.findall((ROOT / page).read_text()) if found == language]


@pytest.mark.parametrize("page", ["metrics", "checks"])
def test_a_generated_page_is_up_to_date(page):
    spec = importlib.util.spec_from_file_location(f"make_{page}", ROOT / "docs" / f"make_{page}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / f"{page}.md").read_text() == module.page()


@pytest.mark.parametrize("hook", [name for name in vars(hookspecs) if name.startswith("sensecf_")])
def test_every_hook_is_documented_with_its_signature(hook):
    signature = str(inspect.signature(getattr(hookspecs, hook))).replace("'", "")
    assert f"`{hook}{signature}`" in (ROOT / "docs" / "plugins.md").read_text()


@pytest.mark.parametrize("hook", [name for name in vars(hookspecs) if name.startswith("sensecf_")])
def test_every_hook_has_a_test_that_implements_it(hook):
    """In a plugin that a test runs, at the start of a line: a mention in a comment or in a list does not count."""
    implemented = re.compile(rf"^def {hook}\(", re.MULTILINE)
    assert [path.name for path in (ROOT / "tests").rglob("*.py") if implemented.search(path.read_text())]


def test_the_generator_in_the_readme_runs_and_is_admitted(tmp_path):
    (source,) = blocks("README.md", "python")
    plugin = tmp_path / "median_row.py"
    plugin.write_text(source)
    registry = discover([plugin])
    for dataset in ("breast-cancer", "diabetes-progression"):
        setting = local_setting(dataset, "xgboost")
        generator = setting.fit(registry.generator("median-row")())
        answers = setting.admit(generator.generate(setting.queries))
        assert len(answers.owner) == len(setting.queries)
        if dataset == "breast-cancer":
            assert set(map(str, answers.reasons)) == {""}


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_explained(outcome):
    assert f"| {outcome.value} | " in (ROOT / "docs" / "results.md").read_text()


def test_the_presets_in_the_readme_are_the_presets():
    text = (ROOT / "README.md").read_text().replace("\n", " ")
    assert "`quick` explains `random-forest` with 20 queries under seed 0" in text
    assert "`paper` asks 200 queries a cell under seeds 0 to 4" in text
    assert PRESETS == {
        "quick": {"classifiers": ["random-forest"], "queries": 20, "seeds": [0], "augmentation": "off"},
        "paper": {"queries": 200, "seeds": [0, 1, 2, 3, 4], "augmentation": "full"},
    }
    assert DEFAULT_QUERIES == 100


@pytest.mark.parametrize("sentinel", EXPECTED)
def test_what_sentinels_must_score_stands_in_the_readme(sentinel):
    scores = ", ".join(f"{metric} {value:g}" for metric, value in EXPECTED[sentinel].items())
    (line,) = [x for x in (ROOT / "README.md").read_text().splitlines() if x.startswith(f"| `{sentinel}` |")]
    assert line.endswith(f"| {scores} |")


def test_links_lead_somewhere():
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_metric_in_the_docs_runs(tmp_path, small_config):
    from sensecf_bench import api

    source = next(text for text in blocks("docs/plugins.md", "python") if "LargestStep" in text)
    plugin = tmp_path / "largest_step.py"
    plugin.write_text(source)
    config = small_config.model_copy(update={"plugins": (plugin,), "metrics": ("largest-step", "distance")})
    values = {r["generator"]: r["metrics"] for r in api.run(config, tmp_path / "run").document["rows"]}
    assert values["identity"]["largest-step"]["value"] == 0
    assert values["nearest-opposite"]["largest-step"]["value"] > values["nearest-opposite"]["distance"]["value"]


def test_the_configuration_in_the_docs_is_valid():
    (text,) = blocks("docs/results.md", "yaml")
    assert RunConfig.model_validate(yaml.safe_load(text)).seeds == (0, 1, 2)


def test_the_table_schema_in_the_docs_is_valid():
    (text,) = blocks("docs/datasets.md", "yaml")
    assert {f.kind for f in TableFile.model_validate(yaml.safe_load(text)).features} == {
        "continuous", "integer", "binary", "ordinal", "categorical"
    }  # fmt: skip


def test_every_command_in_the_readme_exists(monkeypatch):
    for name, value in WIDE.items():
        monkeypatch.setenv(name, value)
    (text,) = [t for t in blocks("README.md", "sh") if "leaderboard build" in t]
    for line in text.strip().splitlines():
        words = line.split("#")[0].split()
        depth = 3 if words[1:3] == ["data", "aireadi"] else 2 if words[1] in ("leaderboard", "data") else 1
        flags = [w for w in words if w.startswith("--")]
        shown = typed(*words[1 : 1 + depth], "--help")
        assert shown.returncode == 0, line
        for flag in flags:
            assert flag in shown.stdout, line


WIDE = {"COLUMNS": "200", "TERM": "dumb"}
