"""Discovery: what is not usable is reported with its reason, and costs the others nothing."""

import importlib.metadata
import subprocess
import sys
import textwrap
from itertools import count
from types import SimpleNamespace

import pytest

from sensecf_bench import leftovers
from sensecf_bench.discovery import rehearsal
from sensecf_bench.discovery.sources import Source
from sensecf_bench.discovery.verdicts import verdict_of
from sensecf_bench.errors import ConfigError, PluginError, UnknownNameError
from sensecf_bench.loading import find_class, load_file
from sensecf_bench.registry import BUILT_IN, ENTRY_POINTS, HOOKS, discover

GOOD = """
from sensecf_bench import Generator, hookimpl


class Mine(Generator):
    "Gives nothing back."

    name = "mine"

    class Options(Generator.Options):
        width: int = 3

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [Mine]
"""
HEAD = "from sensecf_bench import Generator, Metric, Unavailable, hookimpl\n\n"
METRIC = (
    "from sensecf_bench import MeanMetric, hookimpl\n\n"
    "class Mine(MeanMetric):\n    name, direction, unit = 'mine', 'lower', ''\n    def values(self, judged): ...\n\n"
    "@hookimpl\ndef sensecf_metrics():\n    return [Mine]\n"
)
BUILT_IN_NAMES = {
    "generator": ["identity", "nearest-opposite", "random-opposite"],
    "classifier": ["mlp", "random-forest", "svm", "xgboost"],
    "dataset": ["aireadi", "aireadi-synthetic", "breast-cancer", "diabetes-progression", "heart-disease", "table"],
}
numbers = count()


@pytest.fixture
def written(tmp_path):
    def write(source, name=None):
        path = tmp_path / f"{name or f'plugin_{next(numbers)}'}.py"
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        return path

    return write


def found(files=(), blocked=()):
    """Discovery without the plugins that happen to be installed."""
    installed = [entry.name for entry in importlib.metadata.entry_points(group=ENTRY_POINTS)]
    return discover(files, [*installed, *blocked])


def report_of(registry, name):
    (report,) = [r for r in registry.reports if r.name == str(name)]
    return report


def assert_built_in_is_usable(registry):
    for kind, names in BUILT_IN_NAMES.items():
        assert set(names) <= set(registry.names(kind))
    assert registry.names("metric")
    assert all(report_of(registry, name).status == "ok" for name in BUILT_IN)


# -- what is there ---------------------------------------------------------------------------------------------------
def test_the_built_in_plugins_are_found_through_the_same_hooks():
    registry = found()
    assert_built_in_is_usable(registry)
    assert {kind: registry.names(kind) for kind in BUILT_IN_NAMES} == BUILT_IN_NAMES
    report = report_of(registry, "built-in generators")
    assert report.provides == ("generator identity", "generator random-opposite", "generator nearest-opposite")
    assert (report.distribution, report.version) == ("sensecf-bench", importlib.metadata.version("sensecf-bench"))


def test_installed_plugins_are_all_reported():
    registry = discover()
    reported = {r.name for r in registry.reports}
    assert reported == set(BUILT_IN) | {e.name for e in importlib.metadata.entry_points(group=ENTRY_POINTS)}


def test_a_single_file_plugin_is_found(written):
    path = written(GOOD)
    registry = found([path])
    assert_built_in_is_usable(registry)
    assert report_of(registry, path).status == "ok"
    assert report_of(registry, path).provides == ("generator mine",)
    assert registry.generator("mine").name == "mine"
    assert registry.get("generator", "mine").plugin == str(path)


def test_one_file_may_bring_several_kinds(written):
    path = written(
        """
        from sensecf_bench import Classifier, Generator, hookimpl

        class G(Generator):
            name = "both"

            def generate(self, queries): ...

        class C(Classifier):
            name = "both"

            def fit(self, schema, rows, labels, seed): ...

            def predict_proba(self, rows): ...

        @hookimpl
        def sensecf_generators():
            return (G,)

        @hookimpl
        def sensecf_classifiers():
            return [C]
        """
    )
    registry = found([path])
    assert report_of(registry, path).provides == ("generator both", "classifier both")
    assert registry.generator("both").__name__ == "G"
    assert registry.classifier("both").__name__ == "C"


