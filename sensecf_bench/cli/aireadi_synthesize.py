"""`sensecf-bench data aireadi synthesize`: a synthetic cohort as the raw files of a release."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer


def _list(asked: bool) -> None:
    if asked:
        from sensecf_bench.datasets.aireadi.writing.injection import QUIRKS

        for name, quirk in QUIRKS.items():
            typer.echo(f"{name:20} {quirk.effect:9} {quirk.about}")
        raise typer.Exit


def synthesize(
    out: Annotated[Path, typer.Option(help="The folder to write into; the release goes into its `dataset`.")],
    participants: Annotated[
        int, typer.Option(min=1, max=99_999, help="How many people; each takes about 20 MB.")
    ] = 100,
    release: Annotated[int, typer.Option(min=1, max=3, help="Whose layout: release 1, 2 or 3.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="One seed, one cohort.")] = 0,
    days: Annotated[int, typer.Option(min=3, max=60, help="Days of wear.")] = 10,
    quirk: Annotated[
        list[str] | None, typer.Option(help="A quirk of the release to put in; may be repeated. `all` is all of them.")
    ] = None,
    list_quirks: Annotated[
        bool, typer.Option("--list-quirks", callback=_list, is_eager=True, help="Say what quirks there are, and stop.")
    ] = False,
) -> None:
    """Write a synthetic cohort as raw files in the layout of a release. Nobody in it exists."""
    from sensecf_bench.datasets.aireadi.cohort import make_cohort
    from sensecf_bench.datasets.aireadi.writing.injection import resolve
    from sensecf_bench.datasets.aireadi.writing.release import write_release

    resolve(quirk or ())  # a misspelt name is told before anything is made
    cohort = make_cohort(participants, seed, days)
    with _bar(participants) as progress:
        written = write_release(cohort, out, release, quirk or (), progress)
    for name, people in written.injected.items():
        typer.echo(f"{name}: {len(people)} of {written.people} people, first {', '.join(people[:3]) or 'nobody'}")
    typer.echo(
        f"wrote {written.people} synthetic people, {written.files} stream files, {written.bytes / 1e6:,.0f} MB, "
        f"as release {release} into {written.root}"
    )


@contextmanager
def _bar(people: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, and only on a terminal."""
    if not sys.stderr.isatty():
        yield lambda written: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("writing people", total=people)
        yield lambda written: bar.update(task, completed=written)
