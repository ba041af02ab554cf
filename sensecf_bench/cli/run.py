"""`sensecf-bench run`: the main job."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sensecf_bench.errors import EXIT_CELLS_FAILED, EXIT_INTERRUPTED, EXIT_OK

if TYPE_CHECKING:
    from sensecf_bench.api import Run
    from sensecf_bench.engine.plan import Plan


def run(
    generators: Annotated[
        str | None, typer.Option(help="Generators, comma-separated; 'all' is every available one.")
    ] = None,
    datasets: Annotated[
        str | None, typer.Option(help="Datasets, comma-separated; table:FILE.yaml for your own.")
    ] = None,
    classifiers: Annotated[str | None, typer.Option(help="Classifiers to explain, comma-separated.")] = None,
    metrics: Annotated[str | None, typer.Option(help="Metrics, comma-separated; 'all' by default.")] = None,
    queries: Annotated[int | None, typer.Option(help="People asked for in each cell, at most (100).")] = None,
    seeds: Annotated[str | None, typer.Option(help="Seeds, comma-separated; each has its own split (0).")] = None,
    k: Annotated[int | None, typer.Option(help="Counterfactuals per person (1).")] = None,
    preset: Annotated[str | None, typer.Option(help="quick or paper: a set of defaults.")] = None,
    augmentation: Annotated[
        str | None,
        typer.Option(help="off, quick or full: whether classifiers are retrained with counterfactuals (quick)."),
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Worker processes (one a core).")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds a query may take (30).")] = None,
    cell_timeout: Annotated[float | None, typer.Option(help="Seconds a cell may take (900).")] = None,
    allow: Annotated[str | None, typer.Option(help="What generators may need: network, paid.")] = None,
    i_may_share: Annotated[
        list[str] | None, typer.Option(help="A restricted dataset whose rows you may send to a model's provider.")
    ] = None,
    max_cost_usd: Annotated[float | None, typer.Option(help="US dollars that may be spent (no limit).")] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder for what is costly to make again: answers, adapters (the user's cache).")
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="NAME.OPTION=VALUE; NAME may be a pattern.")] = None,
    env: Annotated[
        list[str] | None, typer.Option(help="GENERATOR=PATH_TO_PYTHON: the interpreter it runs under.")
    ] = None,
    plugin: Annotated[list[Path] | None, typer.Option(help="A single-file plugin to load.")] = None,
    plugins_dir: Annotated[Path | None, typer.Option(help="A folder of single-file plugins.")] = None,
    block: Annotated[list[str] | None, typer.Option(help="A plugin not to load.")] = None,
    config: Annotated[Path | None, typer.Option(help="A YAML file with any of these settings.")] = None,
    resamples: Annotated[int | None, typer.Option(help="Bootstrap resamples (2000).")] = None,
    out: Annotated[Path | None, typer.Option(help="Results folder (runs/<hash of the configuration>).")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and stop.")] = False,
) -> None:
    """Run generators on datasets and classifiers, score them, and write a leaderboard.

    Repeating a command takes up its results where they are; finished cells are not computed again.
    """
    from sensecf_bench import api
    from sensecf_bench.engine.config import build_config, parse_environments, parse_settings

    options = parse_settings(set_ or [])
    about_augmentation = {**({"grid": augmentation} if augmentation else {}), **options.pop("augmentation", {})}
    flags: dict[str, Any] = {
        "generators": _names(generators),
        "datasets": _names(datasets),
        "classifiers": _names(classifiers),
        "metrics": _names(metrics),
        "queries": queries,
        "seeds": _names(seeds),
        "k": k,
        "jobs": jobs,
        "timeout": timeout,
        "cell_timeout": cell_timeout,
        "allow": _names(allow),
        "may_share": i_may_share or None,
        "max_cost_usd": max_cost_usd,
        "cache": cache.resolve() if cache else None,
        "options": options or None,
        "augmentation": about_augmentation or None,
        "environments": parse_environments(env) if env else None,
        "plugins": plugin or None,
        "plugins_dir": plugins_dir,
        "blocked": block or None,
        "resamples": resamples,
    }
    settings = build_config(flags, config, preset)
    if dry_run:
        planned = api.plan(settings)[0]
        _show_plan(planned, out or api.default_folder(settings))
        for name, usd in api.estimate(planned).items():
            cost = "an unknown amount" if math.isnan(usd) else f"up to {usd:.2f} USD"
            typer.echo(f"  {name} may cost {cost}, what its cache holds left aside")
        return
    from sensecf_bench.cli.progress import progress

    try:
        with progress() as observer:
            finished = api.run(settings, out, observer)
    except KeyboardInterrupt:
        typer.echo("interrupted; finished work is kept: repeat the command to go on", err=True)
        raise typer.Exit(EXIT_INTERRUPTED) from None
    raise typer.Exit(_verdict(finished))


def _names(text: str | None) -> list[str] | None:
    return [part.strip() for part in text.split(",") if part.strip()] if text is not None else None


def _show_plan(planned: Plan, folder: Path) -> None:
    typer.echo(f"{len(planned.cells)} cells into {folder}")
    for context in planned.contexts:
        mine = [c.generator.name for c in planned.cells if c.context.key == context.key]
        where = f"{context.dataset.label} · {context.classifier.name} · seed {context.seed}"
        typer.echo(f"  {where}: {', '.join(mine)}")
    for skipped in planned.skipped:
        typer.echo(f"  skipped {skipped.generator}: {skipped.reason} ({skipped.fix})")
    _show_augmentation(planned)


def _show_augmentation(planned: Plan) -> None:
    scarce = planned.augmentation
    if scarce is None:
        typer.echo("augmentation: off")
        return
    settings = scarce.config
    levels = ", ".join(f"{scenario} {100 * r:g} %" for scenario, r in settings.levels)
    seeds = ", ".join(map(str, settings.seeds))
    typer.echo(f"augmentation: {len(scarce.cells)} cells; {levels}; seeds {seeds}; explained: {settings.reference}")
    typer.echo(f"  {', '.join(g.name for g in scarce.generators)}")
    for left_out in scarce.left_out:
        typer.echo(f"  left out {left_out.generator}: {left_out.reason}")


def _verdict(finished: Run) -> int:
    """Say how the run went in one line, with what failed before it; the exit code."""
    document = finished.document
    for skipped in document["skipped"]:
        typer.echo(f"skipped {skipped['generator']}: {skipped['reason']} ({skipped['fix']})")
    for note in document["notes"]:
        typer.echo(f"note: {note}")
    for line in finished.failed:
        typer.echo(f"failed: {line}")
    for line in document["drift"]:
        typer.echo(f"sentinel drifted: {line}")
    broken = sorted({f"{name}: {why}" for row in document["rows"] for name, why in row["metric_errors"].items()})
    for line in broken:
        typer.echo(f"metric failed: {line}")
    lost = _augmentation_failures(document)
    for line in lost:
        typer.echo(f"augmentation: {line}")
    unmet = [s for s in document["skipped"] if s["generator"] in document["config"]["generators"]]
    bad = len(finished.failed)
    verdict = f"{len(document['rows']) - bad} cells done" + (f", {bad} failed" if bad else "")
    typer.echo(f"{verdict} in {document['timing']['wall']:.0f} s; leaderboard: {finished.folder / 'leaderboard.md'}")
    return EXIT_CELLS_FAILED if bad or unmet or broken or lost or document["drift"] else EXIT_OK


def _augmentation_failures(document: Mapping[str, Any]) -> list[str]:
    """What failed or leaked there, a line a generator and dataset; what cannot be done with so few rows is no failure."""
    rows = (document["augmentation"] or {"rows": []})["rows"]
    found: dict[str, int] = {}
    for row in rows:
        if row["status"] in ("failed", "leak"):
            line = f"{row['dataset']} · {row['generator']}: {row['status']}: {row['reason']}"
            found[line] = found.get(line, 0) + 1
    return [f"{line} ({count} trials)" for line, count in found.items()]
