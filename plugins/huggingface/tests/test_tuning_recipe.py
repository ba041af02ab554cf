"""What a recipe promises: rates worked out by hand, values that make no sense refused, an identity that says it all."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from sensecf_huggingface.tuning.progress import Progress, clock, printer
from sensecf_huggingface.tuning.recipe import Recipe, differences

from sensecf_bench.errors import ConfigError


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        # Ten steps, two of warm-up: a third and two thirds of the height, then 0/8, 2/8, 4/8 and 7/8 of the way down.
        ("cosine", {0: 1 / 3, 1: 2 / 3, 2: 1.0, 4: 0.8535533905932737, 6: 0.5, 9: 0.03806023374435663}),
        ("linear", {0: 1 / 3, 1: 2 / 3, 2: 1.0, 4: 0.75, 6: 0.5, 9: 0.125}),
        ("constant", {0: 1 / 3, 1: 2 / 3, 2: 1.0, 4: 1.0, 6: 1.0, 9: 1.0}),
    ],
)
def test_rates_are_those_worked_out_by_hand(schedule, expected):
    recipe = Recipe(learning_rate=1.0, schedule=schedule, warmup=0.2)
    assert {step: recipe.rate(step, 10) for step in expected} == pytest.approx(expected)


def test_steps_are_counted_over_whole_batches():
    assert Recipe(epochs=2, batch=16).total_steps(33) == 6
    assert Recipe(epochs=0.5, batch=16).total_steps(64) == 2
    assert Recipe(epochs=9, steps=5).total_steps(33) == 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"rank": 0},
        {"learning_rate": -1e-4},
        {"learning_rate": float("nan")},
        {"dropout": 1.0},
        {"warmup": -0.1},
        {"steps": 0},
        {"patience": 0},
        {"batch": 0},
        {"microbatch": 0},
        {"seed": -1},
        {"checkpoint_seconds": -1},
        {"schedule": "cosin"},
        {"precision": "float16"},
    ],
)
def test_values_that_make_no_sense_are_refused_by_name(wrong):
    (name,) = wrong
    with pytest.raises(ConfigError, match=name):
        Recipe(**wrong)


def test_identity_holds_what_changes_weights_and_nothing_else():
    recipe = Recipe(targets=("q_proj", "v_proj"))
    assert json.loads(json.dumps(recipe.identity())) == recipe.identity()
    assert replace(recipe, checkpoint_seconds=1, checkpoint_steps=3, report_seconds=0).identity() == recipe.identity()
    other = replace(recipe, learning_rate=1e-3)
    assert differences(recipe.identity(), other.identity()) == ["learning_rate 0.001 there, 0.0002 here"]


def test_a_report_is_one_line_with_step_loss_validity_and_time_left():
    stream = io.StringIO()
    note = printer("llama-micro-ft", stream)
    note(Progress(40, 800, loss=1.23456, validity=0.875, seconds=2.0, left=125.4))
    note(Progress(0, 800, remark="going on after step 40"))
    assert stream.getvalue().splitlines() == [
        "llama-micro-ft: step 40/800, loss 1.2346, best validity 87.5 %, 2 min 05 s left",
        "llama-micro-ft: step 0/800: going on after step 40",
    ]


def test_times_as_people_write_them():
    assert [clock(s) for s in (0.4, 59.4, 60, 3599, 7500)] == ["0 s", "59 s", "1 min 00 s", "59 min 59 s", "2 h 05 min"]
