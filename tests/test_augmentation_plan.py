"""What is asked of augmentation, what is planned for it, and that nothing else changes by it."""

import subprocess
import sys
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest
from command_line import typed

from sensecf_bench import api
from sensecf_bench.engine.assess import survey
from sensecf_bench.engine.cells import Shortage, content_hash
from sensecf_bench.engine.config import RunConfig, build_config
from sensecf_bench.engine.context import fit_classifier, prepare_data
from sensecf_bench.engine.leaks import Hidden
from sensecf_bench.engine.scarce import fit_reference, reduced_data
from sensecf_bench.engine.worker import describe_context
from sensecf_bench.errors import ConfigError, DataError, UnknownNameError
from sensecf_bench.registry import discover
from sensecf_bench.schema import Feature, FeatureSchema

TENTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


@pytest.fixture(scope="module")
def plugin(single_file_plugins):
    return single_file_plugins / "scarce.py"


@pytest.fixture(scope="module")
def planned(plugin):
    def plan(**changes):
        basis = {"datasets": ("cohort",), "classifiers": ("svm",), "generators": ("halfway",), "plugins": (plugin,)}
        return api.plan(RunConfig(**{**basis, **changes}))[0]

    return plan


# -- configuration ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("given", "levels", "seeds"),
    [
        ("quick", [("A", 0.5)], (0, 1, 2)),
        ("full", [(s, r) for s in "ABC" for r in TENTHS], (0, 1, 2, 3, 4)),
        ({"grid": "full", "reductions": 0.3, "seeds": "7, 8"}, [(s, 0.3) for s in "ABC"], (7, 8)),
        ({"scenarios": "B,C"}, [("B", 0.5), ("C", 0.5)], (0, 1, 2)),
    ],
)
def test_a_grid_is_a_word_or_what_is_set_of_it(given, levels, seeds):
    config = RunConfig(augmentation=given).augmentation
    assert (list(config.levels), config.seeds) == (levels, seeds)
    assert RunConfig.model_validate_json(RunConfig(augmentation=given).model_dump_json()).augmentation == config


def test_it_is_quick_unless_said_otherwise():
    assert RunConfig().augmentation == RunConfig(augmentation="quick").augmentation
    assert build_config({}, preset="quick").augmentation.grid == "off"
    assert build_config({}, preset="paper").augmentation.grid == "full"


@pytest.mark.parametrize("written", ["off", "'off'", "{grid: off}", "{grid: 'off'}"])
def test_off_in_a_file_is_off_in_quotes_and_without(tmp_path, written):
    file = tmp_path / "run.yaml"
    file.write_text(f"augmentation: {written}\n")
    assert build_config({}, file).augmentation.grid == "off"


def test_flags_stand_over_the_file_and_the_file_over_the_preset(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text("augmentation: {reference: mlp, seeds: [5]}\n")
    config = build_config({"augmentation": {"seeds": (6,)}}, file, "paper").augmentation
    assert (config.grid, config.reference, config.seeds, config.reductions) == ("full", "mlp", (6,), TENTHS)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("ful", "augmentation.grid: Input should be 'off', 'quick' or 'full'"),
        ({"refrence": "svm"}, "unknown option 'refrence'; did you mean 'reference'"),
        ({"reductions": 1}, "shares of a class"),
        ({"reductions": -0.1}, "shares of a class"),
        ({"scenarios": "D"}, "Input should be 'A', 'B' or 'C'"),
        ({"scenarios": ()}, "name at least one"),
        ({"seeds": "1,1"}, "named twice: 1"),
        ({"seeds": -1}, "from 0 to"),
        ({"amount": 0}, "greater than 0"),
        ({"label": "any"}, "'target' or 'model'"),
    ],
)
def test_what_cannot_be_is_refused_by_name(given, message):
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")):
        build_config({"augmentation": given})


# -- the plan ----------------------------------------------------------------------------------------------------------
def test_cells_and_folders_of_the_rest_stay_what_they_are(planned):
    off, full = planned(augmentation="off"), planned(augmentation="full")
    assert off.augmentation is None
    assert off.cells == full.cells
    (cell,) = off.cells
    context = cell.context
    data_key = content_hash({"dataset": asdict(context.dataset), "seed": 0})
    assert context.key == content_hash({"data": data_key, "classifier": asdict(context.classifier)})
    assert cell.title == "cohort · svm · halfway · seed 0"
    assert cell.folder("0123456789abcdef") == "cohort--svm--halfway--seed0--0123456789ab"
    assert "scarcity" not in cell.name
    assert api.default_folder(off.config) == api.default_folder(full.config)


