"""F1 against the share of rows removed: what is drawn, as data; the drawing is in `drawing`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any, Literal

from sensecf_bench.reports.arms import Arm, Setting, settings_of

Values = tuple[float | None, ...]  # one a reduction; None where there is no point


@dataclass(frozen=True)
class Line:
    """One generator: mean F1 after augmentation, and the ends of the interval of its lift, above the reduced rows' F1.

    No point where it failed or leaked, or where it was not `asked`.
    """

    name: str
    asked: tuple[bool, ...]
    values: Values
    low: Values
    high: Values


@dataclass(frozen=True)
class Curves:
    """One scenario of one dataset, by reduction: the means of F1 over classifiers and seeds."""

    dataset: str
    scenario: str
    reductions: tuple[float, ...]
    full: Values
    reduced: Values
    best_control: Values
    lines: tuple[Line, ...]

    @property
    def file(self) -> str:
        return file_name(self.dataset, self.scenario)

    @property
    def fingerprint(self) -> str:
        """A hash of everything that is drawn."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


def file_name(dataset: str, scenario: str) -> str:
    return f"{dataset}-lift-{scenario}.svg"


def curves_of(results: Mapping[str, Any]) -> list[Curves]:
    """The curves of a results document about one dataset, one for each scenario with several reductions and a generator."""
    dataset = results["summary"][0]["dataset"]
    scenarios = [list(settings) for _, settings in groupby(settings_of(results), key=lambda s: s.scenario)]
    drawn = [_curves(dataset, settings) for settings in scenarios if len(settings) > 1]
    return [curves for curves in drawn if curves.lines]


def _curves(dataset: str, settings: Sequence[Setting]) -> Curves:
    names = dict.fromkeys(arm.name for s in settings for arm in s.arms if arm.kind == "generator")
    lines = [_line(name, settings) for name in names]
    return Curves(
        dataset,
        settings[0].scenario,
        tuple(s.reduction for s in settings),
        tuple(s.mean("full", "f1") for s in settings),
        tuple(s.mean("reduced", "f1") for s in settings),
        tuple(_best_control(s) for s in settings),
        tuple(line for line in lines if any(v is not None for v in line.values)),
    )


def _line(name: str, settings: Sequence[Setting]) -> Line:
    points = [(s, s.arm(name)) for s in settings]
    ranked = [(s, None if arm is None or arm.problem else arm) for s, arm in points]
    return Line(
        name,
        tuple(arm is not None for _, arm in points),
        tuple(arm.mean("augmented", "f1") if arm else None for _, arm in ranked),
        tuple(_end(s, arm, "low") for s, arm in ranked),
        tuple(_end(s, arm, "high") for s, arm in ranked),
    )


def _end(setting: Setting, arm: Arm | None, end: Literal["low", "high"]) -> float | None:
    reduced, lift = setting.mean("reduced", "f1"), arm.estimate("lift")[end] if arm else None
    return None if reduced is None or lift is None else reduced + lift / 100


def _best_control(setting: Setting) -> float | None:
    found = (arm.mean("augmented", "f1") for arm in setting.arms if arm.kind != "generator")
    return max((value for value in found if value is not None), default=None)
