"""Properties of cfnow-fast and its two phases, on tables, rules and classifiers of every kind."""

import numpy as np
import pytest
from cfnow_tasks import KINDS, Counted, answers_of, classifier_of, draw, fitted, queries_of, schema_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sensecf_cfnow import CfnowFast, CfnowGreedy
from sensecf_cfnow.deadline import Deadline
from sensecf_cfnow.fast.climbing import climb
from sensecf_cfnow.fast.judge import Judge
from sensecf_cfnow.fast.space import Space
from sensecf_cfnow.fast.tuning import tune

from sensecf_bench.admission import broken_rules
from sensecf_bench.testing import local_setting

ROWS = draw()
quick = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
directions = st.sampled_from(["any", "increase", "decrease"])
ordered = st.fixed_dictionaries({"mutable": st.booleans(), "direction": directions})
bounded = st.fixed_dictionaries(
    {"mutable": st.booleans(), "direction": directions, "bounds": st.sampled_from([(None, None), (-500, 500)])}
)
nominal = st.fixed_dictionaries({"mutable": st.booleans()})
rules = st.fixed_dictionaries(
    {
        f"f{j}": {"categorical": nominal, "binary": ordered, "ordinal": ordered}.get(kind, bounded)
        for j, kind in enumerate(KINDS)
    }
)
classifiers = st.sampled_from(["logistic", "stumps", "constant"])
seeds = st.integers(0, 9)


def prepared(changes, classifier, seed, **options):
    schema, predict_proba = schema_of(ROWS, changes), classifier_of(classifier, ROWS, seed)
    generator = fitted(CfnowFast(CfnowFast.Options(**options)), schema, ROWS, predict_proba)
    return generator, queries_of(schema, ROWS[:12], predict_proba), predict_proba


@quick
@given(changes=rules, classifier=classifiers, seed=seeds)
def test_valid_within_the_rules_and_the_range_or_not_at_all(changes, classifier, seed):
    generator, queries, predict_proba = prepared(changes, classifier, seed)
    answers = answers_of(generator, queries)
    if not answers:
        return
    positions = [queries.ids.index(i) for i in answers]
    rows, factuals = np.array(list(answers.values())), queries.matrix[positions]
    assert not any(mask.any() for mask in broken_rules(queries.schema, factuals, rows).values())
    assert (predict_proba(rows).argmax(axis=1) == queries.target[positions]).all()
    assert (rows >= ROWS.min(axis=0)).all() and (rows <= ROWS.max(axis=0)).all()


@quick
@given(changes=rules, classifier=classifiers, seed=seeds, rounds=st.integers(0, 8))
def test_never_farther_than_its_own_phase_1(changes, classifier, seed, rounds):
    schema, predict_proba = schema_of(ROWS, changes), classifier_of(classifier, ROWS, seed)
    factuals, space = ROWS[:12], Space(schema_of(ROWS, changes))
    judge = Judge(predict_proba, 1, Deadline(60))
    allowed = np.ones((len(factuals), len(space.feature)), dtype=bool)
    rows, flipped = climb(factuals, factuals, space.reach(factuals), allowed, space, judge, 40)
    assert np.array_equal(flipped, judge(rows)[1])
    rows, factuals = rows[flipped], factuals[flipped]
    tuned = tune(rows, factuals, space, judge, rounds)
    assert (space.cost(tuned, factuals) <= space.cost(rows, factuals)).all()
    assert judge(tuned)[1].all()
    assert np.allclose(space.cost(rows, factuals), schema.gaps(rows, factuals).sum(axis=1))


@quick
@given(changes=rules, classifier=classifiers, seed=seeds, order=st.permutations(range(12)), cut=st.integers(0, 12))
def test_neither_order_nor_sharding_changes_an_answer(changes, classifier, seed, order, cut):
    generator, queries, _ = prepared(changes, classifier, seed)
    together = answers_of(generator, queries)
    apart = answers_of(generator, queries.take(order[:cut])) | answers_of(generator, queries.take(order[cut:]))
    assert together.keys() == apart.keys()
    assert all(np.array_equal(together[i], apart[i]) for i in together)


