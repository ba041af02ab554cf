"""`sensecf-bench data aireadi`: a downloaded release, looked through and turned into features."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sensecf_bench.cli.aireadi_synthesize import synthesize
from sensecf_bench.errors import RunFolderError

if TYPE_CHECKING:
    from sensecf_bench.datasets.aireadi.collecting import Collected
    from sensecf_bench.datasets.aireadi.gathering import Progress

app = typer.Typer(help="AI-READI: check a download, build features, write a synthetic cohort.", no_args_is_help=True)
app.command()(synthesize)


class Unit(StrEnum):
    PERSON = "person"
    PERSON_DAY = "person-day"


Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a release, or one above it.")]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first problem instead of going on without it.")]
Cache = Annotated[Path | None, typer.Option(help="Where what was read is kept; your own cache folder if left out.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Processes that read; one a core if left out.")]


@app.callback()
def _aireadi() -> None:
    pass


@app.command()
def check(
    folder: Folder,
    strict: Strict = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with everybody who is left out and why.")] = False,
    cache: Cache = None,
    jobs: Jobs = None,
) -> None:
    """Say what a download holds, which quirks it has, and whom the task can use."""
    from sensecf_bench.datasets.aireadi.check import check as summed_up

    report = summed_up(_collected(folder, cache, jobs, strict))
    if as_json:
        import json

        typer.echo(json.dumps(report.to_json(), indent=1))
    else:
        typer.echo(report.text())


@app.command()
def features(
    folder: Folder,
    out: Annotated[Path, typer.Option(help="The Parquet file to write.")],
    strict: Strict = False,
    unit: Annotated[Unit, typer.Option(help="What a row is.")] = Unit.PERSON,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    cache: Cache = None,
    jobs: Jobs = None,
) -> None:
    """Write every feature of everybody to a Parquet file; docs/aireadi.md defines each. Licensed rows stay licensed."""
    if out.exists() and not force:
        raise RunFolderError(f"{out} is already there", "choose another --out, or add --force")
    collected = _collected(folder, cache, jobs, strict)
    frame = collected.people if unit == Unit.PERSON else collected.days
    partial = out.with_name(f".{out.name}.partial")
    try:
        frame.to_parquet(partial)
        partial.replace(out)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise RunFolderError(f"cannot write {out}: {error.strerror}", "choose another --out") from error
    problems = collected.problems
    for problem in problems[:5]:
        typer.echo(f"warning: {problem}", err=True)
    if len(problems) > 5:
        typer.echo(f"warning: {len(problems) - 5} more problems: see `data aireadi check`", err=True)
    typer.echo(f"wrote {len(frame)} {'people' if unit == Unit.PERSON else 'person-days'} to {out}")


def _collected(folder: Path, cache: Path | None, jobs: int | None, strict: bool) -> Collected:
    from sensecf_bench.datasets.aireadi.collecting import collect
    from sensecf_bench.datasets.aireadi.gathering import cores
    from sensecf_bench.datasets.aireadi.store import default_folder

    with _progress() as progress:
        return collect(folder, cache or default_folder(), jobs=jobs or cores(), strict=strict, progress=progress)


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """A bar on stderr, and only on a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading participants", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
