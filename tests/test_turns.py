"""In what order cells are worked on."""

from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensecf_bench.engine.cells import CellSpec, Component, ContextSpec, Shortage
from sensecf_bench.engine.turns import TOGETHER, taking_turns
from sensecf_bench.engine.worker import MOST_CONTEXTS


def part(name):
    return Component(name, ("module", "tests", name), {}, {}, {}, name)


def cells(tables=1, classifiers=1, generators=1, seeds=1, levels=()):
    shortages = [Shortage("A", level, "positive") for level in levels] or [None]
    return [
        CellSpec(ContextSpec(part(f"t{t}"), part(f"c{c}"), s, shortage), part(f"g{g}"), 1, 10, 60.0, 600.0, 100, {})
        for t, s, shortage, c, g in product(
            range(tables), range(seeds), shortages, range(classifiers), range(generators)
        )
    ]


def ordered(made):
    return [made[i] for i in taking_turns(made)]


def told(made):
    return [(c.generator.name, c.context.classifier.name, c.context.dataset.name) for c in ordered(made)]


def test_tables_take_turns_then_classifiers_then_generators():
    assert told(cells(tables=2, classifiers=2, generators=2)) == [
        (g, c, t) for g in ("g0", "g1") for c in ("c0", "c1") for t in ("t0", "t1")
    ]


def test_levels_of_scarcity_take_turns():
    made = ordered(cells(generators=3, levels=(0.3, 0.5, 0.7)))
    assert [(c.generator.name, c.context.scarcity.reduction) for c in made] == [
        (g, level) for g in ("g0", "g1", "g2") for level in (0.3, 0.5, 0.7)
    ]


def test_of_many_tables_only_as_many_take_turns_as_a_worker_keeps():
    classifiers = 5
    made = ordered(cells(tables=6, classifiers=classifiers, generators=2))
    together = TOGETHER // classifiers
    for start in range(0, 6, together):
        some = made[start * classifiers * 2 : (start + together) * classifiers * 2]
        assert {c.context.dataset.name for c in some} == {f"t{t}" for t in range(start, start + together)}
    assert TOGETHER < MOST_CONTEXTS


def test_a_table_with_more_classifiers_than_are_kept_has_a_turn_alone():
    made = ordered(cells(tables=3, classifiers=TOGETHER + 1))
    tables = [c.context.dataset.name for c in made]
    assert sum(one != other for one, other in pairwise(tables)) == 2


@given(
    st.integers(1, 4),
    st.integers(1, 14),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([(), (0.1,), (0.3, 0.5)]),
)
def test_every_cell_has_one_turn(tables, classifiers, generators, seeds, levels):
    made = cells(tables, classifiers, generators, seeds, levels)
    assert sorted(taking_turns(made)) == list(range(len(made)))


@pytest.mark.parametrize("seeds", [1, 3])
def test_nobody_is_asked_about_the_same_rows_at_once_where_there_are_others(seeds):
    made = ordered(cells(tables=3, classifiers=4, generators=3, seeds=seeds))
    for one, other in pairwise(made):
        assert one.context.data_key != other.context.data_key


def test_nothing_has_no_order():
    assert taking_turns([]) == []
