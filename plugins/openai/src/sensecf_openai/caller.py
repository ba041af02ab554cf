"""One request to the server, asked again where that helps, within the time its query has."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeGuard

from sensecf_openai import patience
from sensecf_openai.answers import Answer, Request, estimated_tokens
from sensecf_openai.dialect import Dialect, Manner
from sensecf_openai.prices import Price

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from sensecf_openai.keys import Redact
    from sensecf_openai.till import Till

SCOUT_SECONDS = 5.0
ADAPTED = "asked in another manner"
LONGEST_COMPLAINT = 500


class NoAnswerError(Exception):
    """A query that got no answer, and why; the text holds no secret."""


class HopelessError(NoAnswerError):
    """No query would get an answer."""


@dataclass(frozen=True)
class _Failure:
    """One try that came to nothing."""

    why: str
    again: bool = False
    told: float | None = None  # how long the server asks to wait
    hopeless: bool = False
    billed: bool = False  # the server may have worked, and may ask to be paid


class Caller:
    """Asks one server for answers. Everything it learns about it serves the next request."""

    def __init__(
        self, client: AsyncOpenAI, dialect: Dialect, price: Price, redact: Redact, timeout: float, retries: int
    ) -> None:
        self._client, self._dialect, self._price, self._redact = client, dialect, price, redact
        self._timeout, self._retries = timeout, retries
        self._scouted: asyncio.Event | None = None
        self._resting_until = 0.0
        self.hopeless: HopelessError | None = None

    async def ready(self) -> None:
        """Wait until the very first request is back, so that 32 need not find out what one can; and as long as the
        server asked everybody to wait."""
        if self._scouted is None:
            self._scouted = asyncio.Event()
        else:
            try:
                await asyncio.wait_for(self._scouted.wait(), SCOUT_SECONDS)
            except TimeoutError:
                self._scouted.set()
        await asyncio.sleep(max(0.0, self._resting_until - time.monotonic()))

    async def ask(self, request_in: Callable[[str], Request], till: Till, ends: float) -> tuple[Request, Answer]:
        """The answer and the request it answers. Raises NoAnswerError, and OverBudgetError from the till."""
        tries = 0
        try:
            while True:
                if self.hopeless is not None:
                    raise self.hopeless
                manner = self._dialect.manner
                request = request_in(manner.rung)
                hold = await till.take(request.most(self._price))
                result = await self._try(request, manner, ends)
                if isinstance(result, Answer):
                    till.settle(hold, result.usd)
                    return request, result
                till.settle(hold, None if result.billed else 0.0)
                if result.why == ADAPTED:
                    continue
                tries += 1
                await self._give_up_or_wait(result, tries, ends)
        finally:
            if self._scouted is not None:
                self._scouted.set()

    async def _give_up_or_wait(self, failure: _Failure, tries: int, ends: float) -> None:
        if failure.hopeless:
            self.hopeless = HopelessError(failure.why)
            raise self.hopeless
        if not failure.again:
            raise NoAnswerError(failure.why)
        if tries > self._retries:
            raise NoAnswerError(f"{failure.why}; given up after {tries} tries")
        wait = patience.pause(tries, failure.told)
        if time.monotonic() + wait >= ends:
            raise NoAnswerError(f"{failure.why}; no time for another try after {wait:.3g} s")
        if self._scouted is not None:
            self._scouted.set()
        await asyncio.sleep(wait)

    async def _try(self, request: Request, manner: Manner, ends: float) -> Answer | _Failure:
        import openai

        left = ends - time.monotonic()
        if left <= 0:
            return _Failure("out of time")
        allowed = min(self._timeout, left)
        try:
            # A server that sends a byte now and then keeps every read in time: only the clock on the wall ends that.
            reply = await asyncio.wait_for(self._send(request, manner, allowed), allowed)
        except (TimeoutError, openai.APITimeoutError):
            again = allowed < left
            return _Failure(f"no answer within {allowed:.3g} s", again, billed=True)
        except openai.APIStatusError as error:
            return self._refused(error, manner)
        except openai.APIConnectionError as error:
            cause = type(error.__cause__ or error).__name__
            sent = "Connect" not in cause
            return _Failure(f"the connection failed ({cause})", True, billed=sent)
        except Exception as error:  # noqa: BLE001 whatever a client makes of a body that is no JSON
            return _Failure(f"a reply that is no answer ({type(error).__name__})", True, billed=True)
        answer = self._answer(reply, request)
        return answer or _Failure("a reply without a choice", True, billed=True)

    async def _send(self, request: Request, manner: Manner, seconds: float) -> Any:
        from openai.types.chat import ChatCompletion

        body: dict[str, Any] = {"model": request.model, "messages": list(request.messages)}
        body[manner.length] = request.max_tokens
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.seed is not None and manner.seed:
            body["seed"] = request.seed
        if request.response_format:
            body["response_format"] = json.loads(request.response_format)
        # What `chat.completions.create` calls in the end; its walk through the types of the body takes a millisecond.
        return await self._client.post(
            "/chat/completions", cast_to=ChatCompletion, body=body, options={"timeout": seconds}
        )

    def _refused(self, error: Any, manner: Manner) -> _Failure:
        status, code = int(error.status_code), str(error.code or "")
        complaint = self._redact(str(error.message))[:LONGEST_COMPLAINT]
        if status in (400, 422) and self._dialect.adapt(manner, complaint):
            return _Failure(ADAPTED)
        if status in (401, 403):  # such messages like to repeat the key
            return _Failure(f"the server refuses the key (HTTP {status})", hopeless=True)
        told = patience.told_wait(error.response.headers)
        if status == 429 and told is not None:
            rest = min(told, patience.LONGEST_WAIT)  # one odd answer should not stop everybody for an hour
            self._resting_until = max(self._resting_until, time.monotonic() + rest)
        why = f"HTTP {status}: {complaint}"
        return _Failure(why, patience.worth_another_try(status, code), told, patience.is_hopeless(status, code))

    def _answer(self, reply: Any, request: Request) -> Answer | None:
        choices = getattr(reply, "choices", None)
        if not choices or getattr(choices[0], "message", None) is None:
            return None
        message = choices[0].message
        text = message.content if isinstance(message.content, str) else None
        refusal = getattr(message, "refusal", None)
        prompt, cached, completion, counted = _tokens(getattr(reply, "usage", None), request, text)
        return Answer(
            text=None if text is None else self._redact(text),
            refusal=self._redact(refusal) if isinstance(refusal, str) else "",
            finish=str(choices[0].finish_reason or ""),
            model=self._redact(str(getattr(reply, "model", ""))),
            prompt_tokens=prompt,
            cached_tokens=cached,
            completion_tokens=completion,
            usd=self._price.usd(prompt, completion, cached),
            at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
            counted=counted,
        )


def _tokens(usage: Any, request: Request, text: str | None) -> tuple[int, int, int, bool]:
    """Tokens of the prompt, those of them that were cached, tokens of the answer, and whether the server counted them."""
    prompt, completion = getattr(usage, "prompt_tokens", None), getattr(usage, "completion_tokens", None)
    if not _is_count(prompt) or not _is_count(completion):
        length = len((text or "").encode("utf-8", "replace"))
        return estimated_tokens(request.bytes), 0, estimated_tokens(length), False
    cached = getattr(getattr(usage, "prompt_tokens_details", None), "cached_tokens", None)
    return prompt, cached if _is_count(cached) else 0, completion, True


def _is_count(number: object) -> TypeGuard[int]:
    return isinstance(number, int) and number >= 0
