"""Queries: seeds, iteration, taking some, and copies that cannot be altered from outside."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensecf_bench.contracts import CounterfactualBatch, Feature, FeatureSchema, QueryBatch
from sensecf_bench.queries import Outcome, Query, query_seed

SCHEMA = FeatureSchema(
    (Feature(name="steps", kind="integer"), Feature(name="sex", kind="binary", levels=("f", "m"), mutable=False))
)


def batch():
    return QueryBatch(
        SCHEMA,
        ("a", "b", "c"),
        np.array([[100, 0], [200, 1], [300, 1]], dtype=float),
        np.array([1, 1, 1]),
        np.array([0, 0, 0]),
        np.array([7, 8, 2**32 - 1], dtype=np.uint64),
    )


def test_the_seed_of_a_query_is_what_it_always_was():
    assert query_seed(0, "patient-001") == 4154450366
    assert query_seed(1, "patient-001") == 3095810349


@given(st.integers(0, 2**32 - 1), st.text(max_size=8))
def test_seeds_fit_every_random_generator_and_are_repeatable(run_seed, query_id):
    seed = query_seed(run_seed, query_id)
    assert 0 <= seed < 2**32
    assert seed == query_seed(run_seed, query_id)


def test_the_seed_depends_on_the_run_and_on_the_id_and_cannot_confuse_them():
    pairs = [(run, query_id) for run in (0, 1, 2, 11) for query_id in ("1", "11", "a", "")]
    assert len({query_seed(*pair) for pair in pairs}) == len(pairs)


def test_iterating_gives_raw_units_and_plain_numbers():
    assert list(batch()) == [
        Query("a", {"steps": 100, "sex": "f"}, 1, 0, 7),
        Query("b", {"steps": 200, "sex": "m"}, 1, 0, 8),
        Query("c", {"steps": 300, "sex": "m"}, 1, 0, 2**32 - 1),
    ]
    assert all(type(q.seed) is int and type(q.target) is int for q in batch())


def test_the_frame_is_indexed_by_query():
    frame = batch().frame
    assert frame.index.name == "query_id"
    assert frame.loc["b"].to_dict() == {"steps": 200, "sex": "m"}
    assert list(frame.reset_index().columns) == ["query_id", "steps", "sex"]


def test_a_frame_is_a_fresh_copy():
    queries = batch()
    frame = queries.frame
    frame.loc["a", "steps"] = -1
    frame.loc["a", "sex"] = "m"
    pd.testing.assert_frame_equal(queries.frame, batch().frame)
    np.testing.assert_array_equal(queries.matrix, batch().matrix)


@pytest.mark.parametrize(
    ("positions", "ids"),
    [
        (slice(None), "abc"),
        (slice(1, None), "bc"),
        (slice(None, None, -1), "cba"),
        (slice(5, 9), ""),
        ([2, 0], "ca"),
        ([1, 1], "bb"),
        ([], ""),
    ],
)
def test_taking_some_queries_keeps_each_with_its_own(positions, ids):
    everyone = {q.id: q for q in batch()}
    taken = batch().take(positions)
    assert len(taken) == len(ids)
    assert list(taken) == [everyone[i] for i in ids]
    assert taken.matrix.shape == (len(ids), 2)


def test_taking_all_in_shards_loses_nobody():
    queries = batch()
    shards = [queries.take(slice(i, i + 2)) for i in range(0, len(queries), 2)]
    assert [q for shard in shards for q in shard] == list(queries)


def test_a_batch_of_nobody_can_still_be_looked_at():
    nobody = batch().take([])
    assert list(nobody) == []
    assert nobody.frame.empty
    assert list(nobody.frame.columns) == ["steps", "sex"]


def test_outcomes_are_written_as_their_names():
    assert [str(o) for o in Outcome] == ["FOUND", "ABSTAINED", "UNPARSABLE", "REJECTED", "ERROR", "TIMEOUT"]


def test_notes_of_one_answer_are_not_shared_with_the_next():
    one, other = CounterfactualBatch(None), CounterfactualBatch(None)
    one.unparsable["a"] = "?"
    assert other.unparsable == {}
