"""A small server that speaks the protocol of chat completions, and plays faults by script.

It answers with a method of its own: the features that are farthest from what is usual in the wanted class are moved there,
all of it read from the prompt. Run it by hand: `python fault_server.py --port 8000 --latency 0.3`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

LINE = re.compile(r'^- ("(?:[^"\\]|\\.)*")(.*)$', re.M)
STRING = r'"(?:[^"\\]|\\.)*"'
TOKEN = re.compile(r"\d{1,3}|[^\W\d]+|\s+|[^\w\s]")  # how cl100k cuts before it merges
MOST_CHANGES = 8
ENDLESS = 3600.0

Script = Callable[[int, int], str]  # the person's number, in order of arrival, and which try this is


def tokens(text: str) -> int:
    return len(TOKEN.findall(text))


def changes_for(messages: list[dict]) -> tuple[dict, dict]:
    """The person's row, and what to change in it."""
    system, question = messages[0]["content"], messages[-1]["content"]
    row = json.loads(re.search(r"Person: (\{.*\})", question)[1])
    wanted = json.loads(re.search(rf"makes it say ({STRING})", question)[1])
    moves = []
    for name, said in LINE.findall(system):
        name, said = json.loads(name), said
        if name not in row or "must not change" in said:
            continue
        usual = re.search(rf"([-\d.e+]+|{STRING}) in {re.escape(json.dumps(wanted, ensure_ascii=False))}", said)
        if usual is None:
            continue
        usual, now = json.loads(usual[1]), row[name]
        if isinstance(now, str):
            if now != usual and "may only" not in said:
                moves.append((0.5, name, usual))
            continue
        low, high = map(float, re.search(r"half of them from (\S+) to ([-\d.e+]+)", said).groups())
        if "whole number" in said:
            usual = round(usual)
        if usual != now and not ("only go up" in said and usual < now) and not ("only go down" in said and usual > now):
            moves.append((abs(usual - now) / (high - low or 1.0), name, usual))
    moves.sort(reverse=True, key=lambda move: move[0])
    return row, {name: value for _, name, value in moves[:MOST_CHANGES]}


def answer_to(messages: list[dict]) -> str:
    return _answer_to(json.dumps(messages))


@lru_cache(maxsize=10_000)
def _answer_to(asked: str) -> str:
    messages = json.loads(asked)
    row, changes = changes_for(messages)
    if '{"changes":' in messages[0]["content"]:
        content = {"changes": [{"feature": n, "value": v} for n, v in changes.items()]}
    else:
        content = {**row, **changes}
        if '{"row":' in messages[0]["content"]:
            content = {"row": content}
    if '"rationale":' in messages[0]["content"]:
        content["rationale"] = "These values are usual in the wanted class."
    return json.dumps(content, separators=(",", ":"))


