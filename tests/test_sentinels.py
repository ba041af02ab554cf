"""The sentinels, whose answers are known beforehand, on both built-in tables."""

import functools

import numpy as np
import pytest

from sensecf_bench import api
from sensecf_bench.admission import Reason
from sensecf_bench.contracts import classes_of
from sensecf_bench.generators import Identity, NearestOpposite, RandomOpposite
from sensecf_bench.reports.publish import build, check
from sensecf_bench.testing import local_setting

TABLES = ("breast-cancer", "diabetes-progression")
COPIES = (RandomOpposite, NearestOpposite)
on_both = pytest.mark.parametrize("table", TABLES)
of_both = pytest.mark.parametrize("sentinel", COPIES, ids=lambda cls: cls.name)
K = 3


@functools.cache
def setting(table):
    return local_setting(table, "svm", seed=0, queries=40)


@functools.cache
def answered(table, sentinel, k):
    """The frame a sentinel gives back for all queries, and its rows as admitted."""
    s = setting(table)
    frame = s.fit(sentinel(), k=k).generate(s.queries)
    return frame, s.admit(frame, k)


def training(table):
    data = setting(table).explained.data
    return data.matrix[data.train], data.labels[data.train]


def gower_by_hand(schema, one, other):
    """Gower's distance of two rows, feature by feature, from the raw training range."""
    total = 0.0
    for j, feature in enumerate(schema.features):
        if feature.kind in ("binary", "categorical"):
            total += float(one[j] != other[j])
        else:
            total += abs(one[j] - other[j]) / (schema.scales.high[j] - schema.scales.low[j])
    return total


def test_what_the_classifier_says_of_training_rows_is_not_what_their_labels_say():
    s = setting("diabetes-progression")
    train, labels = training("diabetes-progression")
    assert np.any(classes_of(s.explained.model.predict_proba(train)) != labels)


@on_both
def test_there_is_something_to_ask(table):
    s = setting(table)
    data = s.explained.data
    assert len(s.queries) > 30
    predicted = classes_of(s.explained.model.predict_proba(s.queries.matrix))
    assert np.all(predicted == data.table.undesired)
    assert set(s.queries.ids) <= {data.ids[i] for i in data.test}
    assert np.all(s.queries.target == 1 - data.table.undesired)


@on_both
def test_identity_gives_everybody_back_and_flips_nobody(table):
    s = setting(table)
    _, rows = answered(table, Identity, 1)
    assert set(rows.reasons) == {Reason.ADMITTED}
    assert rows.owner.tolist() == list(range(len(s.queries)))
    np.testing.assert_array_equal(rows.matrix, s.queries.matrix)
    assert not np.any(s.classes(rows) == s.queries.target[rows.owner])


@on_both
@of_both
@pytest.mark.parametrize("k", [1, K])
def test_copies_are_admitted_training_rows_at_most_k_a_query_and_none_twice(table, sentinel, k):
    _, rows = answered(table, sentinel, k)
    train, _ = training(table)
    known = {row.tobytes() for row in train}
    assert len(rows.owner) > 0
    assert set(rows.reasons) == {Reason.ADMITTED}
    assert all(row.tobytes() in known for row in rows.matrix)
    assert np.bincount(rows.owner).max() == k
    for i in set(rows.owner.tolist()):
        own = rows.matrix[rows.owner == i]
        assert len({row.tobytes() for row in own}) == len(own)


@on_both
@of_both
def test_nobody_is_told_to_change_what_cannot_be_changed(table, sentinel):
    s = setting(table)
    _, rows = answered(table, sentinel, K)
    fixed = ~s.queries.schema.mutable
    assert fixed.sum() == (2 if table == "diabetes-progression" else 0)
    np.testing.assert_array_equal(rows.matrix[:, fixed], s.queries.matrix[rows.owner][:, fixed])


@on_both
def test_random_opposite_rows_carry_the_label_of_the_target_class(table):
    s = setting(table)
    _, rows = answered(table, RandomOpposite, K)
    train, labels = training(table)
    for row in rows.matrix:
        assert s.explained.data.target in labels[(train == row).all(axis=1)]


@on_both
def test_nearest_opposite_rows_are_put_in_the_target_class_by_the_classifier(table):
    s = setting(table)
    _, rows = answered(table, NearestOpposite, K)
    assert np.all(s.classes(rows) == s.queries.target[rows.owner])


