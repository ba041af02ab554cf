"""What holds for every table and classifier: rules of the schema, one call a round, no dependence on company."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sensecf_spheres import GrowingSpheres
from sensecf_spheres.shells import draw
from sensecf_spheres.space import Space
from spheres_tasks import ASKED, ROWS, SCHEMA, healthy, nobody, queries_of, task_of

from sensecf_bench import Feature, FeatureSchema
from sensecf_bench.admission import broken_rules
from sensecf_bench.testing import local_setting
from sensecf_bench.testing.hand_made import Counted, answers_of

SPACE = Space.of(SCHEMA)
quick = settings(max_examples=40, deadline=None)


def fitted(classifier=healthy, schema=SCHEMA, seconds=30.0, **options):
    generator = GrowingSpheres(GrowingSpheres.Options(**{"n_in_layer": 200, **options}))
    generator.fit(task_of(schema, classifier, seconds))
    return generator


# -- rules -----------------------------------------------------------------------------------------------------------
def breaks_no_rule(schema, factuals, rows):
    assert not any(mask.any() for mask in broken_rules(schema, factuals, rows).values())


def test_answers_break_no_rule_and_flip():
    answers = answers_of(fitted(), queries_of(SCHEMA, ASKED))
    rows = np.array(list(answers.values()))
    assert len(rows) == len(ASKED)
    breaks_no_rule(SCHEMA, ASKED, rows)
    assert (healthy(rows).argmax(axis=1) == 1).all()


@quick
@given(st.integers(0, len(ROWS) - 1), st.floats(0, 3), st.floats(0.01, 1), st.integers(0, 2**32 - 1))
def test_every_candidate_is_lawful_on_its_step_and_within_reach(i, inner, width, seed):
    factual, outer = ROWS[i], inner + width
    rows = draw(SPACE, factual, inner, outer, 50, np.random.default_rng(seed))
    factuals = np.broadcast_to(factual, rows.shape)
    breaks_no_rule(SCHEMA, factuals, rows)
    moved = np.abs(rows - factual) > 0
    assert (moved == SCHEMA.changed(rows, factuals))[:, SCHEMA.steps > 0].all()
    for j in np.flatnonzero(SCHEMA.steps > 0):
        steps = rows[moved[:, j], j] / SCHEMA.steps[j]
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-9)
    gaps = SPACE.changes(factual, rows)
    slack = np.where(SPACE.step > 0, SPACE.step / SPACE.unit, 1e-9)  # of rounding
    assert (gaps <= outer + slack)[:, SPACE.ordered].all()


@quick
@given(st.integers(0, len(ROWS) - 1), st.lists(st.floats(-1e6, 1e6), min_size=9, max_size=9))
def test_what_is_lawful_stays_as_it_is(i, moves):
    wild = ROWS[i] + np.array(moves)
    wild[SPACE.unordered] = ROWS[i + 1 - len(ROWS)][SPACE.unordered]
    once = SPACE.lawful(ROWS[i], wild[None])
    breaks_no_rule(SCHEMA, ROWS[i][None], once)
    np.testing.assert_array_equal(SPACE.lawful(ROWS[i], once), once)


def test_numbers_are_uniform_in_the_shell():
    schema = FeatureSchema(tuple(Feature(name=f"x{j}", kind="continuous") for j in range(4)))
    space = Space.of(schema.with_scales(np.array([[0.0] * 4, [1.0, 2.0, 5.0, 0.1]])))
    rows = draw(space, np.zeros(4), 0.3, 0.7, 20_000, np.random.default_rng(0)) / space.unit
    radii = np.linalg.norm(rows, axis=1)
    assert radii.min() >= 0.3 - 1e-12
    assert radii.max() <= 0.7 + 1e-12
    volume = (radii**4 - 0.3**4) / (0.7**4 - 0.3**4)
    np.testing.assert_allclose(np.quantile(volume, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.02)
    np.testing.assert_allclose((rows / radii[:, None]).mean(axis=0), 0, atol=0.02)
    np.testing.assert_allclose(((rows / radii[:, None]) ** 2).mean(axis=0), 0.25, atol=0.02)


def test_levels_change_more_often_the_farther_away():
    factual = np.array([5, 100, 90, 1, 1, 1, 50, 7, 30], dtype=float)
    shares = [
        (draw(SPACE, factual, r / 2, r, 4000, np.random.default_rng(1))[:, [3, 5]] != factual[[3, 5]]).mean(axis=0)
        for r in (0.1, 1.0, 2.0, 10.0)
    ]
    for radius, share in zip((0.1, 1.0, 2.0, 10.0), shares, strict=True):
        np.testing.assert_allclose(share, min(1, radius / np.sqrt(8)), atol=0.03)


# -- company ---------------------------------------------------------------------------------------------------------
@quick
@given(order=st.permutations(range(len(ASKED))), cut=st.integers(0, len(ASKED)))
def test_neither_order_nor_sharding_changes_an_answer(order, cut):
    generator, queries = fitted(n_in_layer=30), queries_of(SCHEMA, ASKED)
    together = answers_of(generator, queries)
    apart = answers_of(generator, queries.take(order[:cut])) | answers_of(generator, queries.take(order[cut:]))
    assert together.keys() == apart.keys()
    assert all(np.array_equal(together[i], apart[i]) for i in together)


def test_one_at_a_time_is_as_good_as_all_together():
    generator, queries = fitted(), queries_of(SCHEMA, ASKED)
    together = answers_of(generator, queries)
    for i, query_id in enumerate(queries.ids):
        np.testing.assert_array_equal(answers_of(generator, queries.take([i]))[query_id], together[query_id])


def test_another_seed_is_another_draw():
    queries = queries_of(SCHEMA, ASKED[[0, 0]])
    first, second = answers_of(fitted(sparse=False), queries).values()
    assert not np.array_equal(first, second)


def test_queries_of_both_targets_in_one_batch():
    both = np.vstack([ASKED[:3], ROWS[healthy(ROWS)[:, 1] > 0.5][:3]])
    queries = queries_of(SCHEMA, both)
    queries.target[3:], queries.current[3:] = 0, 1
    rows = np.array(list(answers_of(fitted(), queries).values()))
    assert healthy(rows).argmax(axis=1).tolist() == [1, 1, 1, 0, 0, 0]


def test_small_calls_give_the_same_answers(monkeypatch):
    generator, queries = fitted(), queries_of(SCHEMA, ASKED)
    at_once = answers_of(generator, queries)
    monkeypatch.setattr("sensecf_spheres.search.CELLS_PER_CALL", 1)
    one_by_one = answers_of(generator, queries)
    assert at_once.keys() == one_by_one.keys()
    assert all(np.array_equal(at_once[i], one_by_one[i]) for i in at_once)


def test_a_round_is_one_call_for_all_queries():
    counted = Counted(healthy)
    generator = fitted(counted, sparse=False)
    answers_of(generator, queries_of(SCHEMA, ASKED))
    assert counted.calls[0] == 200 * len(ASKED)
    assert counted.calls == sorted(counted.calls, reverse=True)
    rounds = 20 + np.sqrt(SPACE.freedom) / 0.1
    assert len(counted.calls) < rounds


@pytest.mark.parametrize("n", [0, 1])
def test_no_query_and_one_query(n):
    frame = fitted().generate(queries_of(SCHEMA, ASKED[:n]))
    assert list(frame.columns) == ["query_id", *SCHEMA.names]
    assert list(frame["query_id"]) == ["q0"][:n]


# -- the end ---------------------------------------------------------------------------------------------------------
def test_a_class_that_is_nowhere_ends_the_search():
    counted = Counted(nobody)
    assert answers_of(fitted(counted), queries_of(SCHEMA, ASKED)) == {}
    assert len(counted.calls) == 1 + np.ceil(np.sqrt(SPACE.freedom) / 0.1 - 1)


def test_nothing_is_asked_when_nothing_may_change():
    frozen = FeatureSchema(tuple(f.model_copy(update={"mutable": False}) for f in SCHEMA.features), SCHEMA.scales)
    counted = Counted(healthy)
    assert answers_of(fitted(counted, frozen), queries_of(frozen, ASKED)) == {}
    assert counted.calls == []


def test_a_table_of_levels_alone_will_do():
    levels = ("a", "b", "c")
    schema = FeatureSchema(tuple(Feature(name=n, kind="categorical", levels=levels) for n in "xyz"))
    schema = schema.with_scales(np.array([[0.0] * 3, [2.0] * 3]))

    def two_of_them(rows):
        p = ((rows == 2).sum(axis=1) >= 2).astype(float)
        return np.column_stack([1 - p, p])

    answers = answers_of(fitted(two_of_them, schema), queries_of(schema, np.zeros((4, 3))))
    assert [sorted(row) for row in answers.values()] == [[0, 2, 2]] * 4


class Clock:
    """Goes on when it is told to, and not while the machine is busy with something else."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.mark.parametrize("classifier", [nobody, healthy])
