"""Write docs/checks.md from the conformance kit's own table; `tests/test_docs.py` checks that it is up to date."""

from __future__ import annotations

from pathlib import Path

from sensecf_bench.testing import CHECKS

HEAD = """# The checks of a plugin
Made by `python docs/make_checks.py` from the conformance kit itself; do not edit.

`sensecf-bench plugin check NAME|FILE` makes them, and so does `sensecf_bench.testing.parametrize_with_checks` in a plugin's
own tests. A check that a class cannot pass, and should not, is declared on it with the reason,
`expected_failures = {"name-of-the-check": "why"}`; one that passes all the same is a failure. A generator is tried in real
processes, as in a run, on a small table that has features of all five kinds.
"""


def page() -> str:
    sections = [HEAD]
    for kind, checks in CHECKS.items():
        rows = [f"| `{check.name}` | {check.sentence} |" for check in checks]
        sections.append(
            "\n".join([f"## A {kind}: {len(checks)}", "| check | what it asks |", "| --- | --- |", *rows, ""])
        )
    return "\n".join(sections)


if __name__ == "__main__":
    Path(__file__).with_name("checks.md").write_text(page(), encoding="utf-8")
