"""Steps of cfnow's own that take most of its time, done faster: the same draws, the same answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


class Numpy:
    """numpy, but for what a module of cfnow does with it that wants mending: `instead`, by name."""

    def __init__(self, **instead: Any) -> None:
        vars(self).update(instead)

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


class Draws:
    """numpy.random, choosing from lists without making arrays of them: cfnow chooses thousands of times a query."""

    def __init__(self) -> None:
        legacy: Any = np.random  # numpy's stubs leave out what the next line asks for
        self._word = legacy.get_bit_generator().random_raw

    def __getattr__(self, name: str) -> Any:
        return getattr(np.random, name)

    def choice(self, options: Sequence[Any], size: int | None = None) -> Any:
        """One of the options, or a list of so many, as numpy.random.choice draws them."""
        if size is not None:
            return [options[i] for i in np.random.randint(len(options), size=size).tolist()]
        if len(options) == 2:  # up or down: numpy takes the last bit of a word, at five times the price
            return options[self._word() & 1]
        return options[np.random.randint(len(options))]


def change_vectors(original: Callable[..., Any]) -> Callable[..., Any]:
    """cfnow's changes back towards the query. It gathers all rows found so far anew to compare each change with them;
    here they are gathered once."""

    def gathered_once(factual: Any, factual_np: Any, c_cf: Any, *others: Any) -> tuple[list[Any], list[Any], Any]:
        *settings, unique = others
        vectors, features, distances = original(factual, factual_np, c_cf, *settings, [])
        known = set(map(tuple, np.asarray(unique).tolist()))
        new = [i for i, vector in enumerate(vectors) if tuple((c_cf + vector).tolist()) not in known]
        return [vectors[i] for i in new], [features[i] for i in new], distances

    return gathered_once