def test_the_deadline_is_honoured(classifier, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock.monotonic)

    def slow(rows):
        clock.now += 0.1
        return classifier(rows)

    queries = queries_of(SCHEMA, ASKED[:10])
    generator = fitted(slow, seconds=0.05)  # half a second for all
    clock.now = 0.0
    answers = answers_of(generator, queries)
    assert clock.now < 0.5 + 0.2
    assert (len(answers) == 0) == (classifier is nobody)
    if answers:
        assert (healthy(np.array(list(answers.values()))).argmax(axis=1) == 1).all()


# -- options ---------------------------------------------------------------------------------------------------------
def test_the_second_phase_makes_answers_sparse():
    queries = queries_of(SCHEMA, ASKED)
    sparse, dense = (
        SCHEMA.changed(np.array(list(answers_of(fitted(sparse=s), queries).values())), ASKED).sum()
        for s in (True, False)
    )
    assert sparse < 0.8 * dense


def test_more_candidates_come_nearer():
    queries = queries_of(SCHEMA, ASKED)
    few, many = (
        SCHEMA.gaps(np.array(list(answers_of(fitted(n_in_layer=n), queries).values())), ASKED).sum() for n in (10, 2000)
    )
    assert many < few


# -- real tables -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dataset", ["breast-cancer", "diabetes-progression"])
@pytest.mark.parametrize("classifier", ["random-forest", "mlp"])
def test_real_tables(dataset, classifier):
    setting = local_setting(dataset, classifier, queries=15)
    generator = setting.fit(GrowingSpheres(GrowingSpheres.Options(n_in_layer=500)))
    answers = setting.admit(generator.generate(setting.queries))
    assert len(answers.owner) == 15
    assert not any(answers.reasons)
    assert (setting.classes(answers) == setting.queries.target[0]).all()
