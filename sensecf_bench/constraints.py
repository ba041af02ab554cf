"""What several features must keep to together, where the bounds of each alone cannot say it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

MOST_IN_A_NAME = 60


class LinearConstraint(BaseModel):
    """The sum of `coefficients[feature] · value` over numeric features, in raw units, is `most` at most.

    "At least" is the same with all signs turned. The name stands in the reason a row is rejected for; the description
    says why the rule holds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=MOST_IN_A_NAME)
    coefficients: Mapping[str, float]
    most: float
    description: str = ""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.coefficients:
            raise ValueError(f"constraint {self.name!r} has no coefficients: name the features it is about")
        idle = [feature for feature, c in self.coefficients.items() if c == 0 or not math.isfinite(c)]
        if idle:
            raise ValueError(
                f"constraint {self.name!r}: the coefficient of {idle[0]!r} is {self.coefficients[idle[0]]}; "
                "give a finite number other than 0, or leave the feature out"
            )
        return self

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(self.coefficients)

    def excess(self, values: Matrix) -> Matrix:
        """How far each row lies beyond the limit, relative to its largest term (or to 1 where all are smaller).

        `values` has a column for each of `features`, shape `(n, len(features))`. Positive where the constraint is
        broken; infinite where the sum is more than a float can hold; NaN where a value is missing.
        """
        total = np.zeros(len(values))
        largest = np.ones(len(values))
        with np.errstate(over="ignore", invalid="ignore"):
            # Term by term, so that a row gets the same last bit alone and among others.
            for j, coefficient in enumerate(self.coefficients.values()):
                term = coefficient * values[:, j]
                total += term
                largest = np.maximum(largest, np.abs(term))
            beyond: Matrix = np.where(np.isfinite(total), (total - self.most) / largest, np.inf)
        beyond[np.isnan(values).any(axis=1)] = np.nan
        return beyond

    def in_words(self) -> str:
        """One sentence for people and prompts, such as "deep_sleep_pct + rem_sleep_pct is at most 100"."""
        turned = all(c < 0 for c in self.coefficients.values())
        sign = -1 if turned else 1
        terms = [_term(sign * c, feature) for feature, c in self.coefficients.items()]
        total = " ".join([terms[0].removeprefix("+ "), *terms[1:]])
        sentence = f"{total} is at {'least' if turned else 'most'} {_number(sign * self.most)}"
        return f"{sentence}: {self.description}" if self.description else sentence


def _term(coefficient: float, feature: str) -> str:
    size = "" if abs(coefficient) == 1 else f"{_number(abs(coefficient))} × "
    return f"{'-' if coefficient < 0 else '+'} {size}{feature}"


def _number(value: float) -> str:
    value += 0.0  # no minus before a zero
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))
