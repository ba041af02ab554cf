"""The plugin's answers beside those of a one-query implementation, and cases that can be worked out by hand."""

import numpy as np
import pytest
from reference import growing_spheres
from sensecf_spheres import GrowingSpheres
from spheres_tasks import ASKED, SCHEMA, healthy, queries_of, task_of

from sensecf_bench import Feature, FeatureSchema
from sensecf_bench.testing.hand_made import answers_of


def rings(rows):
    """Class 1 on every other ring of dose and sleep: near and far enemies, with gaps."""
    ring = np.floor(np.hypot(rows[:, 0] - 5, rows[:, 7] - 7)) % 2
    return np.column_stack([1 - ring, ring])


@pytest.mark.parametrize("classifier", [healthy, rings], ids=lambda f: f.__name__)
@pytest.mark.parametrize("options", [{}, {"sparse": False}, {"first_radius": 2.0, "max_halvings": 2}])
def test_the_same_draws_give_the_same_answers(classifier, options):
    asked = ASKED if classifier is healthy else ASKED[rings(ASKED)[:, 1] == 0]
    generator = GrowingSpheres(GrowingSpheres.Options(n_in_layer=40, **options))
    generator.fit(task_of(SCHEMA, classifier))
    queries = queries_of(SCHEMA, asked)
    answers = answers_of(generator, queries)
    given = {"n": 40, "eta": options.get("first_radius", 0.1)} | {
        k: v for k, v in options.items() if k != "first_radius"
    }
    assert len(asked) > 5
    for query_id, factual, seed in zip(queries.ids, queries.matrix, queries.seeds, strict=True):
        expected = growing_spheres(
            SCHEMA, factual, seed, lambda row: classifier(np.array([row])).argmax(axis=1)[0] == 1, **given
        )
        assert (query_id in answers) == (expected is not None)
        if expected is not None:
            np.testing.assert_allclose(answers[query_id], expected, rtol=1e-12)


PLANE = FeatureSchema((Feature(name="x", kind="continuous"), Feature(name="y", kind="continuous")))
UNIT_SQUARE = PLANE.with_scales(np.array([[0.0, 0.0], [1.0, 1.0]]))
WIDE = PLANE.with_scales(np.array([[0.0, 0.0], [1.0, 100.0]]))


def beyond(border):
    def predict_proba(rows):
        p = (rows[:, 0] >= border).astype(float)
        return np.column_stack([1 - p, p])

    return predict_proba


def answer(schema, classifier, **options):
    generator = GrowingSpheres(GrowingSpheres.Options(**options))
    generator.fit(task_of(schema, classifier))
    answers = answers_of(generator, queries_of(schema, np.zeros((1, 2))))
    return answers["q0"] if answers else None


@pytest.mark.parametrize("schema", [UNIT_SQUARE, WIDE])
@pytest.mark.parametrize(("border", "shell"), [(0.35, (0.3, 0.4)), (0.81, (0.8, 0.9)), (0.12, (0.1, 0.2))])
def test_a_straight_border_is_crossed_at_right_angles_in_the_first_shell_that_meets_it(schema, border, shell):
    x, y = answer(schema, beyond(border))
    assert y == 0  # put back: the smaller change, and not needed
    assert border <= x < shell[1]
    assert x - border < 0.03  # the nearest of 2,000 candidates


def test_a_near_border_halves_the_ball_until_nothing_is_left_in_it():
    x, y = answer(UNIT_SQUARE, beyond(0.01))  # balls of 0.1, 0.05, 0.025, 0.0125 hold enemies, 0.00625 does not
    assert y == 0
    assert 0.01 <= x < 0.0125


def test_a_border_beyond_the_last_radius_is_not_found():
    assert answer(UNIT_SQUARE, beyond(1.6)) is None
    assert answer(UNIT_SQUARE, beyond(1.6), max_radius=2)[0] >= 1.6
    assert answer(UNIT_SQUARE, beyond(0.5), max_radius=0.2) is None


def test_a_corner_needs_both_features():
    def corner(rows):
        p = ((rows[:, 0] > 0.2) & (rows[:, 1] < -0.25)).astype(float)
        return np.column_stack([1 - p, p])

    x, y = answer(UNIT_SQUARE, corner)
    assert 0.2 < x < 0.25
    assert -0.3 < y < -0.25
