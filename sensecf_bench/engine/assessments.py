"""What came of retraining, as it is stored: one small file an arm and level of scarcity, and all of a run together.

RUN/augmentation/<dataset>--seed0--A50--smote--<key>.bin: the hash of its bytes, then a message as on the pipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sensecf_bench.engine.sealed import read_sealed, write_sealed
from sensecf_bench.engine.wire import Message

if TYPE_CHECKING:
    from sensecf_bench.augmentation.scarcity import Scarcity
    from sensecf_bench.schema import Mask, Matrix

FOLDER = "augmentation"
Status = Literal["ok", "empty", "impossible", "failed", "leak"]


@dataclass(frozen=True)
class Added:
    """How an arm came by its rows: `removed` are gone, `asked` queries were put, `answered` of them have an admitted
    row, `valid` rows the reference classifier puts in the target class, `added` went into the training rows, and `leaked`
    were rows that the arm cannot have known."""

    status: Status = "ok"
    reason: str = ""
    removed: int = 0
    asked: int = 0
    answered: int = 0
    valid: int = 0
    added: int = 0
    leaked: int = 0


@dataclass(frozen=True, eq=False)
class Assessment:
    """One arm at one level: probabilities of the positive class on the test rows, by the classifier that was retrained;
    one that could not be has its reason in `failures` instead. `truth` says which test rows are positive."""

    added: Added
    truth: Mask  # (m,)
    probabilities: Mapping[str, Matrix] = field(default_factory=dict)  # (m,) each
    failures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Arm:
    """A way of filling up the rows that are left, or one of the two it is compared with."""

    name: str
    kind: Literal["full", "reduced", "control", "generator"]


FULL, REDUCED = Arm("full", "full"), Arm("reduced", "reduced")


@dataclass(frozen=True)
class Table:
    """A dataset under one seed, as far as reports need it; `failure` says why it cannot be used under that seed, and
    `people` is the same under two seeds that have the same test rows."""

    dataset: str
    fingerprint: str = ""
    failure: str = ""
    restricted: bool = False
    people: str = ""


@dataclass(frozen=True, eq=False)
class Assessed:
    """All that augmentation found: `tables` by the key of the whole data, and what each arm came to, by that key, the level
    of scarcity and the arm; `full` stands at no level. What could not be carried out is an Assessment with its reason."""

    tables: Mapping[str, Table]
    found: Mapping[tuple[str, Scarcity | None, Arm], Assessment]


def write_assessment(path: Path, assessment: Assessment) -> None:
    names = list(assessment.probabilities)
    content = {"added": asdict(assessment.added), "classifiers": names, "failures": dict(assessment.failures)}
    arrays = {"truth": assessment.truth, **{f"of {n}": assessment.probabilities[n] for n in names}}
    write_sealed(path, Message("assessment", content, arrays))


def read_assessment(path: Path) -> Assessment:
    """Raises CorruptError naming the file."""
    message = read_sealed(path)
    said, arrays = message.content, message.arrays
    probabilities = {name: arrays[f"of {name}"] for name in said["classifiers"]}
    return Assessment(Added(**said["added"]), arrays["truth"], probabilities, said["failures"])
