"""What a run is asked to do: where each value comes from, and what is refused with which words."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sensecf_bench.engine.config import DEFAULT_QUERIES, PRESETS, RunConfig, build_config, parse_settings
from sensecf_bench.errors import ConfigError, UnknownNameError


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "run.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
        return path

    return write


# -- where values come from ------------------------------------------------------------------------------------------
def test_defaults_when_nothing_is_asked_for():
    assert build_config({}) == RunConfig()
    assert build_config({}).asked == DEFAULT_QUERIES
    assert build_config({}).datasets == ("aireadi-synthetic", "breast-cancer", "diabetes-progression")


def test_flags_win_over_the_file_and_the_file_over_the_preset(written):
    preset = build_config({}, preset="quick")
    assert (preset.queries, preset.seeds, preset.classifiers, preset.k) == (20, (0,), ("random-forest",), 1)
    file = written({"queries": 33, "seeds": [4, 5], "k": 2})
    with_file = build_config({}, file, "quick")
    assert (with_file.queries, with_file.seeds, with_file.classifiers) == (33, (4, 5), ("random-forest",))
    with_flags = build_config({"queries": 44, "k": None}, file, "quick")
    assert (with_flags.queries, with_flags.seeds, with_flags.k) == (44, (4, 5), 2)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_a_configuration(preset):
    assert build_config({}, preset=preset) != RunConfig()


def test_an_unknown_preset_is_named_with_the_nearest():
    with pytest.raises(UnknownNameError, match="unknown preset 'quik'; did you mean 'quick'"):
        build_config({}, preset="quik")


def test_options_of_file_and_flags_are_merged_option_by_option(written):
    file = written({"options": {"dice-random": {"a": 1, "b": 2}, "svm": {"C": 3}}})
    config = build_config({"options": {"dice-random": {"b": 5}, "mlp": {"penalty": 1}}}, file)
    assert config.options == {"dice-random": {"a": 1, "b": 5}, "svm": {"C": 3}, "mlp": {"penalty": 1}}


@pytest.mark.parametrize("content", ["options:\n", "options: 3\n", "options: [a]\n", "options: {svm: 3}\n"])
def test_options_of_a_file_that_are_no_mapping_are_refused_in_words(written, content):
    with pytest.raises(ConfigError, match="options"):
        build_config({"options": {"svm": {"C": 3}}}, written(content))


def test_a_pattern_on_the_command_line_beats_an_exact_name_of_a_file(written):
    file = written({"options": {"dice-random": {"x": 1, "y": 2}, "dice-*": {"x": 3, "z": 4}, "*-random": {"x": 5}}})
    config = build_config({"options": {"dice-*": {"x": 9}}}, file)
    assert config.options_for("dice-random") == {"x": 9, "y": 2, "z": 4}
    assert config.options_for("dice-genetic") == {"x": 9, "z": 4}
    assert config.options_for("cfnow-random") == {"x": 5}
    exact = build_config({"options": {"dice-*": {"x": 9}, "dice-random": {"x": 8}}}, file)
    assert exact.options_for("dice-random")["x"] == 8


@pytest.mark.parametrize(
    ("content", "same_as"),
    [
        ("generators: nice", {"generators": ["nice"]}),
        ("generators: nice, dice-random", {"generators": ["nice", "dice-random"]}),
        ("datasets: table:a.yaml", {"datasets": ["table:a.yaml"]}),
        ("classifiers: svm,mlp", {"classifiers": ["svm", "mlp"]}),
        ("metrics: validity", {"metrics": ["validity"]}),
        ("allow: network, paid", {"allow": ["network", "paid"]}),
        ("seeds: 3", {"seeds": [3]}),
        ("seeds: 0, 1", {"seeds": [0, 1]}),
    ],
)
def test_a_file_may_write_lists_as_the_command_line_does(written, content, same_as):
    assert build_config({}, written(content)) == build_config(same_as)


def test_a_preset_in_a_file_is_refused_with_where_it_belongs(written):
    with pytest.raises(ConfigError, match="a preset is not chosen in a file") as caught:
        build_config({}, written("preset: quick"))
    assert "--preset quick" in caught.value.fix


def test_an_empty_file_changes_nothing(written):
    assert build_config({}, written("")) == RunConfig()
    assert build_config({}, written("# nothing yet\n")) == RunConfig()


# -- refusals --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"querys": 3}, "unknown option 'querys'; did you mean 'queries'?"),
        ({"generator": ["identity"]}, "unknown option 'generator'; did you mean 'generators'?"),
        ({"zzzzzzzz": 3}, "unknown option 'zzzzzzzz'; known: generators, datasets"),
        ({"queries": 0}, "queries: Input should be greater than or equal to 1 (got 0)"),
        ({"queries": "many"}, "queries: Input should be a valid integer"),
        ({"k": 0}, "k: Input should be greater than or equal to 1"),
        ({"timeout": 0}, "timeout: Input should be greater than 0"),
        ({"timeout": float("nan")}, "timeout: "),
        ({"cell_timeout": -1}, "cell_timeout: Input should be greater than 0"),
        ({"jobs": 0}, "jobs: Input should be greater than or equal to 1"),
        ({"resamples": 10}, "resamples: Input should be greater than or equal to 100"),
        ({"seeds": []}, "seeds: name at least one"),
        ({"seeds": [-1]}, "seeds: seeds are whole numbers from 0 to 4294967295"),
        ({"seeds": [2**32]}, "seeds: seeds are whole numbers from 0 to 4294967295"),
        ({"seeds": [0.5]}, "seeds.0: Input should be a valid integer"),
        ({"seeds": [1, 2, 1]}, "seeds: named twice: 1"),
        ({"generators": []}, "generators: name at least one"),
        ({"generators": ["identity", "identity"]}, "generators: named twice: identity"),
        ({"datasets": ["a", "b", "b", "a"]}, "datasets: named twice: a, b"),
        ({"classifiers": ["svm", "svm"]}, "classifiers: named twice: svm"),
        ({"metrics": ["validity", "validity"]}, "metrics: named twice: validity"),
        ({"allow": ["money"]}, "allow.0: Input should be 'network' or 'paid'"),
        ({"options": {"svm": 3}}, "options.svm: Input should be a valid dictionary"),
    ],
)
def test_a_wrong_value_is_refused_by_name_from_flags_and_from_a_file(written, values, message):
    with pytest.raises(ConfigError, match=re.escape(message)) as by_flag:
        build_config(values)
    assert "run --help" in by_flag.value.fix
    file = written(values)
    with pytest.raises(ConfigError, match=re.escape(message)) as by_file:
        build_config({}, file)
    assert str(file) in by_file.value.fix


@pytest.mark.parametrize("field", ["timeout", "cell_timeout"])
def test_an_endless_timeout_is_refused(field):
    with pytest.raises(ConfigError, match=field):
        build_config({field: float("inf")})


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigError, match=r"queries: .*; seeds: .*; unknown option 'kk'"):
        build_config({"queries": 0, "seeds": [], "kk": 1})


def test_the_extreme_seeds_are_allowed():
    assert build_config({"seeds": [0, 2**32 - 1]}).seeds == (0, 2**32 - 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("queries: [1\nseeds: 2", "is not valid YAML"),
        ("a: b: c", "is not valid YAML"),
        ("- queries\n- 3", "is not a mapping"),
        ("just text", "is not a mapping"),
        ("!!python/object/apply:os.getcwd []", "is not valid YAML"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(written, content, message):
    with pytest.raises(ConfigError, match=message):
        build_config({}, written(content))


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot read configuration .*absent\.yaml: No such file"):
        build_config({}, tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"queries: \xff\xfe")
    with pytest.raises(ConfigError, match="is not valid YAML"):
        build_config({}, tmp_path / "latin.yaml")


# -- NAME.OPTION=VALUE -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("settings_given", "options"),
    [
        ([], {}),
        (["svm.C=2"], {"svm": {"C": 2}}),
        (["svm.C=2.5", "svm.C=3"], {"svm": {"C": 3}}),
        (["svm.C=2", "mlp.hidden=[8, 4]"], {"svm": {"C": 2}, "mlp": {"hidden": [8, 4]}}),
        (["dice-*.stock=true"], {"dice-*": {"stock": True}}),
        (["openai.model=gpt-4o"], {"openai": {"model": "gpt-4o"}}),
        (["a.b=x=y"], {"a": {"b": "x=y"}}),
        (["a.b="], {"a": {"b": None}}),
        (["a.b=null"], {"a": {"b": None}}),
        (["llama-3.1-8b.beams=4"], {"llama-3.1-8b": {"beams": 4}}),
    ],
)
def test_settings_are_read_as_yaml_values(settings_given, options):
    assert parse_settings(settings_given) == options


@pytest.mark.parametrize("item", ["", "svm", "svm.C", "C=2", ".C=2", "svm.=2", "=2", "=", "svm=2.5"])
def test_a_setting_of_another_shape_is_refused(item):
    with pytest.raises(ConfigError, match=re.escape(f"--set {item!r} is not NAME.OPTION=VALUE")) as caught:
        parse_settings([item])
    assert "for example --set" in caught.value.fix


def test_a_setting_whose_value_is_no_yaml_is_refused():
    with pytest.raises(ConfigError, match="the value cannot be read"):
        parse_settings(["svm.C=[1"])


names = st.from_regex(r"[a-z][a-z0-9.*-]{0,8}", fullmatch=True)
options = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
plain = st.integers() | st.booleans() | st.none() | st.text("abc é", max_size=5) | st.lists(st.integers(), max_size=3)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(names, st.dictionaries(options, plain, min_size=1, max_size=3), max_size=3))
def test_what_is_written_as_settings_is_read_back(wanted):
    items = [
        f"{name}.{option}={yaml.safe_dump(value, default_flow_style=True, allow_unicode=True)}"
        for name, chosen in wanted.items()
        for option, value in chosen.items()
    ]
    assert parse_settings(items) == wanted


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=15))
def test_any_setting_is_read_or_refused_in_words(item):
    try:
        parsed = parse_settings([item])
    except ConfigError:
        return
    ((name, chosen),) = parsed.items()
    (option,) = chosen
    assert item.startswith(f"{name}.{option}=")


# -- options by name and pattern -------------------------------------------------------------------------------------
OPTIONS = {
    "dice-random": {"a": "exact"},
    "dice-*": {"a": "pattern", "b": "pattern", "c": "first"},
    "*-random": {"c": "second"},
    "nice": {"a": "other"},
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("dice-random", {"a": "exact", "b": "pattern", "c": "second"}),
        ("dice-genetic", {"a": "pattern", "b": "pattern", "c": "first"}),
        ("nice", {"a": "other"}),
        ("NICE", {}),
        ("cfnow", {}),
    ],
)
def test_an_exact_name_overrides_patterns_wherever_it_stands(name, expected):
    assert RunConfig(options=OPTIONS).options_for(name) == expected
    backwards = {pattern: OPTIONS[pattern] for pattern in ["*-random", "nice", "dice-*", "dice-random"]}
    assert RunConfig(options=backwards).options_for("dice-random")["a"] == "exact"


def test_looking_up_options_leaves_the_configuration_alone():
    config = RunConfig(options={"a": {"x": 1}, "*": {"y": 2}})
    config.options_for("a")["x"] = 99
    assert config.options == {"a": {"x": 1}, "*": {"y": 2}}


# -- identity --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"jobs": 7}, True),
        ({"metrics": ("validity",)}, True),
        ({"resamples": 500}, True),
        ({"seeds": (1,)}, False),
        ({"queries": 7}, False),
        ({"k": 2}, False),
        ({"timeout": 5}, False),
        ({"cell_timeout": 5}, False),
        ({"shard_size": 5}, False),
        ({"allow": ("network",)}, False),
        ({"generators": ("identity",)}, False),
        ({"datasets": ("breast-cancer",)}, False),
        ({"classifiers": ("svm",)}, False),
        ({"options": {"svm": {"C": 2}}}, False),
        ({"plugins": (Path("mine.py"),)}, False),
        ({"blocked": ("dice",)}, False),
    ],
)
def test_the_identity_holds_what_decides_the_answers(change, same):
    assert (RunConfig(**change).identity() == RunConfig().identity()) is same
