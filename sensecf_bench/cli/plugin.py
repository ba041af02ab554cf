"""`sensecf-bench plugin`: write a plugin, and check one."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sensecf_bench.errors import EXIT_CELLS_FAILED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sensecf_bench.testing.bench import Bench
    from sensecf_bench.testing.examination import Result
    from sensecf_bench.testing.subject import Subject

app = typer.Typer(help="Write a plugin, and check one.", no_args_is_help=True)
WORDS = {
    "ok": "ok",
    "failed": "FAILED",
    "expected-failure": "expected failure",
    "unexpected-pass": "FAILED",
    "skipped": "skipped",
}


@app.command()
def check(
    what: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE",
            help="A plugin or a generator, classifier, metric or dataset (NAME:ARG) by name, or a single-file plugin.",
        ),
    ],
    only: Annotated[list[str] | None, typer.Option("--check", help="Make this check only; may be repeated.")] = None,
    allow: Annotated[str, typer.Option(help="Needs you allow, with commas: network,paid,gpu,weights.")] = "",
    seconds: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds a query may take.")] = 20.0,
    python: Annotated[Path | None, typer.Option(help="The interpreter a generator is to run under.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Check that a plugin keeps its contract; exits with 1 when it does not."""
    from sensecf_bench.testing.bench import Bench
    from sensecf_bench.testing.checks import refuse_unknown
    from sensecf_bench.testing.looking_up import elsewhere, look_up

    refuse_unknown(only or ())
    subjects = [elsewhere(subject, python) for subject in look_up(what)]
    allowed = frozenset(filter(None, (need.strip() for need in allow.split(","))))
    with Bench(seconds, allowed) as bench:
        found = [_check(subject, bench, only or (), as_json) for subject in subjects]
    if as_json:
        typer.echo(json.dumps(found, indent=1))
    if any(component["bad"] for component in found):
        raise typer.Exit(EXIT_CELLS_FAILED)


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="What the generator is called: lower-case words with hyphens.")],
    into: Annotated[Path, typer.Option(help="The folder in which a folder of that name is made.")] = Path(),
) -> None:
    """Write the project of a new generator: a small method that works, its tests, and what packaging needs."""
    from sensecf_bench.registry import discover
    from sensecf_bench.scaffold import module_of, write_project

    folder = write_project(name, into, discover())
    typer.echo(f"""wrote {folder}

next:
  cd {folder}
  python -m pip install -e ".[test]"
  sensecf-bench plugin check {name}
  sensecf-bench run --preset quick --generators {name},nearest-opposite
then put your own method into src/{module_of(name)}/generator.py""")


def _check(subject: Subject, bench: Bench, only: Sequence[str], quiet: bool) -> dict[str, Any]:
    from sensecf_bench.testing.examination import examine

    if not quiet:
        typer.echo(f"{subject.kind} {subject.name}")
    results = []
    for result in examine(subject, bench, only):
        results.append(result)
        if not quiet:
            typer.echo(_line(result))
    skipped = sum(result.status == "skipped" for result in results)
    bad = sum(result.is_bad for result in results)
    if not quiet:
        typer.echo(f"{len(results) - skipped}/{len(results)} checks ran, {skipped} skipped, {bad} failed\n")
    return {
        "kind": subject.kind,
        "name": subject.name,
        "ran": len(results) - skipped,
        "skipped": skipped,
        "bad": bad,
        "checks": [asdict(result) for result in results],
    }


def _line(result: Result) -> str:
    line = f"  {WORDS[result.status]:<16}  {result.check}"
    if result.reason:
        line += f": {result.reason}"
    return f"{line}\n{'':20}fix: {result.cure}" if result.cure else line
