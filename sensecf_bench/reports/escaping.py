"""Text of strangers on a page of Markdown: what they wrote is seen as they wrote it, and does nothing."""

from __future__ import annotations

import re
import unicodedata

MARKUP = re.compile(r"[\\`*_\[\]{}|~$#:]|(?<=www)\.", re.IGNORECASE)
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "<!-- -->@"}  # an escaped @ would still make an e-mail's link
UNSEEN = {
    "Cc",
    "Cf",
    "Cs",
}  # Unicode's control characters, those that turn the direction of writing, and half characters
JOINERS = "\u200c\u200d"  # invisible, and part of how words and emoji are spelt


def inert(text: str, most: int | None = None) -> str:
    """A text as part of a line of Markdown, without effect: no markup, no HTML, no link, whatever it holds.

    White space and unseen characters are as in `visible`. It must not begin a line, where even a number means something.
    """
    return "".join(ENTITIES.get(c, c) for c in MARKUP.sub(r"\\\g<0>", visible(text, most)))


def visible(text: str, most: int | None = None) -> str:
    """A text on one line: white space of any kind becomes single spaces, and characters that nobody sees are left out;
    beyond `most` characters there is an ellipsis."""
    line = " ".join("".join(c for c in text if _is_seen(c)).split())
    if most is not None and len(line) > most:
        line = line[: most - 1].rstrip() + "…"
    return line


def _is_seen(character: str) -> bool:
    return character.isspace() or character in JOINERS or unicodedata.category(character) not in UNSEEN
