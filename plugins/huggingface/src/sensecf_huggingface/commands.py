"""`sensecf-bench adapter`: adapters that were trained here, and those of others. `sensecf-bench checkpoint`: models' files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sensecf_huggingface.adapters import Adapter, Adapters

adapter = typer.Typer(help="LoRA adapters that were trained here: list, export and import them.", no_args_is_help=True)
checkpoint = typer.Typer(help="Checkpoints of language models: check one, or convert it.", no_args_is_help=True)
Cache = Annotated[Path | None, typer.Option(help="The cache folder that runs use (the user's cache).")]


@adapter.command("list")
def list_(cache: Cache = None) -> None:
    """List adapters: key, base, seed, best validation, size."""
    for one in _adapters(cache).all():
        identity, files = one.manifest.identity, one.manifest.files
        size = sum(file.bytes for file in files.values()) / 1e6
        best = one.manifest.validation.get("best")
        shown = f"validity {best:.3f}" if isinstance(best, int | float) else "not validated"
        typer.echo(f"{one.key}  {identity.base}@{identity.revision[:12]}  seed {identity.seed}  {shown}  {size:.1f} MB")


@adapter.command()
def export(
    key: Annotated[str, typer.Argument(help="The adapter's key, or as much of its beginning as is like no other's.")],
    file: Annotated[Path, typer.Argument(help="The file to write, such as adapter.zip.")],
    cache: Cache = None,
) -> None:
    """Write an adapter to a file, to be shared."""
    from sensecf_huggingface import archive

    found = _by_key(_adapters(cache), key)
    archive.export(found, file)
    typer.echo(f"{found.key} written to {file}")


@adapter.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A file that `adapter export` wrote.")],
    cache: Cache = None,
) -> None:
    """Take an adapter into the cache. Runs whose base, recipe, seed and data are the same then use it."""
    from sensecf_huggingface import archive

    found, new = archive.bring_in(file, _adapters(cache))
    identity = found.manifest.identity
    typer.echo(f"{found.key}  {identity.base}@{identity.revision[:12]}  {'imported' if new else 'was there already'}")


@checkpoint.command()
def show(
    model: Annotated[str, typer.Argument(help="A folder, or a hub id.")],
    revision: Annotated[str | None, typer.Option(help="The revision of a hub id (the pinned one, or main).")] = None,
) -> None:
    """Check a checkpoint as a run would, without loading it."""
    from sensecf_huggingface.checkpoint import find
    from sensecf_huggingface.memory import needed

    found = find(model, revision)
    typer.echo(f"{found.name}  revision {found.revision}  fingerprint {found.fingerprint}")
    template = "a" if found.has_chat_template else "no"
    typer.echo(f"{found.architecture}, {found.parameters:,} parameters in {found.dtype}, {template} chat template")
    sizes = [needed(found, "bfloat16"), needed(found, "bfloat16", training=True)]
    typer.echo(
        "memory in bfloat16: about {:.3g} GiB to answer, {:.3g} GiB to train".format(*(s / 2**30 for s in sizes))
    )


@checkpoint.command()
def convert(
    model: Annotated[str, typer.Argument(help="A folder, or a hub id that is in the local cache.")],
    out: Annotated[Path, typer.Argument(help="The new folder.")],
    revision: Annotated[str | None, typer.Option(help="The revision of a hub id (the pinned one, or main).")] = None,
) -> None:
    """Write a checkpoint kept as pickle anew as safetensors, without running code from it."""
    from sensecf_huggingface.checkpoint import find
    from sensecf_huggingface.conversion import convert as write
    from sensecf_huggingface.hub import locate

    write(locate(model, revision).folder, out)
    typer.echo(f"{out}  fingerprint {find(str(out)).fingerprint}")


def _adapters(cache: Path | None) -> Adapters:
    import platformdirs

    from sensecf_huggingface.adapters import Adapters

    return Adapters(cache or platformdirs.user_cache_path("sensecf-bench"))


def _by_key(adapters: Adapters, key: str) -> Adapter:
    from sensecf_bench import Unavailable
    from sensecf_huggingface.adapters import checked

    folders = sorted(adapters.folder.iterdir()) if adapters.folder.is_dir() else []
    found = [folder for folder in folders if folder.name.startswith(key)]
    if len(found) != 1:
        what = f"{len(found)} adapters have keys that begin with {key}" if found else f"there is no adapter {key}"
        raise Unavailable(f"{what} in {adapters.folder}", "see `sensecf-bench adapter list`")
    return checked(found[0])
