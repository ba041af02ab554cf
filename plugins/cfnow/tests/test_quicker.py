"""What is done faster than in cfnow draws and answers the same."""

import numpy as np
import pandas as pd
import pytest
from sensecf_cfnow import CfnowGreedy, CfnowRandom
from sensecf_cfnow.quicker import Draws


@pytest.mark.parametrize("seed", range(20))
def test_choices_are_those_of_numpy(seed):
    def made_by(choice):
        np.random.seed(seed)
        sizes = np.random.default_rng(seed).integers(1, 40, 200)
        chosen = [str(choice(list(range(size)))) for size in sizes]
        chosen += [str(choice([size, -size])) for size in sizes]
        chosen += [str(one) for size in sizes for one in choice(["a", 1, *map(str, range(size))], size % 7)]
        return chosen, np.random.get_state()[1:3]

    ours, (our_words, our_place) = made_by(Draws().choice)
    theirs, (their_words, their_place) = made_by(np.random.choice)
    assert ours == theirs
    assert our_place == their_place and (our_words == their_words).all()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("cls", [CfnowGreedy, CfnowRandom])
@pytest.mark.parametrize("name", ["clinic", "cancer"])
def test_answers_are_those_of_cfnow_as_it_is(cls, name, request, monkeypatch):
    setting = request.getfixturevalue(name)
    queries, generator = setting.queries.take(slice(4)), setting.fit(cls())
    quick = generator.generate(queries)
    monkeypatch.setattr("sensecf_cfnow.search.Draws", lambda: np.random)
    monkeypatch.setattr("sensecf_cfnow.search.change_vectors", lambda original: original)
    pd.testing.assert_frame_equal(generator.generate(queries), quick, check_exact=True)
