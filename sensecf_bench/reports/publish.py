"""Leaderboards as files: a markdown file a dataset beside the records it was made from and its curves, and the check of all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from sensecf_bench.engine.files import CorruptError, read_json, write_atomically, write_json
from sensecf_bench.errors import RunFolderError, StaleError
from sensecf_bench.reports.drawing import faults, write_curves
from sensecf_bench.reports.leaderboard import datasets_in, only, render, render_dataset

SHOWN = 120  # characters of a line that differs


def read_results(run: Path) -> dict[str, Any]:
    """The results document of a run folder, or of a file. Raises RunFolderError."""
    path = run / "results.json" if run.is_dir() else run
    if not path.exists():
        raise RunFolderError(f"{run} holds no results.json", "finish the run first: repeat its command")
    try:
        results: dict[str, Any] = read_json(path)
        _ = results["summary"], results["rows"], results["metrics"]
    except (CorruptError, KeyError, TypeError) as error:
        raise RunFolderError(
            f"{path} is not a results document: {error}", "write it anew: `sensecf-bench score RUN`"
        ) from error
    return results


def build(run: Path, out: Path) -> list[Path]:
    """Write `<dataset>.md` and `<dataset>.json` for each dataset of a run, and the curves that its page shows; returns the
    markdown files."""
    results = read_results(run)
    try:
        out.mkdir(parents=True, exist_ok=True)
        written = []
        for dataset in datasets_in(results):
            records = only(results, dataset)
            page = render_dataset(records)
            write_json(out / f"{dataset}.json", records)
            target = out / f"{dataset}.md"
            write_atomically(target, lambda p, text=page: p.write_text(text, encoding="utf-8"))  # type: ignore[misc]
            written.append(target)
            write_curves(records, out)
    except OSError as error:
        raise RunFolderError(f"cannot write to {out}: {error.strerror}", "choose another --out") from error
    return written


def write_page(results: Mapping[str, Any], run: Path) -> None:
    """Write a run's own `leaderboard.md`, all datasets in one, with their curves beside it."""
    page = render(results)
    write_atomically(run / "leaderboard.md", lambda p: p.write_text(page, encoding="utf-8"))
    for dataset in datasets_in(results):
        write_curves(only(results, dataset), run)


def check(folder: Path) -> list[str]:
    """Render every leaderboard of a folder again from its records, and look whether its curves are those of the records.
    Raises StaleError naming each that differs, with its first differing line; returns the names of those checked."""
    if (folder / "run.json").exists():
        raise RunFolderError(
            f"{folder} is a run folder, not a folder of leaderboards",
            f"build them first: `sensecf-bench leaderboard build {folder} --out FOLDER`",
        )
    pages = {p.stem for p in folder.glob("*.md")} - {"README"}
    records = {p.stem for p in folder.glob("*.json")}
    if not pages | records:
        raise RunFolderError(f"{folder} holds no leaderboards", "name a folder that `leaderboard build` wrote")
    problems = [f"{name}.md has no records beside it" for name in sorted(pages - records)]
    problems += [f"{name}.json has no leaderboard beside it" for name in sorted(records - pages)]
    for name in sorted(pages & records):
        try:
            results = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
            expected = render_dataset(results)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            problems.append(f"{name}.json cannot be read: {type(error).__name__}: {error}")
            continue
        found = (folder / f"{name}.md").read_text(encoding="utf-8")
        if found != expected:
            problems.append(f"{name}.md is not what its records say; {name}.md:{_first_difference(expected, found)}")
        problems += faults(results, folder)
    if problems:
        raise StaleError("; ".join(problems), "build it again: `sensecf-bench leaderboard build RUN --out FOLDER`")
    return sorted(pages)


def _first_difference(expected: str, found: str) -> str:
    """The number of the first line that differs, and what stands there on either side."""
    pairs = zip_longest(expected.splitlines(), found.splitlines(), fillvalue="nothing")
    for number, (right, wrong) in enumerate(pairs, start=1):
        if right != wrong:
            return f"{number}: expected {_around(right, wrong)!r}, found {_around(wrong, right)!r}"
    return f"{len(expected.splitlines())}: line endings"


def _around(line: str, other: str) -> str:
    """The part of a line where it first differs from the other; lines of a table are long."""
    first = next((i for i, (a, b) in enumerate(zip(line, other, strict=False)) if a != b), min(len(line), len(other)))
    start = max(0, first - SHOWN // 2)
    return ("…" if start else "") + line[start : start + SHOWN] + ("…" if start + SHOWN < len(line) else "")
