"""benchmarks/augmentation.py: both sides do the same, and it would say so if they did not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
TOY = ["--dataset", "breast-cancer", "--scenarios", "C", "--reductions", "0.7", "--seeds", "3", "--classifiers", "svm"]
ONCE = ["--generator", "nearest-opposite", "--workers", "1", "--repeats", "1"]
CHEAP = ["--queries", "2", "--resamples", "100", "--metrics", "validity"]
SCORES = {"accuracy": 0.9, "precision": 0.8, "recall": 0.7, "f1": 0.75, "auc": 0.95}
TRIAL, OTHER = ("A50", 0, "svm", "smote"), ("A50", 0, "svm", "nice-sparsity")


@pytest.fixture(scope="module")
def benchmark():
    sys.path.append(str(BENCHMARKS))
    try:
        import augmentation

        yield augmentation
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.mark.slow
def test_the_plain_script_comes_to_the_harness_s_scores(tmp_path):
    command = [sys.executable, str(BENCHMARKS / "augmentation.py"), *TOY, *ONCE, "--out", str(tmp_path), "--", *CHEAP]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "augmentation.json").read_text())
    assert result["equality"]["fits_compared"] == 8  # full, reduced, four controls, and the two sentinels that add rows
    assert (tmp_path / "augmentation.md").read_text() in done.stdout
    for side in ("plain script, one process", "harness, 1 worker"):
        assert f"\n| {side} | " in done.stdout


def test_a_score_that_differs_ends_it(benchmark):
    theirs = {TRIAL: {**SCORES, "auc": 0.95 + 1e-8}}
    with pytest.raises(SystemExit, match=r"auc of .*smote.* is 0\.95 in the harness and 0\.95000001"):
        benchmark.largest_difference({TRIAL: SCORES}, theirs, "")


def test_a_trial_that_one_side_lacks_ends_it(benchmark):
    with pytest.raises(SystemExit, match=r"1 trials are .* alone, such as .*nice-sparsity"):
        benchmark.largest_difference({TRIAL: SCORES, OTHER: SCORES}, {TRIAL: SCORES}, "")


def test_an_arm_that_is_left_out_is_not_compared(benchmark):
    theirs = {TRIAL: {**SCORES, "f1": 0.75 + 1e-12}, OTHER: {**SCORES, "f1": 0.1}}
    gap = benchmark.largest_difference({TRIAL: SCORES, OTHER: SCORES}, theirs, "nice-sparsity")
    assert gap == pytest.approx(1e-12, rel=1e-3)
