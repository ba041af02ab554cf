"""What is asked about augmentation: how scarce labels become, what is added then, and whom to ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sensecf_bench.engine.listings import AnyNames, Seeds, once, plainly, some

Grid = Literal["off", "quick", "full"]
Scenario = Literal["A", "B", "C"]
GRIDS: dict[str, dict[str, Any]] = {
    "off": {"scenarios": ("A",), "reductions": (0.5,), "seeds": (0, 1, 2)},
    "quick": {"scenarios": ("A",), "reductions": (0.5,), "seeds": (0, 1, 2)},
    "full": {
        "scenarios": ("A", "B", "C"),
        "reductions": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7),
        "seeds": (0, 1, 2, 3, 4),
    },
}


class AugmentationConfig(BaseModel):
    """A grid of scarcity and what fills it up. `scenarios`, `reductions` and `seeds` are the grid's unless given.

    `reference` is the classifier that is explained, fitted on the reduced rows; `amount` the share of what was removed
    that is added at most; `label` says whether an added row has the class it was asked for, or the one that the
    reference classifier puts it in; `generators` names those of the run's that take part, all of them if it is empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    grid: Grid = "quick"
    scenarios: Annotated[tuple[Scenario, ...], plainly, some, once] = ()
    reductions: Annotated[tuple[float, ...], plainly, some, once] = ()
    seeds: Seeds = ()
    reference: str = "svm"
    keep_invalid: bool = False
    amount: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    label: Literal["target", "model"] = "target"
    generators: AnyNames = ()

    @model_validator(mode="before")
    @classmethod
    def _grid_written_out(cls, given: object) -> object:
        """The grid's own levels where none are given; a plain word is a grid."""
        values = as_mapping(given)
        if not isinstance(values, Mapping):
            return values
        grid = "off" if values.get("grid") is False else values.get("grid", "quick")  # YAML's off is False
        return {**GRIDS.get(str(grid), {}), **values, "grid": grid}

    @field_validator("reductions")
    @classmethod
    def _shares(cls, reductions: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 <= r < 1 for r in reductions):
            raise ValueError("reductions are shares of a class, from 0 up to but not including 1")
        return reductions

    @property
    def levels(self) -> tuple[tuple[Scenario, float], ...]:
        """Every scenario with every reduction."""
        return tuple((scenario, r) for scenario in self.scenarios for r in self.reductions)


def as_mapping(given: object) -> object:
    """`quick`, and what YAML makes of a plain `off`, as the settings they stand for; anything else as it is."""
    if given is False:
        given = "off"
    return {"grid": given} if isinstance(given, str) else given
