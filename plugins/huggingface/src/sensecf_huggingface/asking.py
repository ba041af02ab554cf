"""Putting a batch of queries to a model, and choosing among what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from sensecf_bench import CounterfactualBatch, Usage
from sensecf_bench.prompting import Unparsable
from sensecf_huggingface.chat import prompt_ids
from sensecf_huggingface.constraint import Compiler
from sensecf_huggingface.decoding import Decoder, Decoding, Limits
from sensecf_huggingface.grammar import edit_list_grammar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sensecf_bench import FeatureSchema, Query, QueryBatch, Task
    from sensecf_bench.prompting import Proposal
    from sensecf_huggingface.decoding import Completion
    from sensecf_huggingface.loaded import Loaded
    from sensecf_huggingface.questions import Questions

    Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Asked:
    """A query, its prompt, and its grammar (None where nothing may change)."""

    query: Query
    ids: list[int]
    grammar: Any
    longest: int


@dataclass(eq=False)
class Asker:
    """Asks one loaded model about the people of one task. Of several samples the first is the greedy answer; with `distinct`
    those that repeat another are drawn again. `known` is a compiler of the same vocabulary, with what it has compiled."""

    loaded: Loaded
    questions: Questions
    probability: Callable[[Matrix], Matrix] | None  # of the target class; None where the prompt does not tell it
    samples: int = 1
    temperature: float = 0.7
    batch: int = 32
    distinct: bool = field(default=False, kw_only=True)
    known: Compiler | None = field(default=None, kw_only=True)
    decoder: Decoder = field(init=False)
    compiler: Compiler = field(init=False)

    def __post_init__(self) -> None:
        self.compiler = self.known or Compiler(self.loaded, self.questions.words, threads=1)
        self.decoder = Decoder(self.loaded, Limits(batch=self.batch, threads=1), self.compiler.vocabulary)

    def ask(self, queries: QueryBatch) -> tuple[list[Asked], list[list[Completion]]]:
        """The queries that have an answer at all, and the completions of each, in their order."""
        asked = self.asked(queries)
        heat = 0.0 if self.samples == 1 else self.temperature
        longest = max((a.longest for a in asked), default=1)
        how = Decoding(longest, self.samples, heat, first_greedy=True, distinct=self.distinct)
        return asked, self.decoder.decode(
            [a.ids for a in asked], [a.grammar for a in asked], [a.query.seed for a in asked], how
        )

    def asked(self, queries: QueryBatch) -> list[Asked]:
        """The queries that have an answer at all, as they are put."""
        told = np.full(len(queries), 0.5) if self.probability is None else self.probability(queries.matrix)
        people = list(queries)
        grammars = self._grammars(queries.schema, people, self.questions.to_mend(queries.matrix))
        asked = []
        for query, held, messages in zip(people, grammars, self.questions.messages(queries.matrix, told), strict=True):
            if held is not None:
                ids = prompt_ids(self.loaded.tokenizer, messages)
                asked.append(Asked(query, ids, *held))
        return asked

    def _grammars(
        self, schema: FeatureSchema, people: Sequence[Query], to_mend: Sequence[tuple[str, ...]]
    ) -> list[tuple[Any, int] | None]:
        """Each query's compiled grammar and the length of its longest answer. Rows that agree where a feature has a
        direction, and in what there is to mend, share one."""
        directed = [f.name for f in schema.features if f.mutable and f.direction != "any"]
        rationale, said = self.questions.prompt.answer.rationale, self.questions.said
        known: dict[tuple[Any, ...], tuple[Any, int] | None] = {}
        found = []
        for query, mended in zip(people, to_mend, strict=True):
            row = query.row
            key = (mended, *(row[name] for name in directed))
            if key not in known:
                grammar = edit_list_grammar(schema, row, rationale=rationale, said=said, mended=mended)
                known[key] = None if grammar is None else (self.compiler.compile(grammar), grammar.longest)
            found.append(known[key])
        return found


def answered(
    task: Task,
    queries: QueryBatch,
    questions: Questions,
    asked: Sequence[Asked],
    completions: Sequence[Sequence[Completion]],
) -> CounterfactualBatch:
    """The answers as the harness takes them: of several samples the nearest that the classifier confirms comes first.

    Samples that are no answer are passed over; a query with none that is one is unparsable.
    """
    import pandas as pd

    readings = [_read(questions, one.query, said) for one, said in zip(asked, completions, strict=True)]
    ranked = _ranked(task, [one.query for one in asked], [proposals for proposals, _ in readings])
    rows: list[dict[str, Any]] = []
    unparsable: dict[str, str] = {}
    usage: dict[str, Usage] = {}
    rationales: dict[str, tuple[str, ...]] = {}
    for one, said, (_, flaw), proposals in zip(asked, completions, readings, ranked, strict=True):
        usage[one.query.id] = Usage(len(one.ids), sum(c.tokens for c in said))
        if not proposals:
            unparsable[one.query.id] = f"{flaw}: {said[0].text}"
        rows += [{"query_id": one.query.id, **p.row} for p in proposals[: task.k]]
        if proposals:
            rationales[one.query.id] = tuple(p.rationale for p in proposals[: task.k])
    names = ["query_id", *task.schema.names]
    frame = pd.DataFrame(rows, columns=names) if rows else None
    return CounterfactualBatch(frame, unparsable, usage, rationales)


def _read(questions: Questions, query: Query, said: Sequence[Completion]) -> tuple[list[Proposal], str]:
    """What the completions propose, each row once, and what is wrong with the first that proposes nothing."""
    proposals: list[Proposal] = []
    flaw = ""
    for completion in said:
        try:
            proposal = questions.read(completion.text, query.row)
        except Unparsable as error:
            flaw = flaw or error.why
            continue
        if all(dict(proposal.row) != dict(p.row) for p in proposals):
            proposals.append(proposal)
    return proposals, flaw


def _ranked(task: Task, queries: Sequence[Query], proposals: Sequence[list[Proposal]]) -> list[list[Proposal]]:
    """The proposals of each query: those that the classifier confirms, the nearest first (Gower), before the others in the
    order they were said. Asks nothing where nobody has a choice."""
    if all(len(some) <= 1 for some in proposals):
        return list(proposals)
    import pandas as pd

    owner = np.repeat(np.arange(len(queries)), [len(some) for some in proposals])
    matrix = task.schema.encode(pd.DataFrame([dict(p.row) for some in proposals for p in some]))
    people = task.schema.encode(pd.DataFrame([dict(q.row) for q in queries]))
    invalid = task.predict(matrix) != task.target
    far = np.where(invalid, 0.0, task.schema.gaps(matrix, people[owner]).mean(axis=1))
    order = np.lexsort((np.arange(len(owner)), far, invalid, owner))
    flat = [p for some in proposals for p in some]
    return [[flat[i] for i in order if owner[i] == at] for at in range(len(queries))]