@on_both
def test_nearest_opposite_is_the_nearest_by_brute_force(table):
    s = setting(table)
    _, rows = answered(table, NearestOpposite, K)
    train, _ = training(table)
    schema = s.explained.data.schema
    fixed = [j for j, feature in enumerate(schema.features) if not feature.mutable]
    opposite = train[classes_of(s.explained.model.predict_proba(train)) == s.explained.data.target]
    answers = 0
    for i, factual in enumerate(s.queries.matrix):
        distances = sorted(
            gower_by_hand(schema, factual, row) for row in opposite if all(row[j] == factual[j] for j in fixed)
        )
        own = [gower_by_hand(schema, factual, row) for row in rows.matrix[rows.owner == i]]
        assert own == pytest.approx(distances[:K])
        answers += len(own)
    assert answers == len(rows.owner)


@on_both
@of_both
def test_an_abstention_means_that_there_is_nobody_to_become(table, sentinel):
    s = setting(table)
    _, rows = answered(table, sentinel, 1)
    train, labels = training(table)
    of_target = (
        labels if sentinel is RandomOpposite else classes_of(s.explained.model.predict_proba(train))
    ) == s.explained.data.target
    fixed = ~s.queries.schema.mutable
    for i, factual in enumerate(s.queries.matrix):
        reachable = (train[of_target][:, fixed] == factual[fixed]).all(axis=1).any()
        assert reachable == (i in rows.owner)


def by_query(frame):
    return {
        query_id: group.drop(columns="query_id").to_dict("records") for query_id, group in frame.groupby("query_id")
    }


@on_both
@pytest.mark.parametrize("sentinel", [Identity, *COPIES], ids=lambda cls: cls.name)
def test_neither_the_order_nor_the_grouping_of_queries_changes_an_answer(table, sentinel):
    s = setting(table)
    frame, _ = answered(table, sentinel, K)
    generator = s.fit(sentinel(), k=K)
    backwards = generator.generate(s.queries.take(slice(None, None, -1)))
    assert by_query(backwards) == by_query(frame)
    alone = {}
    for i in range(0, len(s.queries), 7):
        alone |= by_query(generator.generate(s.queries.take([i])))
    assert alone == {query_id: rows for query_id, rows in by_query(frame).items() if query_id in alone}
    assert alone


def test_random_opposite_differs_from_query_to_query_and_from_seed_to_seed():
    s = setting("breast-cancer")
    _, rows = answered("breast-cancer", RandomOpposite, 1)
    assert len({row.tobytes() for row in rows.matrix}) > 20
    seeds = s.queries.take(slice(None))
    seeds.seeds[:] = seeds.seeds + 1
    again = s.admit(s.fit(RandomOpposite()).generate(seeds))
    assert np.mean((again.matrix == rows.matrix).all(axis=1)) < 0.5


@pytest.mark.parametrize("sentinel", [Identity, *COPIES], ids=lambda cls: cls.name)
def test_asking_about_nobody_is_answered_with_nothing(sentinel):
    s = setting("breast-cancer")
    frame = s.fit(sentinel()).generate(s.queries.take([]))
    assert len(frame) == 0
    assert set(frame.columns) == {"query_id", *s.queries.schema.names}


@on_both
def test_the_same_setting_twice_is_the_same(table):
    again = local_setting(table, "svm", seed=0, queries=40)
    assert again.queries.ids == setting(table).queries.ids
    np.testing.assert_array_equal(again.queries.seeds, setting(table).queries.seeds)
    assert again.explained.data.fingerprint == setting(table).explained.data.fingerprint


def test_sentinels_are_marked_as_such_and_declare_what_they_see():
    assert all(cls.sentinel for cls in (Identity, *COPIES))
    assert [cls.access for cls in (Identity, *COPIES)] == ["label", "training-data", "training-data"]


@of_both
def test_where_nobody_shares_what_cannot_be_changed_nobody_is_answered(sentinel):
    """On aireadi-synthetic eleven features stay, and no two people agree in all of them."""
    s = local_setting("aireadi-synthetic", "random-forest", seed=0, queries=10)
    assert len(s.queries) == 10
    assert len(s.admit(s.fit(sentinel()).generate(s.queries), 1).owner) == 0


def test_a_page_says_which_sentinels_calibrate_nothing(tmp_path):
    settings = api.RunConfig(
        datasets=("aireadi-synthetic", "breast-cancer"),
        classifiers=("random-forest",),
        generators=("identity", "nearest-opposite"),
        queries=4,
        jobs=1,
        resamples=100,
        augmentation="off",
    )
    api.run(settings, tmp_path / "run")
    pages = build(tmp_path / "run", tmp_path / "boards")
    said = {page.stem: "nearest-opposite abstains from everybody" in page.read_text() for page in pages}
    assert said == {"aireadi-synthetic": True, "breast-cancer": False}
    assert check(tmp_path / "boards")
