"""What holds for every table and classifier: rules of the schema, one call a step, no dependence on company."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nice_tables import draw, fit
from nice_tasks import Counted, answers_of, queries_of, schema_of, task_of
from sensecf_nice import Nice, NicePlausibility, NiceProximity, NiceSparsity
from sensecf_nice.distance import Heom, Reach

from sensecf_bench.admission import broken_rules

GENERATORS = (Nice, NiceSparsity, NiceProximity, NicePlausibility)
LEVELS = (0, 3, 0, 2, 0, 4, 0, 0)
ROWS, LABELS, ASKED = draw("mixed")
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])

directions = st.sampled_from(["any", "increase", "decrease"])
number_rules = st.fixed_dictionaries({"mutable": st.booleans(), "direction": directions})
binary_rules = st.fixed_dictionaries({"mutable": st.booleans(), "direction": directions, "kind": st.just("binary")})
level_rules = st.fixed_dictionaries({"mutable": st.booleans()})
rules = st.fixed_dictionaries(
    {f"f{j}": {0: number_rules, 2: binary_rules}.get(n, level_rules) for j, n in enumerate(LEVELS)}
)


def fitted(cls, changes, classifier="logistic", **options):
    predict_proba = Counted(fit(classifier, ROWS, LABELS))
    schema = schema_of(LEVELS, ROWS, **changes)
    generator = cls(cls.Options(**options))
    generator.fit(task_of(schema, ROWS, LABELS, predict_proba))
    queries = queries_of(schema, ASKED, predict_proba)
    predict_proba.calls.clear()
    return generator, queries, predict_proba


@quick
@given(changes=rules, cls=st.sampled_from(GENERATORS), classifier=st.sampled_from(["logistic", "stumps"]))
def test_answers_break_no_rule_and_flip(changes, cls, classifier):
    generator, queries, predict_proba = fitted(cls, changes, classifier)
    answers = answers_of(generator, queries)
    if not answers:
        return
    positions = [queries.ids.index(i) for i in answers]
    rows = np.array(list(answers.values()))
    broken = broken_rules(queries.schema, queries.matrix[positions], rows)
    assert not any(mask.any() for mask in broken.values())
    assert (predict_proba(rows).argmax(axis=1) == queries.target[positions]).all()


@quick
@given(changes=rules)
def test_a_neighbour_is_found_exactly_if_some_copy_flips_and_it_is_the_nearest(changes):
    generator, queries, predict_proba = fitted(Nice, changes)
    answers = answers_of(generator, queries)
    reach, heom = Reach.of(queries.schema), Heom.of(queries.schema, ROWS)
    predicted = predict_proba(ROWS).argmax(axis=1)
    for query_id, factual, target in zip(queries.ids, queries.matrix, queries.target, strict=True):
        copies = reach.copy(factual, ROWS[(predicted == LABELS) & (predicted == target)])
        flipping = copies[predict_proba(copies).argmax(axis=1) == target]
        assert (query_id in answers) == bool(len(flipping))
        if len(flipping):
            reached = heom.between(np.broadcast_to(factual, flipping.shape), flipping)
            assert np.array_equal(answers[query_id], flipping[reached.argmin()])


@quick
@given(changes=rules, cls=st.sampled_from(GENERATORS), order=st.permutations(range(len(ASKED))), cut=st.integers(0, 24))
def test_neither_order_nor_sharding_changes_an_answer(changes, cls, order, cut):
    generator, queries, _ = fitted(cls, changes)
    together = answers_of(generator, queries)
    apart = answers_of(generator, queries.take(order[:cut])) | answers_of(generator, queries.take(order[cut:]))
    assert together.keys() == apart.keys()
    assert all(np.array_equal(together[i], apart[i]) for i in together)


@pytest.mark.parametrize("cls", GENERATORS)
@pytest.mark.parametrize("n", [0, 1])
def test_no_query_and_one_query(cls, n):
    generator, queries, _ = fitted(cls, {})
    frame = generator.generate(queries.take(list(range(n))))
    assert list(frame.columns) == ["query_id", *queries.schema.names]
    assert list(frame["query_id"]) == ["q0"][:n]


@pytest.mark.parametrize("cls", GENERATORS)
def test_prediction_calls_grow_with_steps_and_not_with_queries(cls):
    generator, queries, predict_proba = fitted(cls, {})
    queries = queries.take([i for i in range(len(queries)) if queries.target[i] == 1])
    answers = answers_of(generator, queries)
    steps = max((answers[i] != row).sum() for i, row in zip(queries.ids, queries.matrix, strict=True))
    assert len(queries) > steps
    assert len(predict_proba.calls) == (0 if cls is Nice else steps)


def test_stock_ignores_the_rules():
    changes = {f"f{j}": {"mutable": False} for j in range(len(LEVELS))}
    generator, queries, _ = fitted(NiceSparsity, changes, stock=True)
    free, same_queries, _ = fitted(NiceSparsity, {})
    stock, unruled = answers_of(generator, queries), answers_of(free, same_queries)
    assert all(np.array_equal(stock[i], unruled[i]) for i in queries.ids)


def test_abstains_when_nothing_may_change():
    generator, queries, _ = fitted(NiceSparsity, {f"f{j}": {"mutable": False} for j in range(len(LEVELS))})
    assert len(generator.generate(queries)) == 0


def test_abstains_when_no_training_row_is_in_the_target_class():
    schema = schema_of(LEVELS, ROWS)
    generator = Nice()
    generator.fit(task_of(schema, ROWS, LABELS, lambda rows: np.tile([1.0, 0.0], (len(rows), 1))))
    queries = queries_of(schema, ASKED, fit("logistic", ROWS, LABELS))
    queries = queries.take([i for i in range(len(queries)) if queries.target[i] == 1])
    assert len(queries)
    assert len(generator.generate(queries)) == 0


def test_most_neighbours_caps_the_search():
    changes = {f"f{j}": {"mutable": False} for j in (0, 2)}
    complete, queries, _ = fitted(Nice, changes)
    capped, same, predict_proba = fitted(Nice, changes, most_neighbours=1)
    everything, first_only = answers_of(complete, queries), answers_of(capped, same)
    assert 0 < len(first_only) < len(everything)
    assert max(predict_proba.calls) <= len(queries)


def test_unjustified_neighbours_may_be_misclassified():
    justified, queries, _ = fitted(Nice, {})
    anyone, _, predict_proba = fitted(Nice, {}, justified=False)
    wrong = ROWS[predict_proba(ROWS).argmax(axis=1) != LABELS]

    def copied(answers):
        return sum(bool((wrong == row).all(axis=1).any()) for row in answers.values())

    assert copied(answers_of(justified, queries)) == 0 < copied(answers_of(anyone, queries))


@pytest.mark.parametrize("cls", GENERATORS)
def test_small_working_arrays_give_the_same_answers(cls, monkeypatch):
    generator, queries, _ = fitted(cls, {"f0": {"mutable": False}, "f2": {"direction": "increase"}})
    at_once = answers_of(generator, queries)
    for module, limit in (
        ("generators", "LARGEST_ARRAY"),
        ("neighbours", "CELLS_PER_CALL"),
        ("distance", "BLOCK_CELLS"),
    ):
        monkeypatch.setattr(f"sensecf_nice.{module}.{limit}", 1)
    one_by_one = answers_of(generator, queries)
    assert at_once.keys() == one_by_one.keys()
    assert all(np.array_equal(at_once[i], one_by_one[i]) for i in at_once)


@quick
@given(st.data())
def test_blocks_do_not_change_a_distance(data):
    seed, d, m, q = (data.draw(st.integers(1, limit)) for limit in (10**6, 40, 300, 12))
    rng = np.random.default_rng(seed)
    levels = tuple(int(n) for n in rng.choice([0, 0, 2, 5], d))
    columns = [rng.integers(0, n, m + q).astype(float) if n else rng.normal(size=m + q) for n in levels]
    rows = np.column_stack(columns)
    schema = schema_of(levels, rows)
    heom, factuals, candidates = Heom.of(schema, rows), rows[:q], rows[q:]
    table = heom.to_all(factuals, candidates, Reach.anywhere(schema))
    for i, factual in enumerate(factuals):
        assert np.array_equal(table[i], heom.between(np.broadcast_to(factual, candidates.shape), candidates))
