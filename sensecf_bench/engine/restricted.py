"""What becomes of rows that may not be passed on: who they are and what they hold is told to nobody but their owner.

Such rows are called by their position in the table, messages quote none of their values, what is published of a failure
is its kind, and the run's folder, which has to hold rows, is its owner's alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sensecf_bench.contracts import Dataset
    from sensecf_bench.engine.cells import ContextSpec

OWNER_ONLY = 0o700


def why_restricted(dataset: Dataset) -> str:
    """Why its rows may not be passed on; empty where they may. A dataset that cannot say so is taken to refuse."""
    try:
        return dataset.restricted()
    except Exception as error:  # noqa: BLE001 a stranger's dataset may raise anything, and is then not exposed
        return f"asked whether they may be passed on, the dataset raised {type(error).__name__}"


def by_position(count: int) -> tuple[str, ...]:
    """Ids that name nobody: row-00007 is the eighth row of the table as it is loaded."""
    return tuple(f"row-{i:05d}" for i in range(count))


def keep_to_owner(folder: Path, contexts: Iterable[ContextSpec]) -> None:
    """Close a run's folder to everybody else if any of its datasets is restricted."""
    datasets = {context.dataset.key: context for context in contexts}
    if any(why_restricted(context.make_dataset()) for context in datasets.values()):
        folder.chmod(OWNER_ONLY)
