"""Answers beside dice_ml's own classes, under the same settings and seeds."""

import contextlib
import io
import random

import dice_ml
import numpy as np
import pandas as pd
import pytest
from raiutils.exceptions import UserConfigValidationException
from sensecf_dice import DiceGenetic
from sensecf_dice.codec import OUTCOME, Codec
from sensecf_dice.data import FrozenData
from sensecf_dice.explainers import SwiftGenetic, SwiftKDTree, SwiftRandom
from sensecf_dice.explainers.swift import Swift
from sensecf_dice.model import FrameClassifier, MemoModel
from sensecf_dice.rules import Rules

from sensecf_bench import Dataset, Feature, FeatureSchema, Table
from sensecf_bench.classifiers import RandomForest
from sensecf_bench.engine.context import fit_classifier, prepare_data
from sensecf_bench.testing.local import Setting

SWIFT = {"random": SwiftRandom, "genetic": SwiftGenetic, "kdtree": SwiftKDTree}


def pair(setting, method):
    """Upstream's explainer and ours over the same rows, and what both are told."""
    data = setting.explained.data
    train = data.matrix[data.train]
    codec = Codec(data.schema)
    rules = Rules(codec, train, sampled=method == "random")
    table = {
        "dataframe": codec.frame(train).assign(**{OUTCOME: data.labels[data.train]}),
        "continuous_features": codec.numeric,
        "outcome_name": OUTCOME,
        "continuous_features_precision": rules.decimals,
    }
    predict = setting.explained.model.predict_proba
    stock_model = dice_ml.Model(model=FrameClassifier(codec, predict), backend="sklearn")
    stock = dice_ml.Dice(dice_ml.Data(**table), stock_model, method=method)
    ours = SWIFT[method](FrozenData(table), MemoModel(codec, predict, decisive=False), codec, mend=False)
    return stock, ours, codec, rules


def ask(explainer, codec, rules, queries, i, k, **settings):
    told = rules.ask(queries.matrix[i])
    settings |= {
        "desired_class": int(queries.target[i]),
        "features_to_vary": told.features_to_vary,
        "permitted_range": told.permitted_range,
    }
    random.seed(int(queries.seeds[i]))
    np.random.seed(int(queries.seeds[i]))
    if isinstance(explainer, Swift):
        rows = explainer.answer(queries.matrix[i], k, **settings)
        return None if rows is None else rules.settle(rows, queries.matrix[i])
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        try:
            answer = explainer.generate_counterfactuals(codec.frame(queries.matrix[i : i + 1]), k, **settings)
        except UserConfigValidationException:
            return None
    example = answer.cf_examples_list[0]
    frame = example.final_cfs_df if example.final_cfs_df_sparse is None else example.final_cfs_df_sparse
    return rules.settle(codec.matrix(frame), queries.matrix[i])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["diabetes", "wearable"])
@pytest.mark.parametrize(
    ("method", "k", "settings"),
    [
        ("random", 1, {"posthoc_sparsity_algorithm": "binary"}),
        ("random", 3, {"posthoc_sparsity_algorithm": "linear"}),
        ("random", 1, {"random_seed": 5, "posthoc_sparsity_param": 0.0}),
        ("genetic", 1, {}),
        ("genetic", 3, {}),
        ("genetic", 1, {"initialization": "random"}),
        ("kdtree", 1, {"posthoc_sparsity_algorithm": "binary", "posthoc_sparsity_param": 0.9}),
        ("kdtree", 3, {"posthoc_sparsity_algorithm": "binary"}),
    ],
)
def test_same_answers_as_upstream(name, method, k, settings, request):
    setting = request.getfixturevalue(name)
    stock, ours, codec, rules = pair(setting, method)
    pairs = []
    for i in range(3):
        theirs = ask(stock, codec, rules, setting.queries, i, k, **settings)
        pairs.append((theirs, ask(ours, codec, rules, setting.queries, i, k, **settings)))
    for theirs, mine in pairs:
        assert (theirs is None) == (mine is None)
        if theirs is not None:
            np.testing.assert_array_equal(mine, theirs)
    assert method == "kdtree" or any(theirs is not None for theirs, _ in pairs)


class Doses(Dataset):
    """Most patients take nothing, a few thousandths of a gram decide: a column whose most frequent value is 0.0."""

    name = "doses"

    def load(self):
        rng = np.random.default_rng(0)
        dose = np.where(rng.random(300) < 0.3, 0.0, rng.uniform(0.001, 0.045, 300).round(3))
        frame = pd.DataFrame({"dose": dose, "weight": rng.normal(70, 9, 300).round(1)})
        features = (
            Feature(name="dose", kind="continuous", unit="g", bounds=(0, 1), precision=0.001),
            Feature(name="weight", kind="continuous", unit="kg", bounds=(20, 300), precision=0.1),
        )
        ids = tuple(f"patient-{i}" for i in range(300))
        ill = (dose < 0.02).astype(np.int64)
        return Table(self.name, FeatureSchema(features), frame, ill, ids, ("well", "ill"), undesired=1)


def test_rounding_does_not_undo_the_flip():
    """Stock DiCE rounds to the decimals of a column's most frequent value, after the search (its issue 473)."""
    explained = fit_classifier(prepare_data(Doses(), 0), RandomForest())
    setting = Setting(explained, explained.queries(6))

    def flipped(options):
        answers = setting.admit(setting.fit(DiceGenetic(options)).generate(setting.queries))
        assert len(answers.owner) == len(setting.queries)
        return np.mean(setting.classes(answers) == setting.queries.target[answers.owner])

    assert flipped(DiceGenetic.Options()) == 1.0
    assert flipped(DiceGenetic.Options(stock=True)) < 1.0