@pytest.mark.parametrize("classifier", ["logistic", "stumps"])
def test_improvements_and_tuning_never_take_away(classifier):
    def costs(**options):
        generator, queries, _ = prepared({}, classifier, 0, **options)
        answers = answers_of(generator, queries)
        assert list(answers) == list(queries.ids)
        return queries.schema.gaps(np.array(list(answers.values())), queries.matrix).sum(axis=1)

    plain, tuned, improved = costs(tuning=0, improvements=0), costs(improvements=0), costs(improvements=4)
    assert (improved <= tuned).all() and improved.sum() < plain.sum()


def test_calls_grow_with_steps_and_not_with_queries():
    schema = schema_of(ROWS)
    predict_proba = Counted(classifier_of("logistic", ROWS))
    generator = fitted(CfnowFast(), schema, ROWS, predict_proba)
    asked = queries_of(schema, ROWS[:60], predict_proba)
    calls = []
    for queries in (asked.take([i for i in range(60) if asked.target[i] == 1][:n]) for n in (1, 20)):
        predict_proba.calls.clear()
        generator.generate(queries)
        calls.append(len(predict_proba.calls))
    assert calls[1] < 4 * calls[0]


def test_small_working_arrays_give_the_same_answers(monkeypatch):
    generator, queries, _ = prepared({"f0": {"mutable": False}}, "stumps", 3)
    at_once = answers_of(generator, queries)
    monkeypatch.setattr("sensecf_cfnow.fast.generator.LARGEST_ARRAY", 1)
    one_by_one = answers_of(generator, queries)
    assert at_once.keys() == one_by_one.keys()
    assert all(np.array_equal(at_once[i], one_by_one[i]) for i in at_once)


def test_a_classifier_that_is_sure_of_itself_is_still_talked_round():
    """No single move shows in the probability: the search goes by its logarithm, then from rows of the target class."""

    def sure(rows):
        score = 40 * (rows[:, [0, 4, 6]] > np.quantile(ROWS[:, [0, 4, 6]], 0.6, axis=0)).sum(axis=1) - 100.0
        return np.column_stack([1 / (1 + np.exp(score)), 1 / (1 + np.exp(-score))])

    schema = schema_of(ROWS)
    asked = ROWS[sure(ROWS)[:, 1] < 1e-8][:10]
    queries = queries_of(schema, asked, sure)
    answers = answers_of(fitted(CfnowFast(), schema, ROWS, sure), queries)
    assert list(answers) == list(queries.ids)


def test_an_island_is_reached_from_rows_of_the_target_class():
    """All numbers must move together: no single move gains anything, even in the logarithm."""
    middle, spread = ROWS[:, [0, 4, 6]].mean(axis=0), np.ptp(ROWS[:, [0, 4, 6]], axis=0)

    def island(rows):
        near = (np.abs(rows[:, [0, 4, 6]] - middle) < 0.3 * spread).sum(axis=1)
        inside = np.where(near == 3, 0.9, 0.0)
        return np.column_stack([1 - inside, inside])

    schema = schema_of(ROWS)
    outside = np.tile(ROWS[0], (3, 1))
    outside[:, [0, 4, 6]] = ROWS[:, [0, 4, 6]].min(axis=0)
    queries = queries_of(schema, outside, island)
    answers = answers_of(fitted(CfnowFast(CfnowFast.Options(steps=2)), schema, ROWS, island), queries)
    assert list(answers) == list(queries.ids)


@pytest.mark.parametrize("dataset", ["breast-cancer", "diabetes-progression"])
def test_nearer_than_cfnow_greedy_on_average(dataset):
    setting = local_setting(dataset, "xgboost", queries=10)
    queries = setting.queries

    def gaps(cls):
        answers = setting.admit(setting.fit(cls()).generate(queries))
        assert len(answers.owner) == len(queries)
        return queries.schema.gaps(answers.matrix, queries.matrix[answers.owner]).mean()

    assert gaps(CfnowFast) < gaps(CfnowGreedy)
