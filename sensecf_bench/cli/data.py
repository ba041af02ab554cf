"""`sensecf-bench data`: help with bringing one's own data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sensecf_bench.cli import aireadi
from sensecf_bench.errors import RunFolderError

app = typer.Typer(help="Bring your own data.", no_args_is_help=True)
app.add_typer(aireadi.app, name="aireadi")


@app.callback()
def _data() -> None:
    pass


@app.command()
def infer(
    file: Annotated[Path, typer.Argument(help="A CSV or Parquet table.")],
    target: Annotated[str, typer.Option(help="The column that says which class a row is in.")],
    out: Annotated[Path, typer.Option(help="Where the YAML goes; beside the table is best.")],
    undesired: Annotated[str | None, typer.Option(help="The class people want to leave.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
) -> None:
    """Draft the schema of a table, for you to correct."""
    import os

    import yaml

    from sensecf_bench.datasets.table import infer as draft_schema

    if out.exists() and not force:
        raise RunFolderError(f"{out} is already there", "choose another --out, or add --force")
    draft, notes = draft_schema(file, target, undesired)
    draft["file"] = os.path.relpath(file, out.parent)
    try:
        out.write_text(yaml.safe_dump(draft, sort_keys=False, allow_unicode=True), encoding="utf-8")
    except OSError as error:
        raise RunFolderError(f"cannot write {out}: {error.strerror}", "choose another --out") from error
    for note in notes:
        typer.echo(f"look at: {note}")
    typer.echo(f"drafted {out}; run it with: sensecf-bench run --datasets table:{out}")
