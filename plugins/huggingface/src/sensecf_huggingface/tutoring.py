"""What tried answers are worth, and what they would be worth with another word: the explained classifier's verdict."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench.prompting import Unparsable
from sensecf_huggingface.asking import Asker
from sensecf_huggingface.targets.people import asked_about
from sensecf_huggingface.tuning.practice import Round, Tries

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench import Task
    from sensecf_huggingface.asking import Asked
    from sensecf_huggingface.constraint import Compiler
    from sensecf_huggingface.decoding import Completion
    from sensecf_huggingface.judging import Sweeper
    from sensecf_huggingface.loaded import Loaded
    from sensecf_huggingface.questions import Questions

    Matrix = NDArray[np.float64]

AT_ONCE = 288  # answers under way


@dataclass(frozen=True, eq=False)
class Classroom:
    """The people who are asked about, shape `(n, d)`, and who judges what is said of them. Beside the greedy answer, `samples`
    are drawn."""

    task: Task
    loaded: Loaded
    questions: Questions
    sweeper: Sweeper
    people: Matrix
    samples: int = 1
    temperature: float = 0.7
    compiler: Compiler | None = None  # with the grammars that others have compiled


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
        judge = room.sweeper.judge
        said = [judge.unit, room.samples, room.temperature, room.task.schema.fingerprint]
        digest = hashlib.sha256(json.dumps(said).encode())
        for array in (room.people, judge.probability(room.people)):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def round(self, model: Any, chosen: NDArray[np.intp], chance: np.random.Generator) -> Round:
        room = self.room
        people = room.people[chosen]
        seeds = chance.integers(2**63, size=len(people), dtype=np.uint64)
        queries = asked_about(room.task, people, seeds)
        asked, said_of_all = self._asker(model).ask(queries)
        different = [list(dict.fromkeys(said)) for said in said_of_all]  # the greedy answer comes first
        counts = [len(some) for some in different]
        flat = [(i, c) for i, some in enumerate(different) for c in some]
        who = {name: i for i, name in enumerate(queries.ids)}
        those = people[np.repeat([who[one.query.id] for one in asked], counts)]
        rows = self._rows(asked, flat)
        sweeps = room.sweeper.sweeps(those, rows, [c.ids for _, c in flat])
        first = np.cumsum([0, *counts])[:-1]
        valid = room.sweeper.judge(rows[first], those[first]).worth > 0
        tries = [
            Tries(one.ids, [c.ids for c in some], sweeps[start : start + len(some)])
            for one, some, start in zip(asked, different, first, strict=True)
        ]
        return Round(tries, float(valid.mean()))

    def _asker(self, model: Any) -> Asker:
        """Asks for the greedy answer and then for those that are drawn."""
        room = self.room
        if self._known is None:
            loaded, answers = replace(room.loaded, model=model), room.samples + 1
            told, known = room.sweeper.judge.probability, room.compiler
            self._known = Asker(loaded, room.questions, told, answers, room.temperature, AT_ONCE, known=known)
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