def test_a_generator_has_a_cell_for_each_seed_level_and_class_to_fill(planned):
    scarce = planned(augmentation="full").augmentation
    mine = [c for c in scarce.cells if c.generator.name == "halfway"]
    assert len(mine) == 5 * 7 * (1 + 1 + 2)
    assert (
        len({c.context.key for c in mine}) == len({c.title for c in mine}) == len({c.name for c in mine}) == len(mine)
    )
    assert {c.context.scarcity.fills for c in mine if c.context.scarcity.scenario == "B"} == {"negative"}
    assert {c.context.classifier.name for c in mine} == {"svm"}


def test_whatever_is_set_of_scarcity_is_in_a_cell_s_key(planned):
    """How many are asked for does not show in the data that the key speaks of beside it."""
    levels = ({}, {"amount": 0.5}, {"scenarios": "B"}, {"reductions": 0.6}, {"reference": "mlp"})
    plans = [planned(augmentation={"seeds": 0, **level}).augmentation for level in levels]
    assert len({plan.cells[0].key("the same rows") for plan in plans}) == len(levels)


def test_sentinels_take_part_in_any_case_and_the_dear_stay_out_of_the_quick_grid(planned):
    names = ("halfway", "dear-one")
    quick = planned(generators=names).augmentation
    assert [g.name for g in quick.generators] == ["halfway", "identity", "nearest-opposite", "random-opposite"]
    (left_out,) = quick.left_out
    assert (left_out.generator, left_out.reason) == (
        "dear-one",
        "too dear for the quick grid: it learns by heart first",
    )
    for augmentation in ({"grid": "full", "generators": names}, {"generators": names}):
        scarce = planned(generators=names, augmentation=augmentation).augmentation
        assert [g.name for g in scarce.generators][:2] == list(names)
        assert scarce.left_out == ()
        cells = [c.generator.name for c in scarce.cells]
        assert cells.count("dear-one") == cells.count("halfway") > 0
    (other,) = planned(generators=names, augmentation={"generators": "dear-one"}).augmentation.left_out
    assert (other.generator, other.reason) == ("halfway", "not among augmentation.generators")


def test_the_dear_have_a_part_of_the_full_grid_with_all_its_seeds(planned):
    names = ("halfway", "dear-one")
    scarce = planned(generators=names, augmentation="full").augmentation
    assert [g.name for g in scarce.generators][:2] == list(names)
    (left_out,) = scarce.left_out
    said = "too dear for all of the grid, it has A 30 %, A 50 %, A 70 % alone: it learns by heart first"
    assert (left_out.generator, left_out.reason) == ("dear-one", said)
    mine = [c.context for c in scarce.cells if c.generator.name == "dear-one"]
    had = {(c.scarcity.scenario, c.scarcity.reduction, c.seed) for c in mine}
    assert had == {("A", r, seed) for r in (0.3, 0.5, 0.7) for seed in range(5)}
    assert len(mine) == len(had)
    assert planned(generators=names, augmentation={"grid": "full", "reductions": "0.5"}).augmentation.left_out
    only_a = {"grid": "full", "scenarios": "A", "reductions": "0.3,0.7"}
    assert planned(generators=names, augmentation=only_a).augmentation.left_out == ()
    alone = planned(generators=("dear-one",), augmentation="full").augmentation
    assert {(v.scarcity.scenario, v.scarcity.reduction) for v in alone.levels} == {("A", 0.3), ("A", 0.5), ("A", 0.7)}
    at = {v.scarcity: [g.name for g in scarce.generators_at(v)] for v in scarce.levels}
    assert {s.reduction for s, some in at.items() if "dear-one" in some} == {0.3, 0.5, 0.7}
    assert all(some[0] == "halfway" and "identity" in some for some in at.values())
    (out,) = planned(generators=names, augmentation={"grid": "full", "scenarios": "B"}).augmentation.left_out
    assert out.reason == "too dear for the full grid: it learns by heart first"


def test_a_generator_that_the_run_does_not_have_is_refused(planned):
    with pytest.raises(ConfigError, match="'peeker' is not among the generators of this run"):
        planned(augmentation={"generators": "peeker"})
    with pytest.raises(UnknownNameError, match="unknown classifier 'smv'"):
        planned(augmentation={"reference": "smv"})


