"""One search of cfnow that ends, is seeded, and says nothing."""

from __future__ import annotations

import contextlib
import random
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_cfnow.quicker import Draws, Numpy, change_vectors

if TYPE_CHECKING:
    from sensecf_cfnow.model import Model


class StuckError(Exception):
    """The greedy search has no move left that it has not made."""


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """cfnow draws from the global generators: seed both for one query, and leave them as they were found."""
    states = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def mended(model: Model) -> Iterator[None]:
    """Let cfnow's greedy search give up where it would go round for ever, and its fine tuning go on where it would crash.

    Without a move, or with none that is new, it goes back to the start of its loop without counting the iteration and
    without having changed anything. A round that has not asked the classifier is therefore the last one worth having.
    """
    from sensecf_cfnow.upstream import cf_finder, fine_tune, searchers

    moves, search = searchers._generate_greedy_changes, cf_finder._greedy_generator
    asked_before = -1

    def watched(*args: Any, **settings: Any) -> Any:
        nonlocal asked_before
        if model.times_asked == asked_before:
            raise StuckError
        asked_before = model.times_asked
        return moves(*args, **settings)

    def forgiving(*, cf_unique: list[Any], **settings: Any) -> list[Any]:
        try:
            found: list[Any] = search(cf_unique=cf_unique, **settings)
        except StuckError:
            return cf_unique  # the search adds to this list as it goes
        return found

    with (
        replaced(searchers, "_generate_greedy_changes", watched),
        replaced(cf_finder, "_greedy_generator", forgiving),
        replaced(fine_tune, "np", Numpy(concatenate=_concatenate)),
        replaced(fine_tune, "_generate_change_vectors", change_vectors(fine_tune._generate_change_vectors)),
        replaced(searchers, "np", Numpy(random=Draws())),
    ):
        yield


@contextlib.contextmanager
def replaced(module: Any, name: str, stand_in: Any) -> Iterator[None]:
    original = getattr(module, name)
    setattr(module, name, stand_in)
    try:
        yield
    finally:
        setattr(module, name, original)


def _concatenate(parts: Sequence[Any]) -> Any:
    """For the fine tuning, which joins rows to a list of those that are new and fails when none is."""
    return np.concatenate([part for part in parts if len(part)])
