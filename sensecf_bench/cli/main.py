"""The command line: a thin layer over `sensecf_bench.api`, one file a command."""

from __future__ import annotations

import sys

import typer

from sensecf_bench.cli import data, environment, leaderboard, listing, plugin, run, score
from sensecf_bench.cli.extensions import CommandsWithPlugins
from sensecf_bench.errors import EXIT_INTERNAL, EXIT_OK, BenchError

app = typer.Typer(
    name="sensecf-bench",
    cls=CommandsWithPlugins,
    help="A benchmark of counterfactual generators for clinical and wearable data.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run.run)
app.command("score")(score.score)
app.command("list")(listing.list_)
app.add_typer(leaderboard.app, name="leaderboard")
app.add_typer(data.app, name="data")
app.add_typer(plugin.app, name="plugin")
plugin.app.add_typer(environment.app, name="env")


def _version(asked: bool) -> None:
    if asked:
        from sensecf_bench import __version__

        typer.echo(f"sensecf-bench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    pass


def main() -> None:
    """Run the command line and exit with the code that tells how it went (see `sensecf_bench.errors`)."""
    try:
        code = app(standalone_mode=True)
    except BenchError as error:
        typer.echo(f"error: {error}", err=True)
        code = error.exit_code
    except Exception as error:  # noqa: BLE001 the last line of defence: whatever comes here is ours to mend
        import traceback

        traceback.print_exc()
        typer.echo(
            f"internal error: {type(error).__name__}: {error}\n  fix: please report it with the lines above", err=True
        )
        code = EXIT_INTERNAL
    sys.exit(code or EXIT_OK)
