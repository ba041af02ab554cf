"""Intervals: against scipy, by simulation, and where there is nothing to report."""

import dataclasses

import numpy as np
import pytest

from sensecf_bench.contracts import MeanMetric, Metric, Sums, ratio
from sensecf_bench.metrics import resampling
from sensecf_bench.metrics.bootstrap import Difference, Estimate, difference, estimates, pooled, wilson
from sensecf_bench.metrics.resampling import Clusters


class Mean(MeanMetric):
    """A mean of anything."""

    name, direction, unit = "mean", "lower", "things"

    def values(self, judged):
        raise NotImplementedError


class Share(Mean):
    """A mean of values in [0, 1]."""

    name, is_share = "share", True


class PerValid(Metric):
    """A ratio of sums."""

    name, direction, unit = "per-valid", "lower", "things"

    def sums(self, judged):
        raise NotImplementedError

    def value(self, totals):
        return ratio(totals[..., 0], totals[..., 1])


def of(values, eligible=None):
    """Sums of a mean; NaN is a query without a score."""
    values = np.asarray(values, dtype=float)
    scored = np.isfinite(values)
    parts = np.column_stack([np.where(scored, values, 0), scored])
    return Sums(parts, scored if eligible is None else np.asarray(eligible), scored)


def estimate(metric, values, clusters=None, eligible=None, **settings):
    sums = values if isinstance(values, Sums) else of(values, eligible)
    labels = np.arange(len(sums.scored)) if clusters is None else clusters
    return estimates([(metric, sums)], labels, **settings)[metric.name]


# -- the resamples themselves ------------------------------------------------------------------------------------
@pytest.mark.parametrize("block", [7, 8192])
def test_weights_are_those_of_drawing_with_replacement(monkeypatch, block):
    monkeypatch.setattr(resampling, "BLOCK", block)
    n = 40
    weights, doubled = Clusters.of(np.arange(n)).resampled_totals([np.eye(n), 2 * np.eye(n)], seed=0, resamples=4000)
    assert (weights.sum(axis=1) == n).all() and (weights == np.rint(weights)).all()
    np.testing.assert_array_equal(doubled, 2 * weights)
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.08)
    np.testing.assert_allclose(weights.var(axis=0), 1 - 1 / n, atol=0.15)
    correlation = np.corrcoef(weights.T)[~np.eye(n, dtype=bool)]
    np.testing.assert_allclose(correlation.mean(), -1 / (n - 1), atol=0.003)


@pytest.mark.parametrize("at_once", [1, 13, 500])
def test_working_memory_changes_no_resample(monkeypatch, at_once):
    monkeypatch.setattr(resampling, "BLOCK", 16)
    rng = np.random.default_rng(0)
    parts, people = rng.random((100, 3)), Clusters.of(rng.integers(0, 60, 100))
    np.testing.assert_allclose(
        people.resampled_totals([parts], 5, 500, at_once)[0], people.resampled_totals([parts], 5, 500)[0], rtol=1e-12
    )


def test_clusters_move_as_one():
    labels = np.array(["b", "a", "b", "c", "a"])
    weights = Clusters.of(labels).resampled_totals([np.eye(5)], seed=1, resamples=50)[0]
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    np.testing.assert_array_equal(weights[:, 1], weights[:, 4])
    assert (weights[:, 0] != weights[:, 1]).any()


def test_the_order_of_queries_is_no_matter():
    rng = np.random.default_rng(2)
    values, labels, order = rng.random(80), rng.integers(0, 30, 80), rng.permutation(80)
    one, other = estimate(Mean(), values, labels), estimate(Mean(), values[order], labels[order])
    assert (other.value, other.low, other.high) == pytest.approx((one.value, one.low, one.high), rel=1e-12)


def test_a_seed_decides_the_interval():
    values = np.random.default_rng(3).random(50)
    assert estimate(Mean(), values, seed=4) == estimate(Mean(), values, seed=4)
    assert estimate(Mean(), values, seed=4) != estimate(Mean(), values, seed=5)


# -- against others ----------------------------------------------------------------------------------------------
def test_agrees_with_scipy():
    from scipy.stats import bootstrap

    values = np.random.default_rng(6).gamma(2.0, size=200)
    ours = estimate(Mean(), values, resamples=20_000)
    theirs = bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(7)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours.value == pytest.approx(values.mean())
    assert abs(ours.low - theirs.low) < 0.03 * width and abs(ours.high - theirs.high) < 0.03 * width


