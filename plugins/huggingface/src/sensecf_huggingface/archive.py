"""Adapters on their way between machines: one zip file, uncompressed, of the three files that an adapter is."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path

from sensecf_bench import Unavailable
from sensecf_huggingface.adapters import CONFIG, MANIFEST, WEIGHTS, Adapter, Adapters, checked, read_manifest

NAMES = (MANIFEST, CONFIG, WEIGHTS)
LONGEST = 2**20  # bytes of a manifest
DAY = (1980, 1, 1, 0, 0, 0)  # so that the same adapter makes the same file
AGAIN = "export it again, or fetch the file again"


def export(adapter: Adapter, file: Path) -> None:
    """Write an adapter to a file. Raises Unavailable when that cannot be written."""
    aside = file.with_name(f".{file.name}.partial")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        aside.unlink(missing_ok=True)
        with zipfile.ZipFile(aside, "w", zipfile.ZIP_STORED) as archive:
            for name in NAMES:
                entry = zipfile.ZipInfo(name, DAY)
                entry.external_attr = 0o644 << 16
                with (adapter.folder / name).open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target, 2**20)
        aside.replace(file)
    except OSError as error:
        raise Unavailable(f"{file} cannot be written: {error.strerror}", "name another file") from None


def bring_in(file: Path, adapters: Adapters) -> tuple[Adapter, bool]:
    """Take the adapter of a file into a cache; it, and whether it is new there.

    Raises Unavailable when the file is no archive of an adapter, holds anything else, or anything in it was changed. Nothing is
    written outside the cache: only three names are read, and they are ours.
    """
    if not file.is_file():
        raise Unavailable(f"there is no file {file}", "name a file that `sensecf-bench adapter export` wrote")
    adapters.folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix="import-", dir=adapters.folder.parent))
    try:
        with zipfile.ZipFile(file) as archive:
            _unpack(archive, aside / "adapter")
        adapter = checked(aside / "adapter")
        new = not (adapters.folder / adapter.key).exists()
        return adapters.keep(adapter.folder, adapter.manifest), new
    except Unavailable as error:
        if str(aside) not in error.reason:
            raise  # it is about the one that is there already
        raise Unavailable(error.reason.replace(str(aside / "adapter"), str(file)), AGAIN) from None
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, RuntimeError, NotImplementedError) as error:
        raise Unavailable(f"{file} is no adapter that can be read: {error}", AGAIN) from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _unpack(archive: zipfile.ZipFile, into: Path) -> None:
    """Raises ValueError when there is more or less in it than an adapter, or a file is longer than the manifest says."""
    entries = archive.infolist()
    if sorted(entry.filename for entry in entries) != sorted(NAMES):
        names = ", ".join(entry.filename for entry in entries[:5])
        raise ValueError(f"it holds {names or 'nothing'}, where {', '.join(NAMES)} are expected")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ValueError("it is compressed, which exported ones are not")
    into.mkdir()
    if archive.getinfo(MANIFEST).file_size > LONGEST:
        raise ValueError(f"{MANIFEST} is longer than any manifest")
    content = archive.read(MANIFEST)
    manifest = read_manifest(content)
    (into / MANIFEST).write_bytes(content)
    for name, file in manifest.files.items():
        if archive.getinfo(name).file_size != file.bytes:
            raise ValueError(f"{name} is not as long as {MANIFEST} says")
        with archive.open(name) as source, (into / name).open("wb") as target:
            shutil.copyfileobj(source, target, 2**20)
