"""What holds for every table and classifier: rules of the schema, few calls, no dependence on company, an end."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sensecf_wachter import Wachter
from sensecf_wachter.space import Space
from wachter_tasks import ASKED, DRUG, ROWS, SCHEMA, Nobody, Smooth, health, queries_of, task_of

from sensecf_bench import FeatureSchema, Generator
from sensecf_bench.admission import broken_rules
from sensecf_bench.generators import NearestOpposite
from sensecf_bench.testing import local_setting
from sensecf_bench.testing.hand_made import answers_of

quick = settings(max_examples=25, deadline=None)


def fitted(model=None, schema=SCHEMA, seconds=30.0, **options) -> Generator:
    generator = Wachter(Wachter.Options(**options))
    generator.fit(task_of(schema, model or Smooth(), seconds))
    return generator


def breaks_no_rule(schema, factuals, rows):
    assert not any(mask.any() for mask in broken_rules(schema, factuals, rows).values())


# -- rules -----------------------------------------------------------------------------------------------------------
def test_answers_break_no_rule_and_flip():
    answers = answers_of(fitted(), queries_of(SCHEMA, ASKED))
    rows = np.array(list(answers.values()))
    assert len(rows) == len(ASKED)
    breaks_no_rule(SCHEMA, ASKED, rows)
    assert (health(rows) > 0).all()
    assert (rows[:, 5] == ASKED[:, 5]).all()  # categorical


def test_every_change_is_needed():
    for row, factual in zip(answers_of(fitted(), queries_of(SCHEMA, ASKED)).values(), ASKED, strict=True):
        for j in np.flatnonzero(row != factual):
            without = row.copy()
            without[j] = factual[j]
            assert health(without[None])[0] <= 0


@quick
@given(st.integers(0, len(ROWS) - 1), st.lists(st.floats(-1e6, 1e6), min_size=9, max_size=9))
def test_what_is_lawful_stays_as_it_is(i, moves):
    space = Space.of(SCHEMA, ROWS, hold_levels=False)
    once = space.lawful(ROWS[i], ROWS[i] + np.array(moves)[None])
    breaks_no_rule(SCHEMA, ROWS[i][None], once)
    assert once[0, 5] == ROWS[i, 5]
    np.testing.assert_array_equal(space.lawful(ROWS[i], once), once)
    for j in np.flatnonzero((SCHEMA.steps > 0) & (once[0] != ROWS[i])):
        steps = once[0, j] / SCHEMA.steps[j]
        assert steps == pytest.approx(np.rint(steps), abs=1e-9)


def test_levels_are_held_where_the_classifier_knows_nothing_between_them():
    class Strict(Smooth):
        def predict_proba(self, rows):
            if (rows[:, [3, 4]] % 1).any():
                raise ValueError("a code that is no level")
            return super().predict_proba(rows)

    answers = answers_of(fitted(Strict()), queries_of(SCHEMA, ASKED))
    rows = np.array(list(answers.values()))
    assert len(rows) > 20
    assert (health(rows) > 0).all()
    asked = ASKED[[int(i[1:]) for i in answers]]
    np.testing.assert_array_equal(rows[:, [3, 4]], asked[:, [3, 4]])


# -- company ---------------------------------------------------------------------------------------------------------
@quick
@given(order=st.permutations(range(len(ASKED))), cut=st.integers(0, len(ASKED)))
def test_neither_order_nor_sharding_changes_an_answer(order, cut):
    generator, queries = fitted(steps=60), queries_of(SCHEMA, ASKED)
    together = answers_of(generator, queries)
    apart = answers_of(generator, queries.take(order[:cut])) | answers_of(generator, queries.take(order[cut:]))
    assert together.keys() == apart.keys()
    assert all(np.array_equal(together[i], apart[i]) for i in together)


@pytest.mark.parametrize("classifier", ["svm", "mlp"])
def test_one_at_a_time_is_as_good_as_all_together(classifier):
    """Matrix products differ in their last bits with the number of rows; answers are rounded far above that."""
    setting = local_setting("diabetes-progression", classifier, queries=4)
    generator, queries = setting.fit(Wachter()), setting.queries
    together = answers_of(generator, queries)
    span = queries.schema.scales.span
    for i, query_id in enumerate(queries.ids):
        alone = answers_of(generator, queries.take([i]))[query_id]
        np.testing.assert_allclose(alone / span, together[query_id] / span, atol=2e-6)


def test_queries_of_both_targets_in_one_batch():
    both = np.vstack([ASKED[:3], ROWS[health(ROWS) > 0][:3]])
    queries = queries_of(SCHEMA, both)
    queries.target[3:], queries.current[3:] = 0, 1
    rows = np.array(list(answers_of(fitted(), queries).values()))
    assert (health(rows) > 0).tolist() == [True] * 3 + [False] * 3


@pytest.mark.parametrize("n", [0, 1])
def test_no_query_and_one_query(n):
    frame = fitted().generate(queries_of(SCHEMA, ASKED[:n]))
    assert list(frame.columns) == ["query_id", *SCHEMA.names]
    assert list(frame["query_id"]) == ["q0"][:n]


def test_a_step_is_one_prediction_and_one_derivative_for_all_queries():
    model = Smooth()
    generator = fitted(model, steps=50)
    model.calls.clear()
    answers_of(generator, queries_of(SCHEMA, ASKED))
    assert model.calls[0] == len(ASKED)
    assert len(model.calls) < 2 * 51 + 1 + len(SCHEMA) + 12 + 1
    assert max(model.calls) <= 8 * len(ASKED)  # when it settles


# -- restarts --------------------------------------------------------------------------------------------------------
class Plateau(Smooth):
    """As logistic as the others, but flat where the score is low: nothing says where to go."""

    def predict_proba(self, rows):
        self.calls.append(len(rows))
        p = 1 / (1 + np.exp(-np.maximum(self.score(rows), -0.2)))
        return np.column_stack([1 - p, p])

    def gradient(self, rows):
        return np.where(self.score(rows)[:, None] > -0.2, super().gradient(rows), 0.0)


def test_a_plateau_is_left_by_starting_elsewhere():
    queries = queries_of(SCHEMA, ASKED)
    stuck = answers_of(fitted(Plateau(), restarts=0), queries)
    freed = answers_of(fitted(Plateau(), restarts=5), queries)
    assert len(stuck) < 5
    assert len(freed) > 20
    assert (health(np.array(list(freed.values()))) > 0).all()


def test_where_it_starts_again_is_the_seeds_business():
    queries = queries_of(SCHEMA, ASKED[[-1, -1]])
    answers = answers_of(fitted(Plateau(), restarts=5, steps=3), queries)
    assert not np.array_equal(answers["q0"], answers["q1"])
    again = answers_of(fitted(Plateau(), restarts=5, steps=3), queries)
    assert all(np.array_equal(answers[i], again[i]) for i in answers)


# -- the end ---------------------------------------------------------------------------------------------------------
def test_a_class_that_is_nowhere_ends_the_search():
    model = Nobody()
    assert answers_of(fitted(model), queries_of(SCHEMA, ASKED)) == {}
    assert len(model.calls) < 2 * 500 + 10


def test_who_cannot_be_flipped_is_abstained_from():
    """Those on drug b are 1.5 healthier; nothing else may change here, so only who is near enough gets across."""
    frozen = FeatureSchema(
        tuple(f.model_copy(update={"mutable": f.name == "dose"}) for f in SCHEMA.features), SCHEMA.scales
    )
    possible = {f"q{i}" for i, row in enumerate(ASKED) if health(np.array([row]))[0] + 0.1 * row[0] > 1e-9}
    assert 0 < len(possible) < len(ASKED)
    assert answers_of(fitted(schema=frozen), queries_of(frozen, ASKED)).keys() == possible
    assert DRUG.max() == 1.5


def test_nothing_is_asked_when_nothing_may_change():
    frozen = FeatureSchema(tuple(f.model_copy(update={"mutable": False}) for f in SCHEMA.features), SCHEMA.scales)
    model = Smooth()
    generator = fitted(model, frozen)
    model.calls.clear()
    assert answers_of(generator, queries_of(frozen, ASKED)) == {}
    assert model.calls == []


class Clock:
    """Goes on when it is told to, and not while the machine is busy with something else."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.mark.parametrize("kind", [Nobody, Smooth])
