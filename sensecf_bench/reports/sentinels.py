"""What the sentinels must score, whatever the data: if they do not, the harness has drifted and no row can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sensecf_bench.queries import Outcome

EXPECTED = {
    "identity": {"validity": 0.0, "coverage": 1.0, "sparsity": 0.0, "distance": 0.0},
    "random-opposite": {"copying": 1.0, "plausibility": 1.0},
    "nearest-opposite": {"copying": 1.0, "plausibility": 1.0, "flip-rate": 1.0},
}
ALWAYS_KNOWN = {("identity", "coverage")}  # everybody asked counts, so a missing value is itself an answer that drifted
COPIES = ("random-opposite", "nearest-opposite")  # what they answer with is a training row, or nothing


def silent(summary: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each dataset and copying sentinel that had nothing to answer with: it calibrates nothing there."""
    return [
        f"{entry['dataset']} · {entry['generator']} abstains from everybody, because it answers with training rows as they "
        "are, and none of the other class shares all that a person cannot change. `identity` alone calibrates this table"
        for entry in summary
        if entry["generator"] in COPIES
        and entry["outcomes"].get(Outcome.ABSTAINED, 0) == sum(entry["outcomes"].values()) > 0
    ]


def drift(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each sentinel value that is not what it must be. A metric that was not computed says nothing, and
    nor does a value of None, unless there is always one."""
    lines = []
    for row in rows:
        for metric, expected in EXPECTED.get(row["generator"], {}).items():
            if metric not in row["metrics"]:
                continue
            value = row["metrics"][metric]["value"]
            missing = value is None and (row["generator"], metric) in ALWAYS_KNOWN
            if missing or (value is not None and value != expected):
                where = f"{row['dataset']} · {row['classifier']} · seed {row['seed']}"
                found = "nothing" if value is None else f"{value:.4g}"
                lines.append(f"{row['generator']} on {where}: {metric} is {found}, must be {expected:g}")
    return lines