class FaultServer:
    """On loopback, in a thread of its own, for as long as the `with` block lasts."""

    def __init__(self, script: Script | str = "answer", latency: float = 0.0, port: int = 0, key: str = "") -> None:
        self.script = (lambda person, attempt: script) if isinstance(script, str) else script
        self.latency, self.port, self.key = latency, port, key
        self.bodies: list[dict] = []
        self.delivered: list[str] = []  # what was asked, where the whole answer was handed over
        self.times: list[float] = []
        self.busy = self.busiest = 0
        self._people: dict[str, int] = {}
        self._tries: Counter[str] = Counter()
        self._connections: set[asyncio.Task] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def asked(self) -> list[str]:
        return [json.dumps(body["messages"]) for body in self.bodies]

    def __enter__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        starting = asyncio.start_server(self._serve, "127.0.0.1", self.port, backlog=1024)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_):
        async def end():
            self._server.close()
            for task in list(self._connections):
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _serve(self, reader, writer):
        self._connections.add(asyncio.current_task())
        asyncio.current_task().add_done_callback(self._connections.discard)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                headers = dict(re.findall(r"^([\w-]+): *(.*?)\r$", head, re.M))
                headers = {name.lower(): value for name, value in headers.items()}
                body = json.loads(await reader.readexactly(int(headers.get("content-length", 0))) or b"{}")
                self.busy += 1
                self.busiest = max(self.busiest, self.busy)
                try:
                    stays_open = await self._play(headers, body, writer)
                finally:
                    self.busy -= 1
                if not stays_open:
                    break
        writer.close()

    async def _play(self, headers: dict, body: dict, writer) -> bool:
        asked = json.dumps(body["messages"])
        person = self._people.setdefault(asked, len(self._people))
        attempt = self._tries[asked]
        self._tries[asked] += 1
        self.bodies.append(body)
        arrived = time.monotonic()
        self.times.append(arrived)
        if self.latency:  # thinking is part of it
            answer_to(body["messages"])
            await asyncio.sleep(self.latency - (time.monotonic() - arrived))
        if self.key and headers.get("authorization") != f"Bearer {self.key}":
            return await _reply(writer, 401, _error("Incorrect API key provided", code="invalid_api_key"))
        name, _, more = self.script(person, attempt).partition(" ")
        return await getattr(self, f"_{name.replace('-', '_')}")(headers, body, writer, more)

    # -- parts that can be played: each returns whether the connection stays open ------------------------------------
    async def _answer(self, headers, body, writer, more):
        whole = await _reply(writer, 200, completion(body, answer_to(body["messages"])))
        self.delivered.append(json.dumps(body["messages"]))
        return whole

    async def _fenced(self, headers, body, writer, more):
        return await _reply(writer, 200, completion(body, f"```json\n{answer_to(body['messages'])}\n```"))

    async def _prose(self, headers, body, writer, more):
        return await _reply(writer, 200, completion(body, "I would lower the glucose."))

    async def _null(self, headers, body, writer, more):
        return await _reply(writer, 200, completion(body, None))

    async def _refusal(self, headers, body, writer, more):
        return await _reply(writer, 200, completion(body, None, refusal="I cannot help with that."))

    async def _length(self, headers, body, writer, more):
        return await _reply(writer, 200, completion(body, answer_to(body["messages"])[:20], finish="length"))

    async def _filtered(self, headers, body, writer, more):
        return await _reply(writer, 200, completion(body, "", finish="content_filter"))

    async def _uncounted(self, headers, body, writer, more):
        content = completion(body, answer_to(body["messages"]))
        del content["usage"]
        return await _reply(writer, 200, content)

    async def _status(self, headers, body, writer, more):
        status, *told = more.split()
        extra = {"Retry-After": told[0]} if told else {}
        return await _reply(writer, int(status), _error("the server is unwell"), extra)

    async def _quota(self, headers, body, writer, more):
        return await _reply(writer, 429, _error("You exceeded your current quota", code="insufficient_quota"))

    async def _echo(self, headers, body, writer, more):
        key = headers.get("authorization", "").removeprefix("Bearer ")
        ends = f"{key[:9]}****{key[-9:]}"
        said = f"Incorrect API key provided: {key} ({ends}). Find yours at example.org."
        return await _reply(writer, int(more or 401), _error(said, code="invalid_api_key"))

    async def _formless(self, headers, body, writer, more):
        """Knows so many rungs of structure less than the best server."""
        known = {"": (), "json": ("json_object",)}[more]
        given = body.get("response_format", {}).get("type")
        if given and given not in known:
            return await _reply(writer, 400, _error(f"response_format of type {given!r} is not supported"))
        return await self._answer(headers, body, writer, "")

    async def _choosy(self, headers, body, writer, more):
        """Wants `max_completion_tokens`, and no seed."""
        if "max_tokens" in body:
            said = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
            return await _reply(writer, 400, _error(said))
        if "seed" in body:
            return await _reply(writer, 422, _error("Unexpected fields in the request: {'seed'}"))
        return await self._answer(headers, body, writer, "")

    async def _bad(self, headers, body, writer, more):
        return await _reply(writer, 400, _error("This model's maximum context length is 8192 tokens"))

    async def _slow(self, headers, body, writer, more):
        await asyncio.sleep(float(more or ENDLESS))
        return await self._answer(headers, body, writer, "")

    async def _dropped(self, headers, body, writer, more):
        return False

    async def _truncated(self, headers, body, writer, more):
        whole = _written(200, completion(body, answer_to(body["messages"])))
        writer.write(whole[: len(whole) - 40])
        await writer.drain()
        return False

    async def _malformed(self, headers, body, writer, more):
        return await _reply(writer, 200, b'{"id": "x", "choices": [')

    async def _choiceless(self, headers, body, writer, more):
        return await _reply(writer, 200, {"id": "x", "object": "chat.completion", "choices": []})

    async def _odd(self, headers, body, writer, more):
        return await _reply(writer, 200, {"error": {"message": "all is not well"}})

    async def _drip(self, headers, body, writer, more):
        for byte in _written(200, completion(body, answer_to(body["messages"]))):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(float(more or 0.1))
        return True

    async def _moved(self, headers, body, writer, more):
        return await _reply(writer, 307, {}, {"Location": more})


def completion(body: dict, text: str | None, finish: str = "stop", refusal: str | None = None) -> dict:
    prompt = sum(tokens(m["content"]) for m in body["messages"])
    count = tokens(text or refusal or "")
    message = {"role": "assistant", "content": text, "refusal": refusal}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": prompt, "completion_tokens": count, "total_tokens": prompt + count},
    }


def _error(message: str, code: str | None = None) -> dict:
    return {"error": {"message": message, "type": "error", "code": code, "param": None}}


async def _reply(writer, status: int, content, headers: dict | None = None) -> bool:
    writer.write(_written(status, content, headers))
    await writer.drain()
    return True


def _written(status: int, content, headers: dict | None = None) -> bytes:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    lines = {"Content-Type": "application/json", "Content-Length": len(body), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Played\r\n{head}\r\n".encode() + body


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--script", default="answer")
    chosen = parser.parse_args()
    with FaultServer(chosen.script, chosen.latency, chosen.port) as server:
        sys.stdout.write(f"{server.url}\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(60)


if __name__ == "__main__":
    main()