# -- what is broken --------------------------------------------------------------------------------------------------
BROKEN = {
    "import error": ("from json import nothing\n", "ImportError: cannot import name 'nothing'"),
    "syntax error": ("def broken(:\n", "SyntaxError"),
    "raises at import": ("raise RuntimeError('boom')\n", "RuntimeError: boom"),
    "exits at import": ("raise SystemExit(3)\n", "SystemExit: 3"),
    "exits by sys": ("import sys\nsys.exit('bye')\n", "SystemExit: bye"),
    "hook raises": (HEAD + "@hookimpl\ndef sensecf_generators():\n    raise KeyError('boom')\n", "KeyError: 'boom'"),
    "hook exits": (HEAD + "@hookimpl\ndef sensecf_generators():\n    raise SystemExit(1)\n", "SystemExit: 1"),
    "misspelt hook": (HEAD + "@hookimpl\ndef sensecf_generator():\n    return []\n", "no such hook: sensecf_generator"),
    "no hook": ("x = 1\n", "it implements no hook"),
    "unmarked hook": ("def sensecf_generators():\n    return []\n", "it implements no hook"),
    "empty": ("", "it implements no hook"),
    "hook returns None": (HEAD + "@hookimpl\ndef sensecf_generators():\n    pass\n", "returned NoneType"),
    "hook returns a class": (HEAD + "@hookimpl\ndef sensecf_generators():\n    return Generator\n", "returned ABCMeta"),
    "not a generator": (HEAD + "@hookimpl\ndef sensecf_generators():\n    return [dict]\n", "is no Generator class"),
    "another kind": (HEAD + "@hookimpl\ndef sensecf_generators():\n    return [Metric]\n", "is no Generator class"),
    "an instance": (HEAD + "@hookimpl\ndef sensecf_generators():\n    return [3]\n", "3, which is no Generator class"),
    "no name": (
        HEAD + "class A(Generator):\n    pass\n\n@hookimpl\ndef sensecf_generators():\n    return [A]\n",
        "A has no name",
    ),
    "a name that is no text": (
        HEAD + "class A(Generator):\n    name = 3\n\n@hookimpl\ndef sensecf_generators():\n    return [A]\n",
        "A has no name",
    ),
    "abstract generator": (
        HEAD + "class A(Generator):\n    name = 'a'\n\n@hookimpl\ndef sensecf_generators():\n    return [A]\n",
        "A lacks `generate`",
    ),
    "option without default": (GOOD.replace("width: int = 3", "width: int"), "its options have no defaults: width: F"),
    "options of another kind": (GOOD.replace("class Options(Generator.Options)", "class Options"), "no PluginOptions"),
    "options that are no JSON": (
        GOOD.replace("width: int = 3", "width: object = object()"),
        "its options cannot be written as JSON",
    ),
    "metric without direction": (METRIC.replace("direction", "way"), "Mine: direction is None"),
    "metric of another direction": (METRIC.replace("'lower'", "'down'"), "Mine: direction is 'down'"),
    "metric without unit": (METRIC.replace("unit", "measure"), "Mine: unit is None"),
    "abstract metric": (METRIC.replace("def values", "def valuse"), "Mine lacks `values`"),
    "hook with an argument": (
        HEAD + "@hookimpl\ndef sensecf_generators(task):\n    return []\n",
        "hook sensecf_generators asks for `task`, but is given nothing",
    ),
    "hook with another argument": (
        HEAD + "@hookimpl\ndef sensecf_run_finished(document): ...\n",
        "hook sensecf_run_finished asks for `document`, but is given `summary`",
    ),
    "hook with a default": (
        HEAD + "@hookimpl\ndef sensecf_generators(task=None):\n    return []\n",
        "hook sensecf_generators has a default value for `task`, which pluggy then never passes",
    ),
    "interrupt": ("raise KeyboardInterrupt\n", "KeyboardInterrupt"),
}


