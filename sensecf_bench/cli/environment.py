"""`sensecf-bench plugin env`: environments for generators that cannot live in this one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="env", help="Environments for generators that need other libraries than these.", no_args_is_help=True
)


@app.command("create")
def create(
    generator: Annotated[str, typer.Argument(help="The generator to build an environment for.")],
    python: Annotated[str, typer.Option(help="The Python to build it with.")] = sys.executable,
    constraint: Annotated[Path | None, typer.Option("--constraint", "-c", help="A constraints file for pip.")] = None,
    renew: Annotated[bool, typer.Option("--renew", help="Build it anew if it is there.")] = False,
    plugin: Annotated[list[Path] | None, typer.Option(help="A single-file plugin to load.")] = None,
) -> None:
    """Build the environment of a generator from what it requires. It is then used whenever this one lacks that."""
    from sensecf_bench.engine.building import Recipe, build, requirements_of
    from sensecf_bench.engine.environments import inspect, interpreter, is_ready
    from sensecf_bench.registry import discover

    registry = discover(plugin or ())
    registry.refuse_mistakes()
    recipe = Recipe(generator, requirements_of(registry.get("generator", generator)), python, constraint)
    there = interpreter(generator)
    if is_ready(generator) and not renew:
        environment = inspect(str(there))
        typer.echo(f"{there} is there already; --renew builds it anew")
    else:
        typer.echo(f"installing {', '.join(recipe.requirements) or 'numpy, pandas'} into {recipe.folder}", err=True)
        environment = build(recipe)
        typer.echo(environment.python)
    libraries = environment.versions(recipe.requirements)
    shown = ", ".join(
        f"{name} {version}" for name, version in libraries.items() if name not in ("python", "environment")
    )
    typer.echo(f"Python {environment.version}: {shown}", err=True)
    typer.echo(f"to choose it by hand: --env {generator}={environment.python}", err=True)


@app.command("list")
def list_() -> None:
    """List the environments that were built, each with the generator it is for and its Python."""
    from sensecf_bench.engine.environments import home, inspect, interpreter, is_ready

    folder = home("").resolve()
    for found in sorted(folder.iterdir()) if folder.is_dir() else []:
        python = interpreter(found.name)
        state = f"Python {inspect(str(python)).version}" if is_ready(found.name) else "unfinished: create it again"
        typer.echo(f"{found.name}  {python}  {state}")