def test_the_interval_holds_the_truth_as_often_as_it_says():
    """Clustered data: 60 people with 1 to 4 answers each, the answers of one person alike. Nominal: 95 %."""
    rng = np.random.default_rng(8)
    hits = naive = 0
    for trial in range(500):
        labels = np.repeat(np.arange(60), rng.integers(1, 5, 60))
        values = rng.exponential(1.0, 60)[labels] + rng.normal(0, 0.2, len(labels))
        by_person = estimate(Mean(), values, labels, seed=trial, resamples=400)
        by_answer = estimate(Mean(), values, seed=trial, resamples=400)
        hits += by_person.low <= 1 <= by_person.high
        naive += by_answer.low <= 1 <= by_answer.high
    assert 0.91 <= hits / 500 <= 0.97
    assert naive / 500 < 0.85  # what ignoring the clusters would have claimed to be 95 %


def test_asking_the_same_people_again_brings_no_precision():
    values = np.random.default_rng(9).random(30)
    once, tenfold = estimate(Mean(), values), estimate(Mean(), np.tile(values, 10), np.tile(np.arange(30), 10))
    fresh = estimate(Mean(), np.tile(values, 10))
    assert tenfold.high - tenfold.low == pytest.approx(once.high - once.low)
    assert (fresh.high - fresh.low) * 2.5 < once.high - once.low


def test_metrics_of_one_call_share_their_resamples():
    values = np.random.default_rng(10).random(40)
    found = estimates([(Mean(), of(values)), (Share(), of(1 - values))], np.arange(40), seed=1)
    assert found["mean"].low == pytest.approx(1 - found["share"].high)
    alone = estimates([(Share(), of(1 - values))], np.arange(40), seed=1)
    assert alone["share"].low == pytest.approx(found["share"].low)


# -- where the bootstrap has no width ----------------------------------------------------------------------------
@pytest.mark.parametrize(("hits", "n"), [(0, 45), (45, 45), (3, 10), (1, 1), (0, 1)])
def test_wilson_agrees_with_scipy(hits, n):
    from scipy.stats import binomtest

    theirs = binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits / n, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_none_of_45_is_not_certainty():
    none, all_ = estimate(Share(), np.zeros(45)), estimate(Share(), np.ones(45))
    assert (none.value, none.low) == (0, 0) and none.high == pytest.approx(0.0787, abs=1e-4)
    assert (all_.value, all_.high) == (1, 1) and all_.low == pytest.approx(0.9213, abs=1e-4)


def test_wilson_counts_people_and_only_those_scored():
    nine = estimate(Share(), np.zeros(45), np.arange(45) % 9)
    assert nine.high == pytest.approx(wilson(0, 9)[1])
    some = estimate(Share(), [0.0] * 9 + [np.nan] * 36)
    assert some.high == pytest.approx(wilson(0, 9)[1]) and (some.scored, some.eligible, some.asked) == (9, 9, 45)


def test_a_mean_that_is_no_share_keeps_its_bootstrap():
    assert estimate(Mean(), np.zeros(45)) == Estimate(0.0, 0.0, 0.0, 45, 45, 45)


# -- where there is nothing to report ----------------------------------------------------------------------------
def test_nobody_eligible():
    assert estimate(Mean(), [np.nan] * 4) == Estimate(None, None, None, 0, 0, 4)


def test_nobody_asked():
    assert estimate(Mean(), []) == Estimate(None, None, None, 0, 0, 0)


def test_a_partial_mean_is_no_value():
    assert estimate(Mean(), [1, 2, np.nan], eligible=[True] * 3) == Estimate(None, None, None, 2, 3, 3)


def test_undefined_is_none_and_never_nan():
    free = Sums(np.array([[1.0, 0.0]] * 4), np.ones(4, bool), np.ones(4, bool))
    assert estimate(PerValid(), free) == Estimate(None, None, None, 4, 4, 4)


def test_too_few_resamples_with_a_value_give_no_interval():
    """One valid answer among 45: a third of the resamples leave it out and have no cost per valid one."""
    parts = np.ones((45, 2))
    parts[1:, 1] = 0
    everyone = np.ones(45, bool)
    assert estimate(PerValid(), Sums(parts, everyone, everyone)) == Estimate(45.0, None, None, 45, 45, 45)
    parts[:20, 1] = 1
    found = estimate(PerValid(), Sums(parts, everyone, everyone))
    assert found.low < found.value == 45 / 20 < found.high


def test_one_person_has_no_spread():
    assert estimate(Mean(), [1, 2, 3], ["a"] * 3) == Estimate(2.0, None, None, 3, 3, 3)


def test_no_resamples_no_interval():
    assert estimate(Mean(), [1, 2, 3], resamples=0) == Estimate(2.0, None, None, 3, 3, 3)


