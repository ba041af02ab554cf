"""Answers on their way between caches, so that others can replay a published leaderboard: gzipped JSON, a line an answer.

There is no secret in it: requests are kept without headers, and answers were cleaned before they were kept.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from sensecf_bench.errors import BenchError
from sensecf_openai.answers import Answer, Request
from sensecf_openai.cache import FILE, AnswerCache, Entry

LOGS = "cells/*/output-*.log"
NAMES = {f.name for f in fields(Answer)}
ASKED = {f.name for f in fields(Request)}


class ArchiveError(BenchError):
    """There is nothing to export, or nothing that could be imported."""


def export(source: Path, target: Path, cache: Path | None) -> int:
    """Write the answers of a run, or all of a cache folder, to a file; how many they are."""
    keys: set[str] | None = None
    if (source / "run.json").exists():
        keys = keys_of(source)
        cache = cache or _cache_of(source)
    folder = cache or source
    if not (folder / FILE).exists():
        raise ArchiveError(f"{folder} holds no answers", "name a run with --cache, or the cache folder itself")
    store = AnswerCache(folder)
    entries = list(store.entries(keys))
    store.close()
    if keys is not None and len(entries) < len(keys):
        raise ArchiveError(
            f"{len(keys) - len(entries)} of the run's {len(keys)} answers are not in {folder}",
            "name the cache that the run used: --cache DIR",
        )
    # A fixed time and no name in the header: the same answers make the same file.
    with target.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as file:
        for key, request, answer in entries:
            line = {"key": key, "request": json.loads(request), "answer": asdict(answer)}
            file.write((json.dumps(line, sort_keys=True, ensure_ascii=False) + "\n").encode())
    return len(entries)


def bring_in(source: Path, cache: Path) -> tuple[int, int]:
    """Take the answers of a file into a cache; how many there are, and how many were new."""
    entries = list(_read(source))
    store = AnswerCache(cache)
    new = store.put_all(entries)
    store.close()
    return len(entries), new


def keys_of(run: Path) -> set[str]:
    """The keys of the answers that a run used, as its generators noted them."""
    keys: set[str] = set()
    for log in sorted(run.glob(LOGS)):
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith('{"query":') and (key := _note(line).get("answer")):
                keys.add(str(key))
    if not keys:
        raise ArchiveError(f"no finished cell of {run} notes an answer", "name a run of these generators")
    return keys


def _note(line: str) -> dict[str, Any]:
    try:
        note: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return note


def _cache_of(run: Path) -> Path:
    config = json.loads((run / "run.json").read_text(encoding="utf-8")).get("config", {})
    return Path(config["cache"]) if config.get("cache") else users_cache()


def users_cache() -> Path:
    """Where runs keep what is dear unless they are told otherwise."""
    import platformdirs

    return platformdirs.user_cache_path("sensecf-bench")


def _read(source: Path) -> Iterator[Entry]:
    done = 0
    try:
        with gzip.open(source, "rt", encoding="utf-8") as file:
            for line in file:
                yield _entry(json.loads(line))
                done += 1
    except OSError as error:
        raise ArchiveError(f"{source} cannot be read: {error}") from None
    except (ValueError, KeyError, TypeError, EOFError) as error:
        raise ArchiveError(f"{source}, line {done + 1}: {error}", "export it again") from None


def _entry(content: dict[str, Any]) -> Entry:
    """A line that was not tampered with: its key is the hash of its request."""
    if set(content["request"]) != ASKED:
        raise ValueError("the request has other fields than a request has")
    request = Request(**content["request"])
    if request.key != content["key"]:
        raise ValueError("the key is not the hash of the request")
    if set(content["answer"]) != NAMES:
        raise ValueError("the answer has other fields than an answer has")
    return request.key, request.text, Answer(**content["answer"])
