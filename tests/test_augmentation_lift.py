"""Lift: known answers, intervals, and what must not change them."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score

from sensecf_bench.augmentation.lift import NOTHING, Trial, lifts
from sensecf_bench.augmentation.resampled import Predictions, mean_scores
from sensecf_bench.augmentation.scores import SCORES
from sensecf_bench.errors import DataError

FEW = 200  # resamples, where the interval itself is not the point


def truth_of(seed, m=40):
    return np.random.default_rng(100 + seed).random(m) < 0.4


def told(truth, skill, key):
    """Probabilities that say more or less of the truth."""
    return np.clip(skill * truth + (1 - skill) * np.random.default_rng(key).random(len(truth)), 0, 1)


def trial(
    arm="mine", skill=0.5, *, seed=0, classifier="svm", scenario="A", reduction=0.5, dataset="table", m=40, **given
):
    truth = truth_of(seed, m)
    key = (seed, len(classifier))
    made = {
        "truth": truth,
        "full": told(truth, 0.6, (*key, 0)),
        "reduced": told(truth, 0.2, (*key, 1)),
        "augmented": told(truth, skill, (*key, 2, len(arm))),
    }
    return Trial(dataset, arm, scenario, reduction, classifier, seed, **{**made, **given})


def grid(arms, seeds=(0, 1, 2), classifiers=("svm", "forest"), **given):
    return [
        trial(a, skill, seed=s, classifier=c, **given) for a, skill in arms.items() for s in seeds for c in classifiers
    ]


def by_arm(found):
    return {lift.arm: lift for lift in found}


def every_estimate(lift):
    return [e for part in (lift.lift, lift.relative, lift.recovered, lift.over_best_control) for e in part.values()]


# -- values ------------------------------------------------------------------------------------------------------------
def by_hand(**given):
    truth = np.array([1, 1, 1, 1, 0, 0, 0, 0], dtype=bool)
    right = truth.astype(float)
    reduced, augmented = right.copy(), right.copy()
    reduced[:2] = 0.0  # two of four positives missed: accuracy 6/8, recall 1/2, F1 2/3
    augmented[:1] = 0.0  # one missed: accuracy 7/8, recall 3/4, F1 6/7
    return trial(truth=truth, full=right, reduced=reduced, augmented=augmented, **given)


def test_lift_by_hand():
    (lift,) = lifts([by_hand()], set(), resamples=FEW)
    assert lift.full == {"accuracy": 1, "precision": 1, "recall": 1, "f1": 1, "auc": 1}
    assert lift.reduced == pytest.approx({"accuracy": 6 / 8, "precision": 1, "recall": 0.5, "f1": 2 / 3, "auc": 0.75})
    assert lift.augmented["f1"] == pytest.approx(6 / 7)
    assert lift.lift["accuracy"].value == pytest.approx(12.5)
    assert lift.lift["recall"].value == pytest.approx(25)
    assert lift.relative["recall"].value == pytest.approx(50)
    assert lift.recovered["recall"].value == pytest.approx(0.5)
    assert lift.recovered["f1"].value == pytest.approx((6 / 7 - 2 / 3) / (1 / 3))
    assert lift.recovered["precision"].value is None, "precision was never lost"
    assert (lift.trials, lift.seeds) == (1, 1)


def test_shares_are_of_pooled_means_and_not_means_of_shares():
    half = by_hand(seed=0)
    wrong = 1 - half.truth.astype(float)
    none_lost = dataclasses.replace(half, seed=1, reduced=half.full, augmented=half.full)
    worse = dataclasses.replace(half, seed=2, reduced=wrong, augmented=half.full)
    (lift,) = lifts([half, none_lost, worse], set(), resamples=FEW)
    assert lift.relative["recall"].value == pytest.approx(100 * ((0.75 + 1 + 1) - (0.5 + 1 + 0)) / (0.5 + 1 + 0))
    assert lift.recovered["recall"].value == pytest.approx((2.75 - 1.5) / (3 - 1.5))


def test_scores_are_means_over_trials():
    trials = grid({"mine": 0.5})
    (lift,) = lifts(trials, set(), resamples=FEW)
    f1 = [f1_score(t.truth, t.augmented > 0.5) - f1_score(t.truth, t.reduced > 0.5) for t in trials]
    auc = [roc_auc_score(t.truth, t.augmented) for t in trials]
    assert lift.lift["f1"].value == pytest.approx(100 * np.mean(f1))
    assert lift.augmented["auc"] == pytest.approx(np.mean(auc))
    assert (lift.trials, lift.seeds) == (6, 3)


def test_an_arm_that_adds_nothing_has_no_lift_at_all():
    same = [dataclasses.replace(t, augmented=t.reduced) for t in grid({"mine": 0.5})]
    (lift,) = lifts(same, set(), resamples=FEW)
    for part in (lift.lift, lift.relative, lift.recovered, lift.over_best_control):
        for estimate in part.values():
            assert (estimate.value, estimate.low, estimate.high) == (0.0, 0.0, 0.0)


def test_two_arms_that_say_the_same_differ_by_nothing():
    mine = grid({"mine": 0.8})
    double = [dataclasses.replace(t, arm="smote") for t in mine]
    lift = by_arm(lifts([*mine, *double], {"smote"}, resamples=FEW))["mine"]
    assert lift.lift["f1"].value > 0
    for score, estimate in lift.over_best_control.items():
        assert (estimate.value, estimate.low, estimate.high) == (0.0, 0.0, 0.0)
        assert lift.best_control[score] == "smote"


def test_where_nothing_was_lost_nothing_can_be_recovered():
    for full in ("reduced", "worse than reduced"):
        trials = [
            dataclasses.replace(t, full=t.reduced if full == "reduced" else 1 - t.truth.astype(float))
            for t in grid({"mine": 0.5})
        ]
        (lift,) = lifts(trials, set(), resamples=FEW)
        for estimate in lift.recovered.values():
            assert (estimate.value, estimate.low, estimate.high) == (None, None, None)
        assert lift.lift["f1"].value is not None


def test_relative_to_nothing_is_undefined():
    t = by_hand()
    (lift,) = lifts([dataclasses.replace(t, reduced=np.zeros(8))], set(), resamples=FEW)
    assert lift.reduced["f1"] == 0
    assert lift.relative["f1"].value is None
    assert lift.lift["f1"].value == pytest.approx(100 * 6 / 7)


def test_test_rows_of_one_class_have_no_auc_and_all_the_rest():
    t = by_hand()
    (lift,) = lifts([dataclasses.replace(t, truth=np.ones(8, dtype=bool))], set(), resamples=FEW)
    assert lift.augmented["auc"] is None
    assert lift.lift["auc"].value is None
    assert (lift.lift["auc"].scored, lift.lift["auc"].eligible) == (0, 1)
    assert "auc" not in lift.best_control
    assert lift.lift["accuracy"].value is not None
    assert lift.lift["accuracy"].scored == 1


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_figure_is_ever_infinite_and_intervals_are_in_order(data):
    m = data.draw(st.integers(1, 6))
    share = st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0])
    rows = st.lists(share, min_size=m, max_size=m).map(np.array)
    truths = [data.draw(st.lists(st.booleans(), min_size=m, max_size=m).map(np.array)) for _ in range(2)]
    trials = [
        trial(arm, seed=s, truth=truths[s], full=data.draw(rows), reduced=reduced, augmented=data.draw(rows))
        for s in range(2)
        for reduced in [data.draw(rows)]
        for arm in ("mine", "smote")
    ]
    for lift in lifts(trials, {"smote"}, resamples=30):
        for e in every_estimate(lift):
            assert e.value is None or math.isfinite(e.value)
            assert (e.low is None) == (e.high is None)
            assert e.low is None or (e.value is not None and math.isfinite(e.low) and e.low <= e.high < math.inf)
        for e in (*lift.lift.values(), *lift.over_best_control.values()):
            assert e.value is None or -100 <= e.value <= 100


# -- the best control --------------------------------------------------------------------------------------------------
def test_the_best_control_is_the_best_of_them_and_of_nothing():
    trials = grid({"mine": 0.9, "smote": 0.6, "duplication": 0.4, "other-generator": 1.0})
    found = by_arm(lifts(trials, {"smote", "duplication"}, resamples=FEW))
    mine, smote = found["mine"], found["smote"]
    assert mine.best_control["f1"] == "smote"
    difference = mine.augmented["f1"] - smote.augmented["f1"]
    assert mine.over_best_control["f1"].value == pytest.approx(100 * difference)
    assert smote.best_control["f1"] == "duplication", "a control is compared with the others"

    harmful = by_arm(lifts(grid({"mine": 0.9, "smote": 0.0}), {"smote"}, resamples=FEW))["mine"]
    assert harmful.best_control["f1"] == NOTHING
    assert harmful.over_best_control["f1"].value == harmful.lift["f1"].value


def test_choosing_the_best_control_is_part_of_the_interval():
    """Three controls that are as good as each other: whichever is lucky is taken, so that the mean difference is below
    the one to any of them alone."""
    names = ("a", "bb", "ccc")  # of different lengths, which is what their draws hang on
    trials = grid({"mine": 0.5, **dict.fromkeys(names, 0.5)})
    all_of_them = by_arm(lifts(trials, set(names)))["mine"].over_best_control["f1"]
    for name in names:
        one = by_arm(lifts(trials, {name}))["mine"].over_best_control["f1"]
        assert all_of_them.high <= one.high
        assert all_of_them.low <= one.low


def test_who_else_takes_part_changes_nothing():
    alone = grid({"mine": 0.7})
    in_company = [*alone, *grid({"other": 0.9})]
    assert by_arm(lifts(alone, set(), resamples=FEW))["mine"] == by_arm(lifts(in_company, set(), resamples=FEW))["mine"]


# -- intervals ---------------------------------------------------------------------------------------------------------
def test_arms_and_levels_are_drawn_together():
    """What an arm brings at one level is the same number at another where it predicts the same."""
    trials = [t for r in (0.1, 0.7) for t in grid({"mine": 0.7}, reduction=r)]
    one, other = lifts(trials, set(), resamples=FEW)
    assert (one.reduction, other.reduction) == (0.1, 0.7)
    assert one.lift == other.lift


def test_the_order_of_trials_is_no_matter_and_the_seed_is():
    trials = grid({"mine": 0.7, "smote": 0.5})
    backwards = lifts(trials[::-1], {"smote"}, resamples=FEW)
    assert lifts(trials, {"smote"}, resamples=FEW) == backwards
    assert lifts(trials, {"smote"}, resamples=FEW, seed=1) != backwards


def test_rows_alone_make_the_width_that_a_binomial_has():
    """One seed and a classifier that is right in 70 % of 400 rows after being right in none: the standard error of the
    share is √(0.7 · 0.3 / 400), and a 95 % interval 2 · 1.96 of it wide."""
    truth = np.arange(400) % 2 == 0
    wrong = 1 - truth.astype(float)
    right = np.where(np.arange(400) % 10 < 7, truth, wrong).astype(float)
    (lift,) = lifts([trial(truth=truth, full=truth.astype(float), reduced=wrong, augmented=right)], set())
    accuracy = lift.lift["accuracy"]
    assert accuracy.value == pytest.approx(70)
    assert accuracy.high - accuracy.low == pytest.approx(2 * 1.96 * 100 * np.sqrt(0.7 * 0.3 / 400), rel=0.1)
    assert accuracy.low < 70 < accuracy.high


def test_seeds_that_differ_widen_the_interval_though_no_row_does():
    """Of four seeds two gain everything and two nothing, whatever rows are drawn: a mean of four coins."""
    trials = []
    for s in range(4):
        right = truth_of(s).astype(float)
        trials.append(trial(seed=s, full=right, reduced=1 - right, augmented=right if s < 2 else 1 - right))
    (lift,) = lifts(trials, set())
    accuracy = lift.lift["accuracy"]
    assert (accuracy.value, accuracy.low, accuracy.high) == (50, 0, 100)  # P(0 of 4) = 1/16 > 2.5 %


def test_the_same_people_under_several_seeds_are_no_more_people():
    """A fixed split under four seeds that all predict the same is as uncertain as one seed; were the rows of each seed its
    own, the mean of four would be half as wide."""
    truth = np.arange(200) % 2 == 0
    wrong = 1 - truth.astype(float)
    right = np.where(np.arange(200) % 10 < 7, truth, wrong).astype(float)
    common = {"truth": truth, "full": truth.astype(float), "reduced": wrong, "augmented": right}

    def width(seeds, people):
        (lift,) = lifts([trial(seed=s, people=people, **common) for s in seeds], set())
        return lift.lift["accuracy"].high - lift.lift["accuracy"].low

    binomial = 2 * 1.96 * 100 * np.sqrt(0.7 * 0.3 / 200)
    assert width((0,), "these") == pytest.approx(binomial, rel=0.1)
    assert width((0, 1, 2, 3), "these") == pytest.approx(binomial, rel=0.1)
    assert width((0, 1, 2, 3), "") < 0.75 * binomial


def test_people_of_a_seed_of_its_own_change_no_draw():
    trials = grid({"mine": 0.7, "smote": 0.5})
    named = [dataclasses.replace(t, people=f"those of {t.seed}") for t in trials]
    assert lifts(named, {"smote"}, resamples=FEW) == lifts(trials, {"smote"}, resamples=FEW)


def test_resamples_spread_as_those_of_a_plain_bootstrap_do():
    """Rows drawn with replacement one by one, and scored by scikit-learn."""
    rng = np.random.default_rng(8)
    truth = rng.random(60) < 0.5
    probability = np.round(told(truth, 0.3, 8), 1)
    (means,) = mean_scores([{0: Predictions(truth, probability[None, None])}], seed=3, resamples=4000)
    assert means.shape == (1, 5, 4001)
    assert means[0, 4, 0] == pytest.approx(roc_auc_score(truth, probability))
    assert means[0, 3, 0] == pytest.approx(f1_score(truth, probability > 0.5))
    drawn = [rng.integers(0, 60, 60) for _ in range(600)]
    for j, plain in (
        (3, [f1_score(truth[i], probability[i] > 0.5) for i in drawn]),
        (4, [roc_auc_score(truth[i], probability[i]) for i in drawn]),
    ):
        assert means[0, j, 1:].mean() == pytest.approx(np.mean(plain), abs=0.01)
        assert means[0, j, 1:].std() == pytest.approx(np.std(plain), rel=0.1)


def test_many_rows_are_taken_block_by_block():
    """Blocks are narrower than the number of resamples here, and every resample is filled."""
    truth = np.arange(5000) % 2 == 0
    predictions = {s: Predictions(truth, told(truth, 0.3, s)[None, None]) for s in (0, 1)}
    (means,) = mean_scores([predictions], seed=0, resamples=150)
    assert np.isfinite(means).all()
    assert np.abs(means[0, :, 1:].mean(axis=1) - means[0, :, 0]).max() < 0.01
    assert means[0, 0, 1:].std() > 0


# -- trials that are missing or do not belong together -----------------------------------------------------------------
def test_a_trial_that_an_arm_lacks_counts_as_nothing_added():
    whole = grid({"mine": 0.8, "smote": 0.6})
    dropped = [t for t in whole if (t.arm, t.seed) != ("mine", 2)]
    stated = [dataclasses.replace(t, augmented=t.reduced) if (t.arm, t.seed) == ("mine", 2) else t for t in whole]
    without, said = (by_arm(lifts(t, {"smote"}, resamples=FEW))["mine"] for t in (dropped, stated))
    assert [e.value for e in every_estimate(without)] == [e.value for e in every_estimate(said)]
    assert [e.low for e in every_estimate(without)] == [e.low for e in every_estimate(said)]
    assert (without.trials, without.seeds, said.trials) == (4, 2, 6)
    f1 = without.lift["f1"]
    assert (f1.scored, f1.eligible, f1.asked) == (4, 4, 6)


def test_a_seed_with_fewer_classifiers_counts_for_less():
    trials = [t for t in grid({"mine": 0.7}) if (t.seed, t.classifier) != (1, "svm")]
    (lift,) = lifts(trials, set(), resamples=FEW)
    f1 = [f1_score(t.truth, t.augmented > 0.5) for t in trials]
    assert lift.augmented["f1"] == pytest.approx(np.mean(f1))
    assert lift.trials == 5


def test_datasets_are_kept_apart():
    trials = [*grid({"mine": 0.7}, dataset="b"), *grid({"mine": 0.7}, dataset="a", m=25)]
    found = lifts(trials, set(), resamples=FEW)
    assert [lift.dataset for lift in found] == ["a", "b"]
    assert found[1] == lifts(grid({"mine": 0.7}, dataset="b"), set(), resamples=FEW)[0]


def test_a_trial_given_twice_is_refused():
    with pytest.raises(DataError, match=r"'mine' with 'svm' .*table, A 0.5, seed 0.* given twice"):
        lifts([trial(), trial()], set())


def test_trials_of_a_seed_speak_of_the_same_test_rows():
    with pytest.raises(DataError, match="other test rows"):
        lifts([trial(), trial("other", truth=~truth_of(0))], set())
    with pytest.raises(DataError, match="other test rows"):
        lifts([trial(augmented=np.zeros(3))], set())


def test_nothing_comes_of_nothing():
    assert lifts([], {"smote"}) == []


def test_every_score_is_reported_in_order():
    (lift,) = lifts([trial()], set(), resamples=FEW)
    for part in (lift.full, lift.reduced, lift.augmented, lift.lift, lift.relative, lift.recovered, lift.best_control):
        assert tuple(part) == SCORES