def test_the_deadline_is_honoured(kind, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock.monotonic)

    class Slow(kind):
        def predict_proba(self, rows):
            clock.now += 0.02
            return super().predict_proba(rows)

    generator = fitted(Slow(), seconds=0.05)  # half a second for all
    clock.now = 0.0
    answers = answers_of(generator, queries_of(SCHEMA, ASKED[:10]))
    assert clock.now < 0.5 + 0.2
    assert (len(answers) == 0) == (kind is Nobody)
    if answers:
        assert (health(np.array(list(answers.values()))) > 0).all()


# -- real tables -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dataset", ["breast-cancer", "diabetes-progression"])
@pytest.mark.parametrize("classifier", ["svm", "mlp"])
def test_real_tables(dataset, classifier):
    """Everybody is brought across, lawfully, and much less far than to the nearest person on the other side."""
    setting = local_setting(dataset, classifier, queries=20)
    schema, gowers = setting.queries.schema, []
    for generator in (Wachter(), NearestOpposite()):
        answers = setting.admit(setting.fit(generator).generate(setting.queries))
        gaps = schema.gaps(answers.matrix, setting.queries.matrix[answers.owner])
        gowers.append(gaps.mean())
        if isinstance(generator, Wachter):
            assert len(answers.owner) == len(setting.queries)
            assert not any(answers.reasons)
            assert (setting.classes(answers) == setting.queries.target[0]).all()
    assert gowers[0] < 0.75 * gowers[1]


def test_a_classifier_without_slopes_is_not_for_it():
    from sensecf_bench.errors import AccessError

    setting = local_setting("breast-cancer", "random-forest", queries=2)
    with pytest.raises(AccessError, match="offers no gradients"):
        setting.fit(Wachter()).generate(setting.queries)
