"""From a configuration to cells: names, options, who is left out, and what a cell's key depends on."""

import importlib.metadata
import re
from dataclasses import replace

import pytest

from sensecf_bench.engine.config import RunConfig
from sensecf_bench.engine.context import prepare_data
from sensecf_bench.engine.plan import make_plan
from sensecf_bench.errors import BenchError, ConfigError, UnknownNameError
from sensecf_bench.registry import ENTRY_POINTS, discover

PLUGIN = """
from sensecf_bench import Generator, PluginOptions, Unavailable, hookimpl


class Tunable(Generator):
    name = "tunable"
    preload = ("json", "csv")

    class Options(PluginOptions):
        width: int = 3
        mood: str = "calm"

    def generate(self, queries):
        return None


class Online(Generator):
    name = "online"
    needs = frozenset({"network"})
    lane = "io"

    def generate(self, queries):
        return None


class Bought(Online):
    name = "bought"
    needs = frozenset({"network", "paid"})


class Absent(Generator):
    name = "absent"

    def available(self):
        raise Unavailable("no engine under the bonnet", "install one")

    def generate(self, queries):
        return None


@hookimpl
def sensecf_generators():
    return [Tunable, Online, Bought, Absent]
"""
FINGERPRINT = "0" * 64


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "plan_plugin.py"
    path.write_text(PLUGIN, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def registry(plugin):
    installed = [entry.name for entry in importlib.metadata.entry_points(group=ENTRY_POINTS)]
    return discover([plugin], blocked=installed)


def config(**changes):
    small = {"generators": ("tunable",), "datasets": ("breast-cancer",), "classifiers": ("random-forest",)}
    return RunConfig(**{**small, "augmentation": "off", **changes})


def only_cell(registry, **changes):
    (cell,) = make_plan(config(**changes), registry).cells
    return cell


# -- what is planned -------------------------------------------------------------------------------------------------
def test_all_means_every_generator_that_is_available_and_names_the_rest(registry):
    plan = make_plan(config(generators=("all",)), registry)
    assert [c.generator.name for c in plan.cells] == ["identity", "nearest-opposite", "random-opposite", "tunable"]
    skipped = {s.generator: (s.reason, s.fix) for s in plan.skipped}
    assert skipped.pop("bought")[0] == "needs network, paid"
    assert skipped == {
        "absent": ("no engine under the bonnet", "install one"),
        "online": ("needs network", "add --allow network"),
    }


def test_following_the_fix_of_a_skipped_generator_brings_it_in(registry):
    (skipped,) = make_plan(config(generators=("bought",)), registry).skipped
    allowed = tuple(re.search(r"--allow (\S+)", skipped.fix).group(1).split(","))
    assert make_plan(config(generators=("bought",), allow=allowed), registry).skipped == ()


def test_what_is_allowed_is_planned(registry):
    plan = make_plan(config(generators=("online", "bought"), allow=("network",)), registry)
    assert [c.generator.name for c in plan.cells] == ["online"]
    assert [(s.generator, s.reason) for s in plan.skipped] == [("bought", "needs paid")]
    plan = make_plan(config(generators=("online", "bought"), allow=("network", "paid")), registry)
    assert [c.generator.name for c in plan.cells] == ["online", "bought"]


def test_a_generator_asked_for_by_name_is_skipped_for_the_same_reasons(registry):
    plan = make_plan(config(generators=("absent", "tunable")), registry)
    assert [c.generator.name for c in plan.cells] == ["tunable"]
    assert [(s.generator, s.fix) for s in plan.skipped] == [("absent", "install one")]


def test_broken_plugins_are_named_beside_all(tmp_path, registry):
    broken = tmp_path / "broken.py"
    broken.write_text("import a_module_that_nobody_has_written\n", encoding="utf-8")
    installed = [entry.name for entry in importlib.metadata.entry_points(group=ENTRY_POINTS)]
    plan = make_plan(config(generators=("all",)), discover([broken], blocked=installed))
    assert [(s.generator, "a_module_that_nobody_has_written" in s.reason) for s in plan.skipped] == [
        (str(broken), True)
    ]


def test_there_is_a_cell_for_every_combination(registry):
    plan = make_plan(
        config(
            generators=("identity", "tunable"),
            datasets=("breast-cancer", "diabetes-progression"),
            classifiers=("svm", "mlp"),
            seeds=(0, 3, 5),
        ),
        registry,
    )
    assert len(plan.cells) == 24
    assert len({c.title for c in plan.cells}) == len({c.name for c in plan.cells}) == 24
    assert len({c.key(c.context.dataset.name) for c in plan.cells}) == 24
    assert len(plan.contexts) == 12
    assert [c.name for c in plan.panel] == ["mlp", "random-forest", "svm", "xgboost"]


def test_metrics_are_all_or_those_named(registry):
    assert [m.name for m in make_plan(config(), registry).metrics] == registry.names("metric")
    assert [m.name for m in make_plan(config(metrics=("validity",)), registry).metrics] == ["validity"]


def test_modules_to_preload_are_those_of_the_planned_generators_once(registry):
    assert make_plan(config(generators=("identity",)), registry).preload == ()
    assert make_plan(config(seeds=(0, 1)), registry).preload == ("json", "csv")


def test_shards_are_larger_for_who_gains_by_it_and_as_asked_for_where_somebody_asks(registry):
    def sizes(**more):
        names = ("tunable", "online", "nearest-opposite")
        planned = make_plan(config(generators=names, allow=("network",), queries=80, **more), registry)
        return {c.generator.name: c.shard_size for c in planned.cells}

    assert sizes() == {"tunable": 16, "online": 80, "nearest-opposite": 64}
    assert set(sizes(shard_size=8).values()) == {8}


def test_a_component_makes_itself_with_its_options(registry):
    cell = only_cell(registry, options={"tunable": {"width": 5}})
    generator = cell.generator.make()
    assert (generator.name, generator.options.width, generator.options.mood) == ("tunable", 5, "calm")
    assert cell.generator_class.name == "tunable"
    assert cell.context.make_classifier().name == "random-forest"
    assert cell.context.make_dataset().name == "breast-cancer"


# -- refusals --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"generators": ("identiti",)}, UnknownNameError, "unknown generator 'identiti'; did you mean 'identity'?"),
        ({"datasets": ("breastcancer",)}, UnknownNameError, "unknown dataset 'breastcancer'; did you mean 'breast-can"),
        ({"classifiers": ("random-forrest",)}, UnknownNameError, "'random-forrest'; did you mean 'random-forest'"),
        ({"metrics": ("validty",)}, UnknownNameError, "unknown metric 'validty'; did you mean 'validity'"),
        ({"generators": ("qqqq",)}, UnknownNameError, "unknown generator 'qqqq'; known: absent, bought, identity"),
        ({"options": {"tunible": {"width": 1}}}, UnknownNameError, "in options 'tunible'; did you mean 'tunable' "),
        ({"options": {"nobody-*": {"width": 1}}}, UnknownNameError, "unknown component in options 'nobody-*'"),
        ({"options": {"tunable": {"widht": 1}}}, ConfigError, "generator 'tunable': unknown option 'widht'; did you "),
        (
            {"options": {"tunable": {"width": "wide"}}},
            ConfigError,
            "generator 'tunable': width: Input should be a vali",
        ),
        ({"options": {"random-forest": {"tree": 5}}}, ConfigError, "classifier 'random-forest': unknown option 'tree'"),
        ({"options": {"identity": {"x": 1}}, "generators": ("identity",)}, ConfigError, "unknown option 'x'; known: n"),
        ({"datasets": ("table",)}, ConfigError, "dataset 'table' needs an argument"),
        ({"datasets": ("breast-cancer:x",)}, ConfigError, "dataset 'breast-cancer' takes no argument (got 'x')"),
        ({"datasets": ("breast-cancer:",)}, ConfigError, "dataset 'breast-cancer' takes no argument (got '')"),
        ({"datasets": ("tabel:x.yaml",)}, UnknownNameError, "unknown dataset 'tabel'; did you mean 'table'"),
    ],
)
def test_what_cannot_be_planned_is_refused_with_the_nearest_name(registry, changes, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make_plan(config(**changes), registry)


def test_a_name_that_a_broken_plugin_may_have_brought_says_so(tmp_path):
    broken = tmp_path / "half_done.py"
    broken.write_text("1 / 0\n", encoding="utf-8")
    with pytest.raises(UnknownNameError) as caught:
        make_plan(config(generators=("promised",)), discover([broken]))
    assert str(broken) in caught.value.fix


# -- datasets with an argument ---------------------------------------------------------------------------------------
def test_the_argument_of_a_dataset_is_a_file_made_absolute(registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cell = only_cell(registry, datasets=("table:mine.yaml",))
    assert cell.context.dataset.options["schema_file"] == str(tmp_path / "mine.yaml")
    by_option = only_cell(registry, datasets=("table",), options={"table": {"schema_file": str(tmp_path / "a.yaml")}})
    assert by_option.context.dataset.options["schema_file"] == str(tmp_path / "a.yaml")


def test_planning_reads_no_data(registry, tmp_path):
    make_plan(config(datasets=(f"table:{tmp_path / 'not-there.yaml'}",)), registry)


def test_two_tables_are_two_datasets(registry, tmp_path):
    plan = make_plan(config(datasets=(f"table:{tmp_path}/a.yaml", f"table:{tmp_path}/b.yaml")), registry)
    assert len({c.name for c in plan.cells}) == len(plan.contexts) == 2


# -- keys ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "change",
    [
        {"options": {"tunable": {"width": 4}}},
        {"options": {"random-forest": {"trees": 50}}},
        {"seeds": (1,)},
        {"k": 2},
        {"queries": 99},
        {"timeout": 31.0},
        {"cell_timeout": 901.0},
        {"shard_size": 15},
        {"classifiers": ("svm",)},
        {"generators": ("identity",)},
    ],
)
def test_the_key_changes_with_everything_that_can_change_an_answer(registry, change):
    assert only_cell(registry, **change).key(FINGERPRINT) != only_cell(registry).key(FINGERPRINT)


@pytest.mark.parametrize(
    "change",
    [
        {"jobs": 3},
        {"metrics": ("validity",)},
        {"resamples": 500},
        {"allow": ("network",)},
        {"options": {"tunable": {"width": 3}}},
        {"options": {"svm": {"C": 9.0}}},
        {"queries": 100},
    ],
)
def test_the_key_does_not_change_with_what_cannot_change_an_answer(registry, change):
    assert only_cell(registry, **change).key(FINGERPRINT) == only_cell(registry).key(FINGERPRINT)


def test_the_key_knows_the_data_and_not_what_else_is_in_the_run(registry):
    cell = only_cell(registry)
    assert cell.key("1" * 64) != cell.key(FINGERPRINT)
    many = make_plan(config(generators=("all",), seeds=(0, 1)), registry)
    assert cell.key(FINGERPRINT) in {c.key(FINGERPRINT) for c in many.cells}


def test_the_key_knows_the_libraries(registry):
    cell = only_cell(registry)
    assert cell.libraries["numpy"] == importlib.metadata.version("numpy")
    other = replace(cell, libraries={**cell.libraries, "numpy": "0.0.1"})
    assert other.key(FINGERPRINT) != cell.key(FINGERPRINT)
    assert other.name == cell.name


def test_the_key_knows_the_content_of_a_plugin_file_and_not_its_place(tmp_path):
    def key(folder, source):
        path = tmp_path / folder / "mine.py"
        path.parent.mkdir()
        path.write_text(source, encoding="utf-8")
        return only_cell(discover([path])).key(FINGERPRINT)

    here = key("here", PLUGIN)
    assert key("there", PLUGIN) == here
    assert key("edited", PLUGIN + "\n# edited\n") != here


def test_the_data_fingerprint_changes_with_rows_labels_and_split(registry):
    data = prepare_data(registry.dataset("diabetes-progression")(), seed=0)
    again = prepare_data(registry.dataset("diabetes-progression")(), seed=0)
    assert data.fingerprint == again.fingerprint
    matrix, labels = data.matrix.copy(), data.labels.copy()
    matrix[0, 2] += 0.1
    labels[0] = 1 - labels[0]
    different = {
        data.fingerprint,
        replace(data, matrix=matrix).fingerprint,
        replace(data, labels=labels).fingerprint,
        replace(data, train=data.test, test=data.train).fingerprint,
        replace(data, ids=("someone else", *data.ids[1:])).fingerprint,
        replace(data, schema=data.table.schema).fingerprint,
        prepare_data(registry.dataset("diabetes-progression")(), seed=1).fingerprint,
    }
    assert len(different) == 7


@pytest.mark.parametrize("change", [{"undesired": 0}, {"classes": ("mild", "severe")}])
def test_the_data_fingerprint_changes_with_what_is_asked_for(registry, change):
    data = prepare_data(registry.dataset("diabetes-progression")(), seed=0)
    assert replace(data, table=replace(data.table, **change)).fingerprint != data.fingerprint


@pytest.mark.parametrize("kind", ["generators", "metrics"])
def test_a_misspelt_name_beside_all_is_refused(registry, kind):
    with pytest.raises(UnknownNameError):
        make_plan(config(**{kind: ("all", "misspelt")}), registry)


FAULTY = """
from sensecf_bench import Generator, PluginOptions, hookimpl


class Faulty(Generator):
    name = "faulty"
{body}

@hookimpl
def sensecf_generators():
    return [Faulty]
"""


@pytest.mark.parametrize(
    "body",
    [
        "    pass\n",
        "    def available(self):\n        raise OSError('no such device')\n\n    def generate(self, queries): ...\n",
        "    def __init__(self, options):\n        raise ValueError('bad')\n\n    def generate(self, queries): ...\n",
        "    needs = ['network']\n\n    def generate(self, queries): ...\n",
        "    class Options(PluginOptions):\n        key: str\n\n    def generate(self, queries): ...\n",
    ],
    ids=["abstract", "available raises", "constructor raises", "needs is a list", "option without default"],
)
def test_a_faulty_generator_does_not_cost_the_others_their_run(tmp_path, body):
    path = tmp_path / "faulty_plan_plugin.py"
    path.write_text(FAULTY.format(body=body), encoding="utf-8")
    installed = [entry.name for entry in importlib.metadata.entry_points(group=ENTRY_POINTS)]
    plan = make_plan(config(generators=("all",)), discover([path], blocked=installed))
    assert [c.generator.name for c in plan.cells] == ["identity", "nearest-opposite", "random-opposite"]
    assert "faulty" in " ".join(s.generator for s in plan.skipped)


def test_a_folder_name_is_safe_and_tells_what_is_in_it(registry):
    cell = only_cell(registry)
    key = cell.key(FINGERPRINT)
    assert cell.folder(key) == f"breast-cancer--random-forest--tunable--seed0--{key[:12]}"
    odd = replace(cell, generator=replace(cell.generator, name="../über/me"))
    assert re.fullmatch(r"[A-Za-z0-9@._-]+", odd.folder(key))
    assert "/" not in odd.folder(key)


def test_no_refusal_is_without_an_exit_code():
    assert {cls.exit_code for cls in (BenchError, ConfigError, UnknownNameError)} == {2}
