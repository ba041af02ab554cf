"""What all three generators owe: valid rows within the rules, the same ones wherever and whenever they are asked."""

import json
import subprocess
import sys

import numpy as np
import pytest
from cfnow_tasks import answers_of
from sensecf_cfnow import CfnowFast, CfnowGreedy, CfnowRandom

from sensecf_bench.registry import discover
from sensecf_bench.testing import local_setting

GENERATORS = (CfnowGreedy, CfnowRandom, CfnowFast)
TABLES = ("clinic", "diabetes", "cancer")


@pytest.mark.parametrize("cls", GENERATORS)
@pytest.mark.parametrize("table", TABLES)
def test_answers_are_admitted_and_flip(cls, table, request):
    setting = request.getfixturevalue(table)
    answers = setting.admit(setting.fit(cls()).generate(setting.queries))
    assert set(answers.reasons) == {""}
    assert (setting.classes(answers) == setting.queries.target[answers.owner]).all()
    assert len(answers.owner) >= 0.75 * len(setting.queries)


@pytest.mark.parametrize("cls", GENERATORS)
@pytest.mark.parametrize("table", TABLES)
def test_order_company_and_repetition_do_not_matter(cls, table, request):
    setting = request.getfixturevalue(table)
    queries, generator = setting.queries.take(slice(4)), setting.fit(cls())
    first = answers_of(generator, queries)
    backwards = answers_of(generator, queries.take([3, 2, 1, 0]))
    alone = {}
    for i in range(4):
        alone |= answers_of(setting.fit(cls()), queries.take([i]))
    assert first.keys() == backwards.keys() == alone.keys()
    for query_id, row in first.items():
        assert np.array_equal(row, backwards[query_id]) and np.array_equal(row, alone[query_id])


@pytest.mark.parametrize("cls", GENERATORS)
def test_another_process_gives_the_same_answers(cls):
    setting = local_setting("diabetes-progression", "xgboost", queries=3)
    script = f"""
import json, random, numpy
random.seed(7); numpy.random.seed(7)
from sensecf_bench.testing import local_setting
from sensecf_cfnow import {cls.__name__}
setting = local_setting("diabetes-progression", "xgboost", queries=3)
frame = setting.fit({cls.__name__}()).generate(setting.queries)
print(json.dumps(setting.queries.schema.encode(frame).tolist()))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    here = setting.queries.schema.encode(setting.fit(cls()).generate(setting.queries))
    assert json.loads(done.stdout) == here.tolist()


@pytest.mark.parametrize("cls", GENERATORS)
@pytest.mark.parametrize("table", ["sealed", "stuck"])
def test_abstains_where_nothing_helps(cls, table, request):
    setting = request.getfixturevalue(table)
    answer = setting.fit(cls()).generate(setting.queries)
    assert answer is None or not len(answer)


@pytest.mark.parametrize("cls", GENERATORS)
def test_says_nothing(cls, clinic, capfd, recwarn):
    clinic.fit(cls()).generate(clinic.queries.take(slice(2)))
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_the_plugin_is_found_under_its_names():
    registry = discover()
    assert [registry.generator(cls.name) for cls in GENERATORS] == list(GENERATORS)


@pytest.mark.parametrize("cls", GENERATORS)
def test_no_queries(cls, clinic):
    answer = clinic.fit(cls()).generate(clinic.queries.take([]))
    assert answer is None or not len(answer)


def test_options_reach_cfnow(clinic):
    generator = CfnowRandom(CfnowRandom.Options(iterations=3, strategy="random"))
    assert generator.settings() == {
        "it_max": 3,
        "ft_it_max": 10,
        "ft_change_factor": 0.1,
        "cf_strategy": "random",
        "threshold_changes": 100,
    }
    assert CfnowGreedy(CfnowGreedy.Options(stock=True, fine_tuning=9)).settings() == {"ft_it_max": 9}
    short, long = (
        clinic.fit(CfnowGreedy(CfnowGreedy.Options(fine_tuning=n))).generate(clinic.queries) for n in (1, 20)
    )
    gaps = [
        clinic.queries.schema.gaps(clinic.queries.schema.encode(f.iloc[:, 1:]), clinic.queries.matrix).sum()
        for f in (short, long)
    ]
    assert gaps[1] < gaps[0]


def test_range_units_bring_nearer_answers(cancer):
    """Outside stock mode cfnow's distance is the harness's, up to the number of features."""

    def distance(**options):
        answers = cancer.admit(cancer.fit(CfnowGreedy(CfnowGreedy.Options(**options))).generate(cancer.queries))
        return cancer.queries.schema.gaps(answers.matrix, cancer.queries.matrix[answers.owner]).mean()

    assert distance() < 0.5 * distance(stock=True, fine_tuning=20, iterations=100)
