"""Write docs/metrics.md from the metrics' own docstrings; `tests/test_docs.py` checks that it is up to date."""

from __future__ import annotations

import inspect
from pathlib import Path

from sensecf_bench.registry import discover

HEAD = """# Metrics
Made by `python docs/make_metrics.py` from the metrics themselves; do not edit.

Every value stands beside a 95 % interval and three counts: queries **asked**, those the metric speaks of (**eligible**), and
those that got a value (**scored**). Where an eligible query has no value the metric has none: never a mean of the remainder.
With k > 1 rows a query, row-wise quantities are averaged over the query's admitted rows first.
"""


def page() -> str:
    registry = discover()
    sections = [HEAD]
    for name in registry.names("metric"):
        metric = registry.metric(name)
        if registry.get("metric", name).distribution == "sensecf-bench":
            better = {"higher": "higher is better", "lower": "lower is better", "none": "neither end is better"}
            about = f"*{metric.unit}; {better[metric.direction]}; version {metric.version}*"
            sections.append(f"## {name}\n{about}\n\n{inspect.getdoc(metric)}\n")
    return "\n".join(sections)


if __name__ == "__main__":
    Path(__file__).with_name("metrics.md").write_text(page(), encoding="utf-8")
