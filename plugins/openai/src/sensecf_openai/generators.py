"""The generators: they put the question, and read the answers."""

from __future__ import annotations

import json
import math
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from sensecf_bench import CounterfactualBatch, Generator, Unavailable, Usage
from sensecf_bench.prompting import Brief, Prompt, Proposal, Shot, choose_shots
from sensecf_openai.keys import find_key
from sensecf_openai.options import FewShotOptions, GPTOptions

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Mapping

    from sensecf_bench import FeatureSchema, Query, QueryBatch, Task
    from sensecf_openai.answering import Result

MARGIN = 0.1  # of a query's time, so that an answer in time also arrives in time
TOKENS_BESIDE, TOKENS_PER_FEATURE = 256, 32  # room for an answer, where nobody says how much


class UnansweredError(Exception):
    """Queries that got no answer."""


class GPT(Generator):
    """What both generators share."""

    access = "training-data"  # the prompt says how each feature is spread over the training rows
    needs: ClassVar[frozenset[str]] = frozenset({"network", "paid"})
    lane: ClassVar[Literal["cpu", "gpu", "io"]] = "io"
    batch_size: ClassVar[int | None] = None
    dear = "every answer is paid for"
    named_options: ClassVar[tuple[str, ...]] = ("model", "template")
    preload: ClassVar[tuple[str, ...]] = ("openai.types.chat", "openai.resources.chat", "jinja2")
    Options = GPTOptions

    @property
    def shots(self) -> int:
        return 0

    def available(self) -> None:
        """Raise Unavailable without a key where one is needed, and where nobody knows what an answer costs."""
        options, name = self.options, self.name
        if options.replay:
            return
        host, variable = options.endpoint.host, options.key_variable
        if variable is None:
            raise Unavailable(
                f"nobody said which key is meant for {host}",
                f"add --set {name}.api_key_env=VARIABLE, the environment variable that holds it (empty for no key)",
            )
        if variable and not find_key(variable):
            raise Unavailable(
                f"there is no key for {host} in ${variable}",
                f"export {variable}=..., or ask a server on this machine: --set {name}.base_url=http://127.0.0.1:PORT/v1",
            )
        if options.price is None:
            raise Unavailable(
                f"nobody knows what {options.model!r} at {host} costs",
                f"add --set {name}.prices=FILE, or --set '{name}.prices={{input: USD, output: USD}}' per million tokens",
            )

    def recipient(self) -> str:
        endpoint = self.options.endpoint
        return "" if endpoint.is_local or self.options.replay else endpoint.host

    def price(self, schema: FeatureSchema, queries: int, k: int) -> float:
        from sensecf_openai.estimate import estimated_usd

        if self.options.replay:
            return 0.0
        price = self.options.price
        if price is None:
            return math.nan
        return estimated_usd(schema, self._prompt_on, self._most_tokens(schema), price, self.shots) * queries * k

    def fit(self, task: Task) -> None:
        from sensecf_openai.asking import make_answering

        self.task = task
        self._answering = None
        self._refused: dict[str, str] = {}
        if not task.schema.mutable.any():
            return  # there is no counterfactual to ask for
        brief = Brief.of(task.schema, task.classes, task.target, task.train_matrix, task.train_labels)
        self._prompt = self._prompt_on(brief, self._shots(task))
        self._answering = make_answering(self.options, task, self._prompt, self._most_tokens(task.schema), MARGIN)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="openai")  # whose loop does not meet a notebook's
        self._runner: asyncio.Runner | None = None

    def generate(self, queries: QueryBatch) -> CounterfactualBatch | None:
        if self._answering is None or not len(queries):
            return None
        asked = list(queries)
        if len(asked) == 1 and asked[0].id in self._refused:
            raise UnansweredError(self._refused.pop(asked[0].id))
        results = self._run(self._answering.answer(asked, self.task.k))
        self._refuse_unanswered(results)
        return self._read(asked, results)

    # -- inside ----------------------------------------------------------------------------------------------------
    def _shots(self, task: Task) -> tuple[Shot, ...]:
        return ()

    def _prompt_on(self, brief: Brief, shots: tuple[Shot, ...] = ()) -> Prompt:
        o = self.options
        version = int(o.template.rpartition("-")[2])
        return Prompt.of(brief, o.style, version=version, rationale=o.rationale, shots=shots)

    def _most_tokens(self, schema: FeatureSchema) -> int:
        given: int | None = self.options.max_tokens
        return given or TOKENS_BESIDE + TOKENS_PER_FEATURE * len(schema)

    def _run(self, work: Coroutine[Any, Any, dict[str, Result]]) -> dict[str, Result]:
        import asyncio

        def inside() -> dict[str, Result]:
            self._runner = self._runner or asyncio.Runner()
            return self._runner.run(work)

        return self._thread.submit(inside).result()

    def _refuse_unanswered(self, results: Mapping[str, Result]) -> None:
        """Raise if a query got no answer. The harness then asks one at a time: those with an answer find it in the cache,
        and the others are told at once what is remembered here, so that each fails alone and with its own reason."""
        unanswered = {i: result.failures[0] for i, result in results.items() if result.failures and not result.samples}
        if not unanswered:
            return
        why = next(iter(unanswered.values()))
        if len(results) == 1:
            raise UnansweredError(why)
        self._refused = unanswered
        raise UnansweredError(f"{len(unanswered)} of {len(results)} queries got no answer, the first because: {why}")

    def _read(self, asked: list[Query], results: Mapping[str, Result]) -> CounterfactualBatch:
        import pandas as pd

        rows: list[dict[str, Any]] = []
        unparsable: dict[str, str] = {}
        usage: dict[str, Usage] = {}
        rationales: dict[str, list[str]] = {}
        for query in asked:
            result = results[query.id]
            proposed = self._proposals(query, result)
            rows += [{"query_id": query.id, **proposal.row} for proposal in proposed]
            rationales[query.id] = [proposal.rationale for proposal in proposed]
            if not proposed:
                unparsable[query.id] = result.samples[0].answer.kept
            answers = [sample.answer for sample in result.samples]
            usage[query.id] = Usage(
                sum(a.prompt_tokens for a in answers),
                sum(a.completion_tokens for a in answers),
                sum(a.usd for a in answers),
            )
        names = ["query_id", *self.task.schema.names]
        frame = pd.DataFrame(rows, columns=names) if rows else None
        return CounterfactualBatch(frame, unparsable, usage, rationales)

    def _proposals(self, query: Query, result: Result) -> list[Proposal]:
        """What the samples propose, each row once, with the rationale it first came with."""
        proposals: list[Proposal] = []
        for sample in result.samples:
            row, answer = sample.reading.row, sample.answer
            if row is not None and all(row != proposal.row for proposal in proposals):
                proposals.append(self._prompt.parse(answer.text, query.row))
            note = {"query": query.id, "sample": sample.number, "answer": sample.request.key, "model": answer.model}
            _note({**note, "from_cache": sample.from_cache, "counted": answer.counted, "flaw": sample.reading.flaw})
        return proposals


class GPT4ZeroShot(GPT):
    """GPT-4 by an OpenAI-compatible endpoint, told about features, training statistics and the query."""

    name = "gpt-4-zero-shot"


class GPT4FewShot(GPT):
    """GPT-4 by an OpenAI-compatible endpoint, shown examples from the training rows as well."""

    name = "gpt-4-few-shot"
    Options = FewShotOptions

    @property
    def shots(self) -> int:
        return int(self.options.shots)

    def _shots(self, task: Task) -> tuple[Shot, ...]:
        rows = task.train_matrix
        return choose_shots(task.schema, rows, task.predict(rows), task.predict, task.target, self.shots, task.seed)


def _note(content: Mapping[str, Any]) -> None:
    """A line in the generator's log, which the run keeps: `sensecf_openai export` finds the answers by it."""
    sys.stdout.write(json.dumps(content) + "\n")
