"""The words of one table: every text that a small model reads or writes about it, each to become one token.

A number is spoken as the nearest of a few dozen values of its feature, a number beyond all training rows as one value
below or above them, and the classifier's probability as one of forty. What is lost is less than a hundredth of a range
in most places, and sequences become a tenth as long as spelled in digits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from sensecf_huggingface.grammar.values import spelled
from sensecf_huggingface.targets.values import Values, nearest, rounded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench import FeatureSchema

    Matrix = NDArray[np.float64]

STRAY = 0.05  # how far past the training rows the values that mean "beyond" lie, as a share of the range
FINE, COARSE = np.arange(0.0, 3.0, 0.125), np.arange(3.0, 14.5, 0.5)  # log-odds against the target class
ENDING = "]}"  # of an answer, after its edits
Role = Literal["person", "feature", "value", "probability"]


@dataclass(frozen=True)
class Word:
    """A text, what it says something of (None: of nothing in particular), and where in that one's range it lies, from 0 to 1."""

    text: str
    role: Role
    feature: int | None = None
    place: float | None = None


@dataclass(frozen=True, eq=False)
class Codebook:
    """How the rows of one table are spoken. `values` are what an edit may say; a person's own may also lie beyond them."""

    values: Values

    @property
    def schema(self) -> FeatureSchema:
        return self.values.schema

    def spoken(self, rows: Matrix) -> Matrix:
        """Rows of shape `(n, d)` as they are said: every value one of the codebook's."""
        columns = []
        for j, said in enumerate(self._said):
            inside, column = self.values.choices[j], rows[:, j]
            close = inside[nearest(inside, column)]
            close = np.where(column < inside[0], said[0], np.where(column > inside[-1], said[-1], close))
            columns.append(close)
        return np.stack(columns, axis=1)

    def words(self) -> list[Word]:
        """Every word there is."""
        words = [Word(text, "probability", place=i / len(PROBABILITIES)) for i, text in enumerate(PROBABILITIES)]
        for j in range(len(self.schema)):
            words += self._of_people(j)
            words += self.of_edits(j) if self.schema.features[j].mutable else []
        return words

    def _of_people(self, j: int) -> list[Word]:
        spoken = [(*self._spelled(j, value), self._place(j, value)) for value in self._said[j]]
        end = "," if j + 1 < len(self.schema) else ""  # a row goes through the features in their order
        return [Word(f"{name}:{text}{end}", "person", j, place) for name, text, place in spoken]

    def of_edits(self, j: int) -> list[Word]:
        """The words of an edit of feature j: what comes before its value at the beginning of an answer, the same after other
        edits, and its values in the order of `values.choices`."""
        spoken = [(*self._spelled(j, value), self._place(j, value)) for value in self.values.choices[j]]
        name = spoken[0][0]
        heads = [Word(f'{before}{{"feature":{name},"value":', "feature", j) for before in ('{"changes":[', ",")]
        return heads + [Word(f"{text}}}", "value", j, place) for _, text, place in spoken]

    @cached_property
    def of_answers(self) -> frozenset[str]:
        """Every text that a word of an answer has. A number could be put together from others, such as a probability's."""
        edits = (word.text for j in np.flatnonzero(self.schema.mutable) for word in self.of_edits(int(j)))
        return frozenset([*edits, ENDING])

    @cached_property
    def _said(self) -> list[Matrix]:
        """The values of each feature with one beyond either end, where hard bounds leave room for it."""
        low, high = self.schema.hard_bounds
        said = []
        for j, (feature, inside) in enumerate(zip(self.schema.features, self.values.choices, strict=True)):
            if not feature.is_numeric:
                said.append(inside)
                continue
            away = max(STRAY * (inside[-1] - inside[0]), feature.step)
            below, above = max(inside[0] - away, low[j]), min(inside[-1] + away, high[j])
            said.append(np.unique(np.concatenate([rounded(feature, np.array([below, above])), inside])))
        return said

    def _spelled(self, j: int, value: float) -> tuple[str, str]:
        feature = self.schema.features[j]
        raw = float(value) if feature.kind == "continuous" else round(float(value))
        return spelled(feature, raw if feature.is_numeric else feature.levels[int(value)])

    def _place(self, j: int, value: float) -> float:
        inside = self.values.choices[j]
        return float((value - inside[0]) / (inside[-1] - inside[0])) if inside[-1] > inside[0] else 0.0


def _probability_texts() -> tuple[str, ...]:
    return tuple(f"{1 / (1 + math.exp(odds)):.2g}" for odds in (*FINE, *COARSE))


PROBABILITIES = _probability_texts()
_LOG_ODDS = np.array([math.log((1 - float(p)) / float(p)) for p in PROBABILITIES])


def probability_text(p: float) -> str:
    """A probability of at most a half, to two significant digits and on a scale of log-odds."""
    odds = math.log((1 - p) / p) if p > 0 else math.inf
    return PROBABILITIES[int(nearest(_LOG_ODDS, np.array([min(odds, _LOG_ODDS[-1])]))[0])]
