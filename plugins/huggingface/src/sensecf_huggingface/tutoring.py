"""What tried answers are worth: the explained classifier's verdict, where in the training range they lie, and how far they go."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.prompting import Unparsable
from sensecf_huggingface.asking import Asker
from sensecf_huggingface.targets.people import asked_about
from sensecf_huggingface.targets.search import FLIP
from sensecf_huggingface.tuning.practice import OUTSIDE, Round, Tries

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench import Task
    from sensecf_huggingface.asking import Asked
    from sensecf_huggingface.decoding import Completion
    from sensecf_huggingface.loaded import Loaded
    from sensecf_huggingface.questions import Questions

    Matrix = NDArray[np.float64]

AT_ONCE = 288  # answers under way: nine each about the 32 people of a step


@dataclass(frozen=True, eq=False)
class Classroom:
    """The people who are asked about, shape `(n, d)`, and how far they typically have to go (mean Gower distance)."""

    task: Task
    loaded: Loaded
    questions: Questions
    probability: Callable[[Matrix], Matrix]
    people: Matrix
    typical: float
    samples: int = 8
    temperature: float = 0.7


@dataclass(eq=False)
class ClassifierTutor:
    """Puts people to the model and has the classifier judge what it says of them (a `Tutor`)."""

    room: Classroom
    _known: Asker | None = None

    @property
    def lengths(self) -> NDArray[np.intp]:
        return np.full(len(self.room.people), 1)  # any of them may go with any other

    @property
    def fingerprint(self) -> str:
        room = self.room
        said = [room.typical, room.samples, room.temperature, room.task.schema.fingerprint]
        digest = hashlib.sha256(json.dumps(said).encode())
        for array in (room.people, room.probability(room.people)):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def round(self, model: Any, chosen: NDArray[np.intp], chance: np.random.Generator) -> Round:
        people = self.room.people[chosen]
        seeds = chance.integers(2**63, size=len(people), dtype=np.uint64)
        asked, said_of_all = self._asker(model).ask(asked_about(self.room.task, people, seeds))
        greedy, tried = [said[0] for said in said_of_all], [said[1:] for said in said_of_all]
        different = [list(dict.fromkeys(said)) for said in tried]
        flat = [(i, c) for i, some in enumerate(different) for c in some]
        rows = self._rows(asked, [*flat, *enumerate(greedy)])
        owner = np.array([i for i, _ in flat])
        worth, far = self._judged(rows[: len(flat)], people[owner])
        valid, _ = self._judged(rows[len(flat) :], people)
        tries = []
        for i, (one, said, some) in enumerate(zip(asked, tried, different, strict=True)):
            mine = owner == i
            counts = np.array([float(said.count(c)) for c in some])
            tries.append(Tries(one.ids, [c.ids for c in some], counts, worth[mine], far[mine]))
        return Round(tries, float((valid > 0).mean()))

    def _asker(self, model: Any) -> Asker:
        """Asks for the greedy answer and then for those that are drawn."""
        room = self.room
        if self._known is None:
            loaded, answers = replace(room.loaded, model=model), room.samples + 1
            self._known = Asker(loaded, room.questions, room.probability, answers, room.temperature, AT_ONCE)
        self._known.decoder.forget()  # the model has learnt since
        return self._known

    def _rows(self, asked: Sequence[Asked], said: Sequence[tuple[int, Completion]]) -> Matrix:
        """The rows that answers propose, internal coding, NaN where one proposes none."""
        import pandas as pd

        schema = self.room.task.schema
        read, at = [], []
        for k, (i, completion) in enumerate(said):
            try:
                read.append(dict(self.room.questions.read(completion.text, asked[i].query.row).row))
            except Unparsable:
                continue
            at.append(k)
        rows = np.full((len(said), len(schema)), np.nan)
        if read:
            rows[at] = schema.encode(pd.DataFrame(read))
        return rows

    def _judged(self, rows: Matrix, people: Matrix) -> tuple[Matrix, Matrix]:
        """What rows are worth before distance, and how far they go in typical distances."""
        schema = self.room.task.schema
        there = np.isfinite(rows).all(axis=1)
        worth, far = np.zeros(len(rows)), np.zeros(len(rows))
        if there.any():
            some = rows[there]
            good = (self.room.probability(some) >= FLIP) & schema.keeps(some)
            worth[there] = np.where(good, np.where(schema.in_training_range(some).all(axis=1), 1.0, OUTSIDE), 0.0)
            far[there] = schema.gaps(some, people[there]).mean(axis=1) / self.room.typical
        return worth, far
