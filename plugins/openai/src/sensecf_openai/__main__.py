"""`python -m sensecf_openai export|import`: answers beside a published leaderboard."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sensecf_bench.errors import BenchError
from sensecf_openai.archive import bring_in, export, users_cache


def main(words: list[str] | None = None) -> int:
    """Returns the exit code."""
    chosen = _parser().parse_args(words)
    try:
        if chosen.command == "export":
            count = export(chosen.source, chosen.file, chosen.cache)
            sys.stdout.write(f"{count} answers written to {chosen.file}\n")
        else:
            count, new = bring_in(chosen.file, chosen.cache or users_cache())
            sys.stdout.write(f"{count} answers read, {new} of them new\n")
    except BenchError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sensecf_openai", description="Answers beside a leaderboard.")
    commands = parser.add_subparsers(dest="command", required=True)
    out = commands.add_parser("export", help="write the answers that a run used, or all of a cache")
    out.add_argument("source", type=Path, metavar="RUN_OR_CACHE")
    out.add_argument("file", type=Path, metavar="OUT.jsonl.gz")
    back = commands.add_parser("import", help="take answers into a cache, to replay them")
    back.add_argument("file", type=Path, metavar="FILE.jsonl.gz")
    for command in (out, back):
        command.add_argument("--cache", type=Path, help="the cache folder (the run's, else the user's)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