@pytest.mark.parametrize(("source", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_named_with_its_reason_and_the_rest_stays_usable(written, source, reason):
    path, good = written(source), written(GOOD)
    registry = found([path, good])
    report = report_of(registry, path)
    assert report.status == "broken"
    assert reason in report.reason
    assert report.fix or "is no" in reason
    assert report.provides == ()
    assert report_of(registry, good).status == "ok"
    assert "mine" in registry.names("generator")
    assert_built_in_is_usable(registry)


def test_a_plugin_that_is_partly_right_brings_nothing(written):
    path = written(GOOD + "\n\n@hookimpl\ndef sensecf_metrics():\n    return ['validity']\n")
    registry = found([path])
    assert report_of(registry, path).status == "broken"
    assert "mine" not in registry.names("generator")


OBSERVER = "\n\n@hookimpl\ndef sensecf_cell_started(cell):\n    raise AssertionError('told though broken')\n"


@pytest.mark.parametrize("fault", ["hook raises", "misspelt hook", "hook with an argument"])
def test_a_broken_plugin_is_not_told_of_runs(written, fault):
    registry = found([written(BROKEN[fault][0] + OBSERVER)])
    assert registry.manager.hook.sensecf_cell_started(cell={}) == []


def test_a_sound_plugin_is_told_of_runs(written):
    source = HEAD + "@hookimpl\ndef sensecf_run_finished(summary):\n    summary.append('told')\n"
    path = written(source)
    registry = found([path])
    assert report_of(registry, path).status == "ok"
    heard = []
    registry.manager.hook.sensecf_run_finished(summary=heard)
    assert heard == ["told"]


def test_a_plugin_that_bows_out_at_import_is_unavailable_with_its_fix(written):
    path = written(HEAD + "raise Unavailable('no GPU here', 'use a machine with one')\n")
    registry = found([path])
    report = report_of(registry, path)
    assert (report.status, report.reason, report.fix) == ("unavailable", "no GPU here", "use a machine with one")
    assert_built_in_is_usable(registry)


def test_an_interrupt_while_loading_is_not_swallowed(written, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(rehearsal._Audience, "_next", interrupted)
    before = leftovers.children()
    with pytest.raises(KeyboardInterrupt):
        found([written(GOOD)])
    assert leftovers.children() == before


def test_a_plugin_that_was_repaired_loads_at_the_next_discovery(written):
    path = written("raise RuntimeError('not yet')\n")
    assert report_of(found([path]), path).status == "broken"
    path.write_text(GOOD, encoding="utf-8")
    assert report_of(found([path]), path).status == "ok"


@pytest.mark.parametrize("name", ["absent.py", "notes.txt", "."])
def test_a_file_that_is_no_plugin_is_broken(tmp_path, name):
    (tmp_path / "notes.txt").write_text(GOOD, encoding="utf-8")
    path = tmp_path / name
    report = report_of(found([path]), path)
    assert report.status == "broken"
    assert "is not a Python file that can be read" in report.reason
    assert report.fix == "give the path of a .py file"


# -- collisions and blocking -----------------------------------------------------------------------------------------
def test_a_name_that_two_plugins_bring_is_refused_to_both_and_both_are_named(written):
    one, other = written(GOOD), written(GOOD)
    registry = found([one, other])
    assert "mine" not in registry.names("generator")
    for path in (one, other):
        report = report_of(registry, path)
        assert report.status == "broken"
        assert str(one) in report.reason
        assert str(other) in report.reason
        assert "generator 'mine' is claimed by" in report.reason
        assert report.fix == "rename or block one of them"
    assert_built_in_is_usable(registry)


def test_blocking_one_of_two_rivals_gives_the_name_to_the_other(written):
    one, other = written(GOOD), written(GOOD)
    registry = found([one, other], [str(one)])
    assert report_of(registry, one).status == "blocked"
    assert registry.get("generator", "mine").plugin == str(other)


def test_a_stranger_cannot_take_the_place_of_a_sentinel(written):
    path = written(GOOD.replace('"mine"', '"identity"'))
    registry = found([path])
    assert "identity" not in registry.names("generator")
    for name in (path, "built-in generators"):
        reason = report_of(registry, name).reason
        assert str(path) in reason
        assert "built-in generators" in reason
    assert {"nearest-opposite", "random-opposite"} <= set(registry.names("generator"))
    with pytest.raises(UnknownNameError) as caught:
        registry.generator("identity")
    assert caught.value.message == f"generator 'identity' is claimed by built-in generators and {path}"
    assert caught.value.fix == "rename or block one of them"


def test_one_name_for_two_kinds_is_no_collision(written):
    path = written(GOOD.replace('"mine"', '"svm"'))
    registry = found([path])
    assert report_of(registry, path).status == "ok"
    assert "svm" in registry.names("generator")
    assert "svm" in registry.names("classifier")


def test_a_blocked_plugin_is_not_even_imported(written, tmp_path):
    path = written(f"open({str(tmp_path / 'trace')!r}, 'w').close()\n" + GOOD)
    registry = found([path], [str(path)])
    assert report_of(registry, path).status == "blocked"
    assert "mine" not in registry.names("generator")
    assert not (tmp_path / "trace").exists()


def test_a_built_in_plugin_can_be_blocked_too():
    registry = found(blocked=["built-in datasets"])
    assert registry.names("dataset") == []
    assert report_of(registry, "built-in datasets").reason == "blocked by configuration"


def test_the_metric_that_the_broken_ones_are_made_from_is_sound(written):
    assert "mine" in found([written(METRIC)]).names("metric")


# -- what the user named one by one ----------------------------------------------------------------------------------
@pytest.mark.parametrize("fault", ["syntax error", "raises at import", "misspelt hook"])
def test_a_broken_file_that_was_named_is_a_mistake(written, fault):
    source, reason = BROKEN[fault]
    path = written(source)
    with pytest.raises(PluginError) as caught:
        found([path, written(GOOD)]).refuse_mistakes()
    assert f"plugin file {path} is broken: " in caught.value.message
    assert reason in caught.value.message
    assert caught.value.fix
    assert caught.value.exit_code == 2


def test_an_absent_file_that_was_named_is_a_mistake(tmp_path):
    with pytest.raises(PluginError, match=r"nope\.py is broken: .* is not a Python file") as caught:
        found([tmp_path / "nope.py"]).refuse_mistakes()
    assert caught.value.fix == "give the path of a .py file"


def test_blocking_what_is_no_plugin_is_a_mistake():
    with pytest.raises(UnknownNameError, match="unknown plugin 'built-in metric'; did you mean 'built-in metrics'"):
        found(blocked=["built-in metric"]).refuse_mistakes()


def test_what_is_sound_blocked_or_bows_out_is_no_mistake(written):
    broken, absent = written("1 / 0\n"), written(HEAD + "raise Unavailable('no GPU', 'buy one')\n")
    found([written(GOOD), broken, absent], [str(broken), "built-in datasets"]).refuse_mistakes()


def test_a_file_named_twice_is_one_plugin(written):
    path = written(GOOD)
    registry = found([path, path])
    registry.refuse_mistakes()
    assert "mine" in registry.names("generator")


# -- a folder of files -----------------------------------------------------------------------------------------------
def test_every_file_of_a_folder_is_a_plugin_by_name_and_a_broken_one_is_no_mistake(tmp_path):
    for name in ("b", "a", "_private", ".hidden"):
        (tmp_path / f"{name}.py").write_text(GOOD.replace('"mine"', f'"mine-{name.strip("_.")}"'), encoding="utf-8")
    (tmp_path / "c.py").write_text("1 / 0\n", encoding="utf-8")
    (tmp_path / "notes.txt").write_text("", encoding="utf-8")
    installed = [entry.name for entry in importlib.metadata.entry_points(group=ENTRY_POINTS)]
    registry = discover(blocked=installed, folder=tmp_path)
    registry.refuse_mistakes()
    reported = [(r.name, r.status) for r in registry.reports if r.distribution == "file"]
    assert reported == [(str(tmp_path / f"{n}.py"), s) for n, s in (("a", "ok"), ("b", "ok"), ("c", "broken"))]
    strict = discover([tmp_path / "c.py"], installed, tmp_path)
    with pytest.raises(PluginError, match=r"c\.py is broken: ZeroDivisionError"):
        strict.refuse_mistakes()
    assert len(strict.reports) == len(registry.reports)


def test_a_plugins_folder_that_is_none_is_a_mistake(tmp_path, written):
    with pytest.raises(ConfigError, match=r"plugins folder .*nowhere does not exist"):
        discover(folder=tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="is no folder") as caught:
        discover(folder=(file := written(GOOD)))
    assert caught.value.fix == f"name a single file with --plugin {file}"


# -- what is not installed -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("module", "requires", "fix"),
    [
        ("torch_nobody_has", ["torch-nobody-has>=2; extra == 'llm'", "numpy"], "pip install 'thing[llm]'"),
        ("torch_nobody_has.nn", ['Torch.Nobody_Has (>=2) ; python_version > "3" and extra == "llm"'], "pip install 'thing[llm]'"),
        ("torch_nobody_has", ["torch-nobody-has<3,>=2"], "pip install 'torch-nobody-has<3,>=2'"),
        ("torch_nobody_has", ["torch"], "pip install torch_nobody_has"),
        ("skimage", [], "pip install scikit-image"),
    ],
)  # fmt: skip
def test_a_module_that_is_not_installed_makes_unavailable_with_what_to_install(module, requires, fix):
    dist = SimpleNamespace(requires=requires, read_text=lambda _: None)
    source = Source("x", lambda: None, "thing", "1", module="thing.plugin", dist=dist)
    error = ModuleNotFoundError(f"No module named {module!r}", name=module)
    verdict = verdict_of(error, source)
    assert (verdict.status, verdict.reason, verdict.fix) == (
        "unavailable", f"needs the module {module}, which is not installed", fix,
    )  # fmt: skip


@pytest.mark.parametrize("module", ["thing.other", "thing", "_thing_core", "sensecf_bench.gone", None])
def test_a_module_of_its_own_that_is_missing_is_a_fault(module):
    dist = SimpleNamespace(requires=[], read_text=lambda _: "thing\n_thing_core\n")
    source = Source("x", lambda: None, "thing", "1", module="thing.plugin", dist=dist)
    verdict = verdict_of(ModuleNotFoundError("No module named so", name=module), source)
    assert (verdict.status, verdict.reason) == ("broken", "ModuleNotFoundError: No module named so")


def test_a_file_that_lies_beside_a_plugin_is_not_to_be_installed(written):
    written("x = 1\n", "a_neighbour_of_mine")
    path = written("import a_neighbour_of_mine\n")
    assert report_of(found([path]), path).status == "broken"


# -- looking up ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", HOOKS.values())
def test_an_unknown_name_is_refused_with_the_nearest(kind):
    registry = found()
    known = registry.names(kind)[0]
    with pytest.raises(UnknownNameError, match=f"unknown {kind} '{known}x'; did you mean '{known}'"):
        registry.get(kind, f"{known}x")


def test_a_name_that_is_missing_tells_which_plugins_were_left_out(written):
    blocked, broken = written(GOOD), written("1 / 0\n")
    with pytest.raises(UnknownNameError) as caught:
        found([blocked, broken], [str(blocked)]).generator("mine")
    assert f"{blocked} is blocked" in caught.value.fix
    assert f"{broken} is broken" in caught.value.fix


def test_a_class_is_found_again_from_where_it_is(written):
    registry = found([written(GOOD)])
    for kind in HOOKS.values():
        for name in registry.names(kind):
            registered = registry.get(kind, name)
            assert find_class(registered.where) is registered.cls
    assert registry.get("generator", "identity").where == ("", "sensecf_bench.generators", "Identity")


def test_a_class_of_a_file_is_found_again_in_another_process(written):
    path = written(GOOD)
    where = found([path]).get("generator", "mine").where
    code = (
        "from sensecf_bench.loading import find_class\n"
        f"cls = find_class({where!r})\n"
        "print(cls.name, cls().options.width, find_class(%r) is cls)" % (where,)
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=path.parent)
    assert done.stdout.split() == ["mine", "3", "True"]


def test_classes_within_classes_are_found_by_their_qualified_name(written):
    path = written(GOOD)
    assert find_class((str(path), "", "Mine.Options")).__name__ == "Options"


def test_two_files_of_one_name_in_two_folders_are_two_plugins(tmp_path):
    paths = []
    for folder in ("a", "b"):
        path = tmp_path / folder / "same_name_of_two.py"
        path.parent.mkdir()
        path.write_text(GOOD.replace('"mine"', f'"mine-{folder}"'), encoding="utf-8")
        paths.append(path)
    registry = found(paths)
    assert {"mine-a", "mine-b"} <= set(registry.names("generator"))
    for name in ("mine-a", "mine-b"):
        assert find_class(registry.get("generator", name).where).name == name


def test_loading_a_file_twice_gives_one_module_and_a_failed_load_leaves_none(written):
    path = written(GOOD)
    assert load_file(path) is load_file(path)
    broken = written("raise RuntimeError('boom')\n")
    with pytest.raises(RuntimeError):
        load_file(broken)
    assert not [name for name, module in sys.modules.items() if getattr(module, "__file__", None) == str(broken)]
    with pytest.raises(PluginError):
        load_file(path.with_name("absent.py"))
