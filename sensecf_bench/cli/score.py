"""`sensecf-bench score`: score stored counterfactuals again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def score(run: Annotated[Path, typer.Argument(help="The folder of a run.")]) -> None:
    """Score a run's stored counterfactuals again and rewrite its leaderboard; nothing is generated."""
    from sensecf_bench import api

    finished = api.score(run)
    typer.echo(f"{len(finished.document['rows'])} cells scored; leaderboard: {run / 'leaderboard.md'}")
