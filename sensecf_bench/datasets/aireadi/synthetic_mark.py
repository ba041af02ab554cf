"""How a folder in the release's layout says that nobody in it exists."""

from __future__ import annotations

import json
from pathlib import Path

DESCRIPTION = "dataset_description.json"
MARK = "isSynthetic"  # a key of that file; no release has it


def is_synthetic(root: Path) -> bool:
    """Whether the release at `root` was written by `data aireadi synthesize`. Where in doubt, it was not."""
    try:
        description = json.loads((root / DESCRIPTION).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(description, dict) and description.get(MARK) is True
