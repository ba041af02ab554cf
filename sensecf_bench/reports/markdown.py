"""What pages are put together from: numbers, tables and lists in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NOTHING = "–"


def number(value: float | None) -> str:
    """A value that is not negative, with about three digits; 0 and 1 are exact where they stand without decimals."""
    if value is None:
        return NOTHING
    if value == 0 or value == 1:
        return f"{value:g}"
    if abs(value) < 0.01:
        return f"{value:.2g}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:.0f}"


def signed(value: float | None, decimals: int) -> str:
    """A difference with its sign; 0 without decimals is exact, and what rounds to 0 has no sign."""
    if value is None:
        return NOTHING
    if value == 0:
        return "0"
    text = f"{value:+.{decimals}f}"
    return text if float(text) else text[1:]


def bullets(lines: Iterable[str]) -> str:
    return "\n".join(f"- {one_line(line)}" for line in lines)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """A table whose first `texts` columns hold text and the others numbers. A bar within a cell must be escaped already."""
    lines = [head, ["---"] * texts + ["---:"] * (len(head) - texts), *rows]
    return "\n".join("| " + " | ".join(one_line(text) for text in line) + " |" for line in lines)


def folded(summary: str, text: str) -> str:
    """A part of a page that opens when its summary is clicked."""
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def one_line(text: str) -> str:
    """Text from plugins and tables may hold line breaks, which would end a row or a bullet."""
    return " ".join(text.splitlines())