def test_with_augmentation_off_nothing_of_it_is_imported(tmp_path):
    code = (
        "import sys\nfrom sensecf_bench import api\n"
        "run = api.run(api.RunConfig(datasets=('diabetes-progression',), classifiers=('svm',), generators=('identity',), "
        "metrics=('validity',), queries=2, resamples=100, augmentation='off'), sys.argv[1])\n"
        "assert run.document['augmentation'] is None\n"
        "found = [n for n in sys.modules if n.startswith(('sensecf_bench.augmentation', 'sensecf_bench.engine.scarce', "
        "'sensecf_bench.engine.assess', 'imblearn'))]\nassert not found, found"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "run"], check=True, cwd=tmp_path)
    assert not (tmp_path / "run" / "augmentation").exists()


def test_a_dry_run_shows_it(plugin, tmp_path):
    words = ("run", "--plugin", plugin, "--datasets", "cohort", "--generators", "halfway,dear-one", "--dry-run")
    said = typed(*words, "--set", "augmentation.reference=mlp", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    assert "augmentation: 12 cells; A 50 %; seeds 0, 1, 2; explained: mlp" in said.stdout
    assert "left out dear-one: too dear for the quick grid" in said.stdout
    assert "augmentation: off" in typed(*words, "--augmentation", "off", cwd=tmp_path).stdout
    refused = typed(*words, "--augmentation", "fast", cwd=tmp_path)
    assert refused.returncode == 2
    assert "augmentation.grid" in refused.stderr


# -- scarce data ---------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def registry(plugin):
    return discover([plugin])


@pytest.fixture(scope="module")
def data(registry):
    return prepare_data(registry.dataset("cohort")(), 3)


@pytest.mark.parametrize(
    ("shortage", "left", "wanted"),
    [  # of 72 training rows 24 are ill
        (Shortage("A", 0.5, "positive"), (48, 12), 12),
        (Shortage("A", 0.5, "positive", 0.25), (48, 12), 3),
        (Shortage("B", 0.25, "negative"), (36, 24), 12),
        (Shortage("C", 0.5, "positive"), (24, 12), 12),
        (Shortage("C", 0.5, "negative"), (24, 12), 24),
    ],
)
def test_scarce_data_hold_retained_rows_and_nothing_else(data, registry, shortage, left, wanted):
    scarce = reduced_data(data, shortage)
    assert tuple(np.bincount(scarce.labels)) == left
    assert len(scarce.matrix) == len(scarce.ids) == len(scarce.table.frame) == len(scarce.train) == sum(left)
    assert len(scarce.test) == len(scarce.validation) == 0
    where = dict(zip(data.ids, data.matrix, strict=True))
    assert set(scarce.ids) < {data.ids[i] for i in data.train}
    np.testing.assert_array_equal(scarce.matrix, [where[i] for i in scarce.ids])
    np.testing.assert_array_equal(scarce.schema.scales.low, scarce.matrix.min(axis=0))
    assert scarce.wanted == wanted
    queries = fit_reference(scarce, registry.classifier("svm")()).queries()
    assert 0 < len(queries) <= wanted
    assert set(queries.ids) <= set(scarce.ids)
    assert set(queries.target) == {1 if shortage.fills == "positive" else 0}
    asked = [scarce.labels[scarce.ids.index(i)] for i in queries.ids]
    assert set(asked) == set(queries.current) == {1 - queries.target[0]}


def test_the_fingerprint_depends_on_no_removed_row(data):
    shortage = Shortage("A", 0.5, "positive")
    kept = set(reduced_data(data, shortage).ids)
    gone = [i for i in range(len(data.ids)) if data.ids[i] not in kept]
    altered = data.matrix.copy()
    altered[gone] += 100.0
    other = replace(data, matrix=altered)
    assert other.fingerprint != data.fingerprint
    assert reduced_data(other, shortage).fingerprint == reduced_data(data, shortage).fingerprint


def test_levels_ask_the_same_people_first(data, registry):
    """Where only rows of the other class are missing, the ones asked at one level come first at the next."""
    asked = []
    for reduction in (0.25, 0.5, 0.75):
        scarce = reduced_data(data, Shortage("A", reduction, "positive"))
        asked.append(fit_reference(scarce, registry.classifier("fussy")()).queries().seeds)
    for fewer, more in pairwise(asked):
        assert np.all(np.diff(fewer.astype(np.float64)) > 0)
        assert len(fewer) < len(more)


def test_an_emptied_class_cannot_be_explained(data, registry):
    scarce = reduced_data(data, Shortage("A", 0.99, "positive"))
    with pytest.raises(DataError, match="no training row of class 'ill' is left"):
        fit_reference(scarce, registry.classifier("svm")())


def test_where_too_few_are_removed_to_ask_for_one_that_is_the_reason(planned):
    """Of 24 ill people in training, 1 % is nobody; a fifth of the one that 5 % takes is nobody either."""
    for changes in ({"scenarios": "C", "reductions": 0.01}, {"reductions": 0.05, "amount": 0.2}):
        (context, *_) = planned(augmentation={"seeds": 0, **changes}).augmentation.contexts
        report = describe_context(context, None)
        assert (report.queries, report.failure) == (0, "")
        assert report.nothing_to_ask == "too few rows were removed to ask for one"
    (context, *_) = planned(augmentation={"seeds": 0}).augmentation.contexts
    assert describe_context(context, None).nothing_to_ask == ""


def test_seeds_have_the_same_people_if_they_have_the_same_test_rows(planned):
    def people(**options):
        plan = planned(augmentation={"seeds": (0, 1)}, options={"cohort": options})
        return [survey(level.whole).people for level in plan.augmentation.levels]

    first, second = people()
    assert first != second
    assert len(set(people(fixed=True))) == 1


def test_a_context_without_scarcity_is_fitted_as_ever(data, registry):
    assert fit_classifier(data, registry.classifier("svm")()).quality["test_rows"] == len(data.test)


def test_whole_is_the_context_before_anything_is_taken_away(planned):
    scarce = planned().augmentation
    assert {c.whole.key for c in scarce.contexts} == {level.whole.key for level in scarce.levels}
    assert all(c.whole.scarcity is None and c.whole.key != c.key for c in scarce.contexts)


# -- leaks ---------------------------------------------------------------------------------------------------------------
def hidden(kind="continuous", levels=()):
    features = [Feature(name=n, kind=kind, levels=levels) if levels else Feature(name=n, kind=kind) for n in "ab"]
    shown, secret = np.array([[0.0, 1.0], [1.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    return Hidden(FeatureSchema(tuple(features)).with_scales(shown), shown, secret)


def test_rows_that_were_shown_are_no_leak():
    answers = np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [-0.0, 0.0], [0.5, 0.5]])
    assert hidden().matches(answers) == 2
    assert hidden().matches(np.empty((0, 2))) == 0


def test_a_match_at_a_feature_s_precision_counts():
    schema = FeatureSchema((Feature(name="a", kind="continuous", precision=0.1),)).with_scales(np.array([[0.0], [9.0]]))
    rows = Hidden(schema, np.array([[0.0]]), np.array([[1.23]]))
    assert rows.matches(np.array([[1.2], [1.3]])) == 1


def test_one_match_is_a_leak_where_no_two_people_are_alike():
    apart = Hidden(hidden().schema, np.arange(8.0).reshape(4, 2), 0.5 + np.arange(200.0).reshape(100, 2))
    assert apart.by_chance(0, 50)
    assert not apart.by_chance(1, 50)


def test_few_matches_are_chance_where_features_are_few_and_coarse():
    """Three features of 50 values each and 200 hidden people: an answer made at random matches one in 600 times, and of 100
    answers one does with a probability of 1/7, whether or not two people happen to be alike. Of 30 features none does."""
    rng = np.random.default_rng(4)

    def people(features):
        shown, secret = (np.round(rng.integers(0, 50, (n, features)) * 0.1, 1) for n in (150, 200))
        named = tuple(Feature(name=f"f{j}", kind="continuous", precision=0.1) for j in range(features))
        return Hidden(FeatureSchema(named).with_scales(shown), shown, secret)

    coarse, fine = people(3), people(30)
    assert coarse.matches(coarse.shown) == fine.matches(fine.shown) == 0
    assert coarse.by_chance(1, 100)
    assert not coarse.by_chance(10, 100)
    assert not fine.by_chance(1, 100)


def test_few_matches_are_chance_where_people_are_alike():
    """A third of the hidden rows match a shown one: so may a third of the answers, and not all."""
    alike = hidden("binary", ("no", "yes"))
    assert alike.by_chance(4, 10)
    certain = Hidden(alike.schema, alike.shown, np.tile([[0.0, 0.0], [1.0, 0.0]], (50, 1)))
    assert certain.by_chance(1, 10)  # by the rule of three, 3 of 100
    assert not certain.by_chance(10, 10)
