"""Sentinels that do not score what they must: a pure function of the rows."""

import pytest

from sensecf_bench.reports.sentinels import COPIES, EXPECTED, drift, silent


def row(generator, metrics):
    known = {name: {"value": value} for name, value in metrics.items()}
    return {"dataset": "d", "classifier": "svm", "seed": 0, "generator": generator, "metrics": known}


@pytest.mark.parametrize("sentinel", EXPECTED)
def test_sentinels_that_score_what_they_must_are_not_reported(sentinel):
    assert drift([row(sentinel, EXPECTED[sentinel])]) == []


def test_what_is_known_of_each_sentinel():
    assert EXPECTED == {
        "identity": {"validity": 0, "coverage": 1, "sparsity": 0, "distance": 0},
        "random-opposite": {"copying": 1, "plausibility": 1},
        "nearest-opposite": {"copying": 1, "plausibility": 1, "flip-rate": 1},
    }


@pytest.mark.parametrize(("sentinel", "metric"), [(s, m) for s, known in EXPECTED.items() for m in known])
def test_each_drifted_value_is_named_with_its_place(sentinel, metric):
    (line,) = drift([row(sentinel, EXPECTED[sentinel] | {metric: 0.25})])
    expected = EXPECTED[sentinel][metric]
    assert line == f"{sentinel} on d · svm · seed 0: {metric} is 0.25, must be {expected:g}"


@pytest.mark.parametrize("sentinel", EXPECTED)
def test_metrics_that_were_not_computed_say_nothing(sentinel):
    assert drift([row(sentinel, {})]) == []


def test_a_missing_value_says_nothing_but_for_the_coverage_of_identity():
    assert drift([row(s, dict.fromkeys(known)) for s, known in EXPECTED.items()]) == [
        "identity on d · svm · seed 0: coverage is nothing, must be 1"
    ]


def test_other_generators_may_score_what_they_like():
    assert drift([row("mine", {"validity": 0.5, "coverage": 0.1})]) == []


def outcomes(generator, **counts):
    return {"dataset": "d", "generator": generator, "outcomes": counts}


@pytest.mark.parametrize("sentinel", COPIES)
def test_a_sentinel_with_nothing_to_answer_with_is_said_to_calibrate_nothing(sentinel):
    (line,) = silent([outcomes(sentinel, FOUND=0, ABSTAINED=9)])
    assert line.startswith(f"d · {sentinel} abstains from everybody")


def test_nothing_is_said_of_one_that_answered_or_was_not_asked_or_is_no_copy():
    answered = outcomes("nearest-opposite", FOUND=1, ABSTAINED=8)
    rejected = outcomes("nearest-opposite", REJECTED=9)
    assert silent([answered, rejected, outcomes("random-opposite"), outcomes("mine", ABSTAINED=9)]) == []
