"""`sensecf-bench leaderboard`: leaderboards as files, and the check that they are what their records say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Build leaderboard markdown from a run, or check what is there.", no_args_is_help=True)


@app.command()
def build(
    run: Annotated[Path, typer.Argument(help="The folder of a run.")],
    out: Annotated[Path, typer.Option(help="Where the leaderboards go.")] = Path("leaderboards"),
) -> None:
    """Write one markdown file a dataset, with the records it was made from beside it."""
    from sensecf_bench.reports.publish import build as build_files

    for path in build_files(run, out):
        typer.echo(path)


@app.command()
def check(folder: Annotated[Path, typer.Argument(help="A folder of leaderboards.")] = Path("leaderboards")) -> None:
    """Render every leaderboard again from its records; exit 4 when one is not what they say."""
    from sensecf_bench.reports.publish import check as check_files

    names = check_files(folder)
    typer.echo(f"{len(names)} leaderboards are what their records say: {', '.join(names)}")
