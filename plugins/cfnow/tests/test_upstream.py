"""cfnow's own answers, an import that asks nobody, and what is mended."""

import logging
import random
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
from cfnow_tasks import answers_of, classifier_of, draw, fitted, queries_of, schema_of
from sensecf_cfnow import CfnowGreedy, CfnowRandom
from sensecf_cfnow.deadline import OutOfTimeError

BOUNDED = {
    CfnowGreedy: ({"iterations": 30, "fine_tuning": 15}, {"cf_strategy": "greedy"}),
    CfnowRandom: ({"iterations": 4, "fine_tuning": 6, "changes": 40}, {"cf_strategy": "random-sequential"}),
}


def direct(queries, i, predict_proba, **settings):
    """A plain call of cfnow, with columns made here: numbers as they are, levels as 0/1."""
    from sensecf_cfnow.upstream import find_tabular

    columns, types = {}, {}
    for j, feature in enumerate(queries.schema.features):
        value = queries.matrix[i, j]
        names = [f"f{j}"] if feature.is_numeric or feature.kind == "binary" else []
        names = names or [f"f{j}_{level}" for level in range(len(feature.levels))]
        columns |= {n: value if len(names) == 1 else float(value == k) for k, n in enumerate(names)}
        types |= dict.fromkeys(names, "num" if feature.is_numeric else "cat")
    groups = [[k for k, n in enumerate(columns) if n.split("_")[0] == f"f{j}"] for j in range(len(queries.schema))]

    def rows(table):
        table = np.asarray(table, dtype=float)
        return np.column_stack([table[:, g[0]] if len(g) == 1 else table[:, g].argmax(axis=1) for g in groups])

    random.seed(int(queries.seeds[i]))
    np.random.seed(int(queries.seeds[i]))
    has_ohe = any(len(group) > 1 for group in groups)
    found = find_tabular(
        pd.Series(columns), lambda t: predict_proba(rows(t)), feat_types=types, has_ohe=has_ohe, **settings
    )
    return rows(found.cfs[:1])[0] if len(found.cfs) else None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("cls", [CfnowGreedy, CfnowRandom])
@pytest.mark.parametrize("name", ["clinic", "cancer"])
def test_stock_gives_what_cfnow_gives(cls, name, request):
    setting, (options, settings) = request.getfixturevalue(name), BOUNDED[cls]
    settings |= {"it_max": options["iterations"], "ft_it_max": options["fine_tuning"]}
    settings |= {"threshold_changes": options["changes"]} if "changes" in options else {}
    queries, predict_proba = setting.queries.take(slice(3)), setting.explained.model.predict_proba
    answer = setting.fit(cls(cls.Options(stock=True, **options))).generate(queries)
    theirs = {q: direct(queries, i, predict_proba, **settings) for i, q in enumerate(queries.ids)}
    assert list(answer["query_id"]) == [q for q, row in theirs.items() if row is not None] != []
    for (_, row), expected in zip(answer.iterrows(), filter(lambda r: r is not None, theirs.values()), strict=True):
        for feature, value in zip(queries.schema.features, expected, strict=True):
            assert row[feature.name] == (value if feature.is_numeric else feature.levels[int(value)])


def test_stock_integers_are_not_rounded(diabetes):
    generator = diabetes.fit(CfnowGreedy(CfnowGreedy.Options(stock=True, fine_tuning=3)))
    reasons = set(diabetes.admit(generator.generate(diabetes.queries)).reasons)
    assert reasons <= {"", "not-an-integer", "immutable-changed"} and reasons != {""}


def test_importing_cfnow_asks_nobody_and_says_nothing(tmp_path):
    script = """
        import sys
        asked = []
        sys.addaudithook(lambda event, _: asked.append(event) if event.startswith(("socket.", "urllib.")) else None)
        import sensecf_cfnow
        assert not {"cfnow", "nltk"} & set(sys.modules)
        import nltk
        download = nltk.download
        import sensecf_cfnow.upstream
        assert "cfnow.cf_finder" in sys.modules and nltk.download is download
        try:
            nltk.data.find("corpora/wordnet")
        except LookupError:
            pass  # so that there was something to download
        else:
            sys.exit("WordNet is installed here")
        assert asked == [], asked
    """
    environment = {"HOME": str(tmp_path), "NLTK_DATA": str(tmp_path), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "nltk" not in done.stderr and "wordnet" not in done.stderr.lower()


def test_without_the_guard_importing_cfnow_would_download(tmp_path):
    script = "import nltk; nltk.download = lambda name, **_: print('download', name); import cfnow"
    environment = {"HOME": str(tmp_path), "NLTK_DATA": str(tmp_path), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "download wordnet\n"


@pytest.mark.timeout(30)
@pytest.mark.parametrize("classifier", ["constant", "stumps"])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_search_without_moves_ends(classifier, width):
    """cfnow goes round for ever when its tabu list is as long as the row, or when all numbers are zero."""
    kinds = ("continuous",) * width
    rows = draw(kinds=kinds)
    schema, predict_proba = schema_of(rows, kinds=kinds), classifier_of(classifier, rows)
    queries = queries_of(schema, np.vstack([np.zeros(width), rows[:2]]), predict_proba)
    generator = fitted(CfnowGreedy(), schema, rows, predict_proba)
    answers = answers_of(generator, queries)
    assert "q0" not in answers or (answers["q0"] == 0).all()
    assert classifier == "stumps" or not answers


def test_more_rows_than_new_ones_do_not_stop_the_fine_tuning():
    rows = draw()
    schema, predict_proba = schema_of(rows), classifier_of("stumps", rows)
    queries = queries_of(schema, rows[:4], predict_proba)
    for cls in (CfnowGreedy, CfnowRandom):
        frame = fitted(cls(), schema, rows, predict_proba, k=3).generate(queries)
        assert frame.groupby("query_id").size().max() <= 3
        assert not frame.duplicated().any()


def test_the_process_is_left_as_it_was(clinic):
    from sensecf_cfnow import upstream

    random.seed(1)
    np.random.seed(1)
    handlers, before = list(logging.getLogger().handlers), vars(upstream.searchers).copy()
    expected = random.getstate(), np.random.get_state()[1].tolist()
    for cls in (CfnowGreedy, CfnowRandom):
        clinic.fit(cls()).generate(clinic.queries.take(slice(1)))
    assert (random.getstate(), np.random.get_state()[1].tolist()) == expected
    assert logging.getLogger().handlers == handlers
    assert vars(upstream.searchers) == before
    assert upstream.fine_tune.np is np


def test_out_of_time_is_an_abstention(clinic, monkeypatch):
    def late(self):
        raise OutOfTimeError

    for cls in (CfnowGreedy, CfnowRandom):
        generator = clinic.fit(cls())
        monkeypatch.setattr("sensecf_cfnow.deadline.Deadline.check", late)
        answer = generator.generate(clinic.queries.take(slice(2)))
        assert answer is None or not len(answer)
        monkeypatch.undo()
