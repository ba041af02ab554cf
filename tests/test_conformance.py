"""The kit sees what is wrong with classifiers, metrics and datasets; what is built in passes; how the decorator works."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from sensecf_bench import Dataset, LinearConstraint, MeanMetric, Metric
from sensecf_bench.contracts import Classifier, Sums
from sensecf_bench.errors import PluginError, UnknownNameError
from sensecf_bench.testing import CHECKS, BoundCheck, CheckFailed, parametrize_with_checks
from sensecf_bench.testing.bench import Bench
from sensecf_bench.testing.checks import COMMON
from sensecf_bench.testing.examination import examine
from sensecf_bench.testing.subject import Subject, installed, named, subject_of
from sensecf_bench.testing.tables import EasyTable, Rule

WIDE = {**os.environ, "COLUMNS": "200"}
BEFORE = {f.__name__.replace("_", "-") for f in COMMON}


@pytest.fixture(scope="module")
def bench():
    with Bench() as bench:
        yield bench


def own_checks(kind):
    return [check.name for check in CHECKS[kind] if check.name not in BEFORE]


def wrong_with(cls, kind, bench):
    named = Subject(kind, cls, ("", cls.__module__, cls.__qualname__))
    return [r.check for r in examine(named, bench, own_checks(kind)) if r.is_bad]


# -- classifiers --------------------------------------------------------------------------------------------------------
class KnowsNoLevels(Rule):
    breaks = "learns-all-kinds"

    def fit(self, schema, rows, labels, seed):
        if schema.nominal.any():
            raise ValueError("could not convert string to float")


class LosesProbability(Rule):
    breaks = "gives-probabilities"

    def predict_proba(self, rows):
        return super().predict_proba(rows) * [0.99, 1.0]


class OneColumn(Rule):
    breaks = "gives-probabilities"
    differentiable = False

    def predict_proba(self, rows):
        return super().predict_proba(rows)[:, 1:]


class DrawsGlobally(Rule):
    breaks = "same-seed-same-model"

    def fit(self, schema, rows, labels, seed):
        self.shift = 0.001 * np.random.random()

    def predict_proba(self, rows):
        at_risk = super().predict_proba(rows)[:, 1] * (1 - self.shift)
        return np.column_stack([1 - at_risk, at_risk])


class ScalesByTheBatch(Rule):
    breaks = "one-row-is-as-many"

    def predict_proba(self, rows):
        return super().predict_proba(rows if len(rows) > 1 else rows - rows.max(axis=0) + 1)


class LooksAtTheFirst(Rule):
    breaks = "order-of-rows-does-not-matter"

    def predict_proba(self, rows):
        probabilities = super().predict_proba(rows)
        if rows[0, 0] != TEST_ROWS[0, 0] and len(rows) == len(TEST_ROWS):
            probabilities[0] = 0.5
        return probabilities


class Overwrites(Rule):
    breaks = "leaves-its-rows-alone"

    def predict_proba(self, rows):
        probabilities = super().predict_proba(rows)
        rows[:] = 0
        return probabilities


class NeverLearns(Rule):
    breaks = "beats-the-base-rate"
    differentiable = False

    def predict_proba(self, rows):
        return np.tile([0.4, 0.6], (len(rows), 1))


class OfTheOtherClass(Rule):
    breaks = "gradient-is-the-slope"

    def gradient(self, rows):
        return -super().gradient(rows)


class SlopesOfCodes(Rule):
    breaks = "gradient-is-the-slope"

    def gradient(self, rows):
        return super().gradient(rows) + np.eye(rows.shape[1])[-1]


class DrawsMoreWhenWeighted(Rule):
    breaks = "weights-count"
    weighted = True
    shift = 0.0

    def fit_weighted(self, schema, rows, labels, weights, seed):
        self.shift = 0.001 * weights.sum()

    def predict_proba(self, rows):
        return super().predict_proba(rows + self.shift)


class OverlooksWeights(Rule):
    breaks = "weights-count"
    weighted = True

    def fit_weighted(self, schema, rows, labels, weights, seed):
        self.fit(schema, rows, labels, seed)


# -- metrics ------------------------------------------------------------------------------------------------------------
class Fine(MeanMetric):
    """Share of features that were changed."""

    name, direction, unit = "fine", "lower", "share"
    is_share = True
    breaks = ""

    def values(self, judged):
        return judged.mean_over_rows(judged.schema.changed(judged.rows, judged.factuals[judged.owner]).mean(axis=1))


class NeedsRows(Fine):
    breaks = "works-on-every-case"

    def values(self, judged):
        assert judged.rows.max() > 0
        return super().values(judged)


class KeepsNaN(Fine):
    breaks = "sums-are-in-form"

    def sums(self, judged):
        sums = super().sums(judged)
        return replace(sums, parts=np.where(sums.scored[:, None], sums.parts, np.nan))


class ScoresTheMissing(Fine):
    breaks = "sums-are-in-form"

    def sums(self, judged):
        sums = super().sums(judged)
        return replace(sums, eligible=np.zeros_like(sums.eligible))


class OneTotalOnly(Fine):
    breaks = "value-takes-any-totals"

    def value(self, totals):
        return np.asarray(totals[0] / totals[1] if np.all(totals[1]) else np.nan)


class WeighsByPlace(Fine):
    breaks = "order-of-queries-does-not-matter"
    is_share = False

    def values(self, judged):
        return super().values(judged) * np.arange(len(judged))


class Remembers(Fine):
    breaks = "same-answers-same-value"
    is_share = False
    calls = 0

    def values(self, judged):
        self.calls += 1
        return super().values(judged) + self.calls


class Overturns(Fine):
    breaks = "leaves-the-answers-alone"

    def values(self, judged):
        values = super().values(judged)
        judged.rows[:] = 0
        return values


class NoShare(Fine):
    breaks = "share-is-a-share"

    def values(self, judged):
        return 3 * judged.found.astype(float)


class NoSums(Metric):
    name, direction, unit = "no-sums", "lower", ""
    breaks = "sums-are-in-form"

    def sums(self, judged):
        n = len(judged)
        return Sums(np.ones((n, 1)), np.ones(n), np.ones(n))

    def value(self, totals):
        return totals[..., 0]


# -- datasets -----------------------------------------------------------------------------------------------------------
class Unreadable(EasyTable):
    breaks = "loads"

    def load(self):
        raise OSError("no such file")


class ShortOfIds(EasyTable):
    breaks = "loads"

    def load(self):
        table = super().load()
        return replace(table, ids=table.ids[1:])


class OtherEachTime(EasyTable):
    breaks = "loads-the-same-twice"

    def load(self):
        table = super().load()
        order = np.random.default_rng().permutation(len(table.ids))
        return replace(table, ids=tuple(table.ids[i] for i in order))


class TwiceTheSameId(EasyTable):
    breaks = "ids-are-unique"

    def load(self):
        table = super().load()
        return replace(table, ids=(table.ids[1], *table.ids[1:]))


class UnknownLevel(EasyTable):
    breaks = "schema-fits-the-frame"

    def load(self):
        table = super().load()
        return replace(table, frame=table.frame.assign(diet="fasting"))


class ThirdClass(EasyTable):
    breaks = "schema-fits-the-frame"

    def load(self):
        return replace(super().load(), undesired=2)


class BreaksItsConstraint(EasyTable):
    breaks = "schema-fits-the-frame"

    def load(self):
        table = super().load()
        light = LinearConstraint(name="light", coefficients={"glucose": 1, "bmi": 1}, most=200)
        return replace(table, schema=replace(table.schema, constraints=(light,)))


class OneClass(EasyTable):
    breaks = "outcome-has-two-classes"

    def labels(self, table, train):
        return np.zeros(len(table.ids), dtype=np.int64)


class TrainsOnTest(EasyTable):
    breaks = "split-shares-no-row"

    def split(self, table, seed):
        split = super().split(table, seed)
        return replace(split, test=split.train)


class LeavesSomeOut(EasyTable):
    breaks = "split-shares-no-row"

    def split(self, table, seed):
        split = super().split(table, seed)
        return replace(split, test=split.test[1:])


class OneSplitForAll(EasyTable):
    breaks = "split-follows-the-seed"

    def split(self, table, seed):
        return super().split(table, 0)


class SplitsByChance(EasyTable):
    breaks = "split-follows-the-seed"

    def split(self, table, seed):
        return super().split(table, int(np.random.randint(1000)))


class PeeksAtTheTest(EasyTable):
    breaks = "labels-look-at-training-rows-only"

    def load(self):
        table = super().load()
        return replace(table, outcome=table.frame["glucose"].to_numpy())

    def labels(self, table, train):
        return (table.outcome > np.median(table.outcome)).astype(np.int64)


def _data():
    from sensecf_bench.testing.tables import setting

    return setting().explained.data


TEST_ROWS = _data().matrix[_data().test]
BAD = [
    (kind, cls)
    for kind, base in (("classifier", Classifier), ("metric", Metric), ("dataset", Dataset))
    for cls in list(globals().values())
    if isinstance(cls, type) and issubclass(cls, base) and getattr(cls, "breaks", "")
]


@pytest.mark.parametrize(("kind", "cls"), BAD, ids=lambda value: getattr(value, "__name__", value))
def test_what_is_wrong_is_named_and_nothing_else_is(kind, cls, bench):
    assert wrong_with(cls, kind, bench) == [cls.breaks]


@pytest.mark.parametrize("kind", ["classifier", "metric", "dataset"])
def test_every_check_is_broken_by_some_class(kind):
    assert {cls.breaks for k, cls in BAD if k == kind} == set(own_checks(kind))


@pytest.mark.parametrize(("kind", "cls"), [("classifier", Rule), ("metric", Fine), ("dataset", EasyTable)])
def test_what_is_in_order_passes(kind, cls, bench):
    assert wrong_with(cls, kind, bench) == []


@parametrize_with_checks([name for kind in ("classifier", "metric", "dataset") for name in installed().names(kind)
                          if installed().get(kind, name).distribution == "sensecf-bench"])  # fmt: skip
def test_what_is_built_in_passes(check):
    check()


def test_a_dataset_with_an_argument_is_checked_with_it(bench, tmp_path):
    schema, matrix = _data().schema, _data().matrix
    frame = schema.decode(matrix).assign(risk=np.where(_data().labels == 1, "yes", "no"))
    frame.to_csv(tmp_path / "people.csv", index=False)
    words = ["data", "infer", tmp_path / "people.csv", "--target", "risk", "--out", tmp_path / "people.yaml"]
    subprocess.run([sys.executable, "-m", "sensecf_bench", *map(str, words)], check=True, capture_output=True)
    (table,) = named(f"table:{tmp_path / 'people.yaml'}", installed())
    assert {r.status for r in examine(table, bench, own_checks("dataset"))} == {"ok"}


# -- the decorator ------------------------------------------------------------------------------------------------------
TESTS = '''
from collections.abc import Mapping
from typing import ClassVar

from sensecf_bench import Generator
from sensecf_bench.testing import parametrize_with_checks


class Mine(Generator):
    """Does nothing much"""

    name = "mine"
    needs = frozenset({"network"})
    expected_failures: ClassVar[Mapping[str, str]] = {"says-what-it-is": "it is modest"}

    def generate(self, queries):
        return None


@parametrize_with_checks([Mine], expected_failures={"declares-legal-values": "it was wrong once"})
def test_conformance(check):
    check()
'''


def test_one_test_a_check_with_readable_names_and_reasons(tmp_path):
    (tmp_path / "test_mine.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, env=WIDE)
    lines = done.stdout.splitlines()
    assert "XFAIL test_mine.py::test_conformance[mine-says-what-it-is] - it is modest" in lines
    assert [x for x in lines if x.startswith("FAILED") and "mine-declares-legal-values" in x and "XPASS(strict)" in x]
    assert "PASSED test_mine.py::test_conformance[mine-can-be-found-again]" in lines
    assert [x for x in lines if x.startswith("SKIPPED") and "it needs network" in x]
    assert done.returncode == 1


def test_expected_failures_may_be_told_by_class():
    mark = parametrize_with_checks([Fine], expected_failures=lambda cls: {cls.breaks or "works-on-every-case": "so"})
    assert [p.id for p in mark.args[1] if p.marks] == ["fine-works-on-every-case"]


def test_an_expected_failure_of_no_check_is_refused():
    with pytest.raises(UnknownNameError, match="keeps-the-rules"):
        parametrize_with_checks(["nearest-opposite"], expected_failures={"keep-the-rules": "never"})


def test_names_that_nobody_brings_and_classes_that_are_none_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'nearest-opposite'"):
        parametrize_with_checks(["nearest-oposite"])
    with pytest.raises(PluginError, match="no plugin class"):
        subject_of(int)


def test_a_failure_says_what_was_expected_what_was_seen_and_the_cure():
    check = next(c for c in CHECKS["metric"] if c.name == "share-is-a-share")
    with pytest.raises(CheckFailed) as failure:
        BoundCheck(Subject("metric", NoShare, ("", "", "")), check)()
    assert str(failure.value) == "expected a share with some found; saw 3\n  cure: correct the value, or `is_share`"


def test_every_check_is_one_sentence_and_has_a_name_of_its_own():
    for kind, checks in CHECKS.items():
        assert len({check.name for check in checks}) == len(checks)
        for check in checks:
            assert check.kind == kind
            assert check.sentence.endswith(".")
            assert "\n" not in check.sentence
