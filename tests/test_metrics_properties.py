"""What must hold of every built-in metric whatever the answers are."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensecf_bench.contracts import Feature, FeatureSchema
from sensecf_bench.judged import Judged, Reference, Spent
from sensecf_bench.metrics import sensecf_metrics
from sensecf_bench.queries import Outcome

FEATURES = (
    Feature(name="steps", kind="integer"),
    Feature(name="glucose", kind="continuous", precision=0.5),
    Feature(name="sleep", kind="continuous"),
    Feature(name="sex", kind="binary", levels=("f", "m"), mutable=False),
    Feature(name="stage", kind="ordinal", levels=("low", "mid", "high"), direction="decrease"),
    Feature(name="drug", kind="categorical", levels=("a", "b", "c")),
)
METRICS = [cls() for cls in sensecf_metrics()]
few = settings(max_examples=40, deadline=None)


class InThrees(Judged):
    """The same answers, worked through three at a time."""

    def in_chunks(self, size=3):
        return super().in_chunks(3)


def table(rng, n):
    return np.column_stack(
        [
            rng.integers(0, 9, n),
            rng.choice([0.0, 0.2, 0.5, 1.0, 7.5], n),
            rng.choice([0.0, 1.0, rng.normal()], n),
            rng.integers(0, 2, n),
            rng.integers(0, 3, n),
            rng.integers(0, 3, n),
        ]
    ).astype(float)


def case(seed, queries, k, kind=Judged):
    """Random answers of up to k rows a query, some of them copies of training rows, or of the query itself."""
    rng = np.random.default_rng(seed)
    training, factuals = table(rng, 25), table(rng, queries)
    owner = rng.permutation(np.repeat(np.arange(queries), rng.integers(0, k + 1, queries)))
    r = len(owner)
    rows = table(rng, r)
    rows = np.where((rng.random(r) < 0.3)[:, None], training[rng.integers(0, 25, r)], rows)
    rows = np.where((rng.random(r) < 0.2)[:, None], factuals[owner], rows)
    missing = [Outcome.ABSTAINED, Outcome.REJECTED, Outcome.ERROR]
    has_row = np.bincount(owner, minlength=queries) > 0
    return kind(
        schema=FeatureSchema(FEATURES).with_scales(training),
        factuals=factuals,
        target=rng.integers(0, 2, queries),
        outcomes=tuple(Outcome.FOUND if h else missing[rng.integers(3)] for h in has_row),
        owner=owner,
        rows=rows,
        predicted=rng.integers(0, 2, r),
        panel={"svm": rng.integers(0, 2, r), "net": rng.integers(0, 2, r)},
        reference=Reference(training, np.arange(25) % 2),
        spent=Spent(*rng.random((5, queries))),
    )


cases = st.builds(case, st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 4))


def total(metric, judged):
    return float(metric.value(metric.sums(judged).parts.sum(axis=0)))


@few
@given(cases)
def test_the_shape_of_sums(judged):
    for metric in METRICS:
        sums = metric.sums(judged)
        n = len(judged)
        assert len(sums.parts) == len(sums.eligible) == len(sums.scored) == n
        assert sums.eligible.dtype == sums.scored.dtype == bool
        assert np.isfinite(sums.parts).all(), metric.name
        assert not (sums.scored & ~sums.eligible).any(), metric.name
        assert (sums.parts[~sums.scored] == 0).all(), metric.name
        np.testing.assert_array_equal(sums.scored, sums.eligible, metric.name)


@few
@given(cases)
def test_bounds(judged):
    for metric in METRICS:
        value = total(metric, judged)
        assert np.isnan(value) or value >= 0, metric.name
        if metric.is_share or metric.name == "feature-entropy":
            assert np.isnan(value) or value <= 1, metric.name


@few
@given(cases, st.integers(0, 2**32 - 1))
def test_the_order_of_queries_and_rows_is_no_matter(judged, seed):
    rng = np.random.default_rng(seed)
    queries, rows = rng.permutation(len(judged)), rng.permutation(len(judged.rows))
    place = np.argsort(queries)
    shuffled = dataclasses.replace(
        judged,
        factuals=judged.factuals[queries],
        target=judged.target[queries],
        outcomes=tuple(judged.outcomes[i] for i in queries),
        owner=place[judged.owner][rows],
        rows=judged.rows[rows],
        predicted=judged.predicted[rows],
        panel={name: predicted[rows] for name, predicted in judged.panel.items()},
        spent=Spent(*(getattr(judged.spent, f.name)[queries] for f in dataclasses.fields(Spent))),
    )
    for metric in METRICS:
        one, other = metric.sums(judged), metric.sums(shuffled)
        np.testing.assert_allclose(other.parts, one.parts[queries], rtol=1e-9, atol=1e-12, err_msg=metric.name)
        np.testing.assert_array_equal(other.scored, one.scored[queries], metric.name)


@few
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 4))
def test_working_in_chunks_changes_nothing(seed, queries, k):
    whole, pieces = case(seed, queries, k), case(seed, queries, k, InThrees)
    for metric in METRICS:
        np.testing.assert_allclose(
            metric.sums(pieces).parts, metric.sums(whole).parts, rtol=1e-9, atol=1e-12, err_msg=metric.name
        )


@few
@given(cases)
def test_whoever_is_handed_back_unchanged_has_moved_nowhere(judged):
    same = dataclasses.replace(judged, rows=judged.factuals[judged.owner])
    for metric in METRICS:
        if metric.name in ("sparsity", "sparsity-share", "distance", "distance-l2", "diversity"):
            assert (metric.sums(same).parts[:, 0] == 0).all(), metric.name
        if metric.name == "feature-entropy":
            assert np.isnan(total(metric, same))
        if metric.name == "actionability" and judged.found.any():
            parts = metric.sums(same).parts[judged.found]
            assert (parts[:, 0] == parts[:, 1]).all()


@few
@given(cases, st.floats(-2, 2), st.integers(0, 24))
def test_copies_are_those_that_a_comparison_of_all_pairs_finds(judged, nudge, which):
    training = judged.reference.rows
    rows = judged.rows.copy()
    if len(rows):
        rows[0] = training[which]
        rows[0, 1] += nudge * 0.25  # half the precision of glucose: right at the border when nudge is ±1
        rows[0, 2] += nudge * 1e-9
    judged = dataclasses.replace(judged, rows=rows, reference=Reference(training, judged.reference.labels))
    equal = [~judged.schema.changed(np.tile(row, (25, 1)), training).any(axis=1) for row in rows]
    by_pairs = judged.mean_over_rows(np.array([e.any() for e in equal], dtype=bool))
    copying = next(m for m in METRICS if m.name == "copying")
    np.testing.assert_array_equal(copying.values(judged), by_pairs)


@few
@given(cases)
def test_diversity_is_the_mean_over_all_pairs(judged):
    diversity = next(m for m in METRICS if m.name == "diversity")
    for i, value in enumerate(diversity.values(judged)):
        own = judged.rows[judged.owner == i]
        a, b = np.triu_indices(len(own), 1)
        expected = judged.schema.gaps(own[a], own[b]).mean() if len(own) > 1 else np.nan
        assert value == pytest.approx(expected, nan_ok=True, abs=1e-12)


@few
@given(cases)
def test_a_model_fitted_once_is_used_again(judged):
    for metric in METRICS:
        if metric.of_factuals:
            metric.sums(judged)
    kept = dict(judged.reference.cache)
    for metric in METRICS:
        if metric.of_factuals:
            metric.sums(judged)
    assert all(judged.reference.cache[key] is model for key, model in kept.items())
