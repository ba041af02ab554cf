"""Putting the parts together: a prompt, an endpoint, a cache and a purse become something that answers queries."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sensecf_bench.prompting import Unparsable
from sensecf_openai.answering import Answering, Reading
from sensecf_openai.answers import Request
from sensecf_openai.cache import AnswerCache
from sensecf_openai.caller import Caller
from sensecf_openai.dialect import RUNGS, Dialect, response_formats
from sensecf_openai.keys import find_key, redactor
from sensecf_openai.prices import FREE

if TYPE_CHECKING:
    from sensecf_bench import Query, Task
    from sensecf_bench.prompting import Prompt
    from sensecf_openai.answering import Phrase, Phrased, Read
    from sensecf_openai.answers import Answer
    from sensecf_openai.options import GPTOptions

NO_KEY = "none"  # the client wants to send something


def make_answering(options: GPTOptions, task: Task, prompt: Prompt, max_tokens: int, margin: float) -> Answering:
    """What answers the queries of a task. Imports openai, unless answers are replayed."""
    return Answering(
        AnswerCache(task.cache),
        None if options.replay else _caller(options),
        _phrase(options, prompt, max_tokens),
        _read(prompt),
        RUNGS[options.structured],
        options.concurrency,
        task.seconds_per_query * (1 - margin),
        task.purse,
    )


def _caller(options: GPTOptions) -> Caller:
    key = find_key(options.key_variable) if options.key_variable else ""
    client = options.endpoint.client(key or NO_KEY)
    dialect = Dialect(options.structured)
    return Caller(client, dialect, options.price or FREE, redactor(key), options.timeout, options.retries)


def _phrase(options: GPTOptions, prompt: Prompt, max_tokens: int) -> Phrase:
    formats = response_formats(prompt)
    wording = f"{prompt.template.name} {prompt.template.digest}"

    def phrase(query: Query, sample: int) -> Phrased:
        seed = (query.seed if options.seed is None else options.seed) + sample
        on_no_rung = Request(
            endpoint=options.endpoint.identity,
            model=options.model,
            messages=[{"role": m["role"], "content": m["content"]} for m in prompt.messages(query.row)],
            temperature=options.temperature,
            seed=seed % 2**31,
            max_tokens=max_tokens,
            response_format="",
            template=wording,
            sample=sample,
        )
        return lambda rung: replace(on_no_rung, response_format=formats[rung])

    return phrase


def _read(prompt: Prompt) -> Read:
    def read(query: Query, answer: Answer) -> Reading:
        if answer.flaw:
            return Reading(None, answer.flaw)
        try:
            return Reading(prompt.parse(answer.text, query.row).row)
        except Unparsable as error:
            return Reading(None, error.why)

    return read
