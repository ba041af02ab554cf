"""What the sentinels must score, whatever the data: if they do not, the harness has drifted and no row can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

EXPECTED = {
    "identity": {"validity": 0.0},
    "nearest-opposite": {"copying": 1.0, "plausibility": 1.0, "flip-rate": 1.0},
}


def drift(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each sentinel value that is not what it must be. A value of None says nothing."""
    lines = []
    for row in rows:
        for metric, expected in EXPECTED.get(row["generator"], {}).items():
            value = row["metrics"].get(metric, {}).get("value")
            if value is not None and value != expected:
                where = f"{row['dataset']} · {row['classifier']} · seed {row['seed']}"
                lines.append(f"{row['generator']} on {where}: {metric} is {value:.4g}, must be {expected:g}")
    return lines