def test_a_metric_without_value_disturbs_no_other():
    values = np.random.default_rng(11).random(20)
    alone = estimate(Share(), values)
    both = estimates([(Mean(), of([np.nan] * 20)), (Share(), of(values))], np.arange(20))
    assert both["mean"].value is None and both["share"] == alone


def test_an_estimate_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        estimate(Mean(), [1, 2]).value = 3


def test_pooling_is_putting_cells_end_to_end():
    one, other = of([1, np.nan]), of([3, 5])
    assert estimate(Mean(), pooled([one, other])).value == 3
    assert estimate(Mean(), pooled([one, other])).asked == 4
    with pytest.raises(ValueError, match="dimension"):
        pooled([one, Sums(np.zeros((1, 3)), np.ones(1, bool), np.ones(1, bool))])


# -- paired differences ------------------------------------------------------------------------------------------
def paired(metric, first, second, keys=None, others=None, clusters=None, **settings):
    first, second = (s if isinstance(s, Sums) else of(s) for s in (first, second))
    keys = np.arange(len(first.scored)) if keys is None else keys
    others = np.arange(len(second.scored)) if others is None else others
    clusters = keys if clusters is None else clusters
    return difference(metric, first, second, first_keys=keys, second_keys=others, clusters=clusters, **settings)


def test_a_pair_is_told_apart_where_two_samples_are_not():
    rng = np.random.default_rng(12)
    people = rng.normal(10, 3, 60)
    first, second = people + rng.normal(0.3, 0.3, 60), people
    found = paired(Mean(), first, second)
    assert found.value == pytest.approx((first - second).mean()) and found.common == 60
    assert 0 < found.low < found.value < found.high
    one, other = estimate(Mean(), first), estimate(Mean(), second)
    assert one.low < other.high


def test_pairs_agree_with_the_bootstrap_of_their_differences():
    rng = np.random.default_rng(13)
    first, second = rng.random(50), rng.random(50)
    found, direct = paired(Mean(), first, second), estimate(Mean(), first - second)
    assert (found.value, found.low, found.high) == pytest.approx((direct.value, direct.low, direct.high))


def test_pairs_are_found_by_key_among_what_both_scored():
    rng = np.random.default_rng(14)
    keys = np.array([f"q{i}" for i in range(40)])
    first, second = rng.random(40), rng.random(40)
    first[:5], second[3:9] = np.nan, np.nan
    order = rng.permutation(40)
    found = paired(Mean(), first, second[order], keys, keys[order])
    assert found.common == 31
    assert found.value == pytest.approx((first - second)[9:].mean())
    assert found == paired(Mean(), first, second, keys, keys)


def test_a_difference_of_ratios_is_a_difference_of_ratios():
    rng = np.random.default_rng(15)
    everyone = np.ones(30, bool)
    a, b = (Sums(rng.random((30, 2)) + 0.1, everyone, everyone) for _ in range(2))
    expected = a.parts[:, 0].sum() / a.parts[:, 1].sum() - b.parts[:, 0].sum() / b.parts[:, 1].sum()
    assert paired(PerValid(), a, b).value == pytest.approx(expected)


def test_people_asked_several_times_are_one_in_a_difference_too():
    rng = np.random.default_rng(16)
    first, second = rng.random(30), rng.random(30)
    once = paired(Mean(), first, second)
    again = paired(Mean(), np.tile(first, 10), np.tile(second, 10), clusters=np.tile(np.arange(30), 10))
    assert again.high - again.low == pytest.approx(once.high - once.low)


def test_two_certain_shares_differ_by_no_more_than_their_numbers_allow():
    """Two of two against none of two is no proof: Newcombe's interval of it reaches below 0.25."""
    same = paired(Share(), np.ones(45), np.ones(45))
    assert same.value == 0 and (same.low, same.high) == pytest.approx((-0.0787, 0.0787), abs=1e-4)
    tiny = paired(Share(), np.ones(2), np.zeros(2))
    assert tiny.value == 1 and tiny.low < 0.25 and tiny.high == 1
    assert paired(Share(), np.ones(45), np.zeros(45)).low > 0.85


def test_differences_that_cannot_be_told():
    everyone = np.ones(2, bool)
    assert paired(Mean(), [1, np.nan], [np.nan, 1]) == Difference(None, None, None, 0)
    partial = of([1, np.nan], eligible=[True, True])
    assert paired(Mean(), partial, [1, 2]) == Difference(None, None, None, 1)
    nothing_valid = Sums(np.array([[1.0, 0.0]] * 2), everyone, everyone)
    assert paired(PerValid(), nothing_valid, nothing_valid) == Difference(None, None, None, 2)
    assert paired(Mean(), [1], [3]) == Difference(-2.0, None, None, 1)
