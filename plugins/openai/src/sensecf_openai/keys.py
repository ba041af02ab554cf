"""The key: where it comes from, and how it is kept out of everything that is written."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable

SERVICE = "sensecf-bench"  # under which a keyring holds keys, by the name of the variable
HIDDEN = "[redacted]"
SHORTEST = 8  # characters of a key that are worth hiding
LIKE_A_KEY = re.compile(r"\bsk-[\w*.\-…]{4,}")  # also one of which a server shows the ends only

Redact = Callable[[str], str]


def find_key(variable: str) -> str:
    """The key in this environment variable, else the one a keyring holds under its name; empty if there is none."""
    return os.environ.get(variable, "").strip() or _from_keyring(variable)


def redactor(key: str) -> Redact:
    """A function that takes a key, each longer part of it, and whatever looks like one, out of a text."""
    parts = {key[i : i + SHORTEST] for i in range(len(key) - SHORTEST + 1)}

    def redact(text: str) -> str:
        if key:
            text = text.replace(key, HIDDEN)
        return _without(LIKE_A_KEY.sub(HIDDEN, text), parts)

    return redact


def _without(text: str, parts: set[str]) -> str:
    starts = [i for i in range(len(text) - SHORTEST + 1) if text[i : i + SHORTEST] in parts] if parts else []
    if not starts:
        return text
    hidden = {j for i in starts for j in range(i, i + SHORTEST)}
    return "".join(c if i not in hidden else (HIDDEN if i - 1 not in hidden else "") for i, c in enumerate(text))


def _from_keyring(variable: str) -> str:
    try:
        keyring = importlib.import_module("keyring")
    except ImportError:  # it is optional
        return ""
    try:
        return (keyring.get_password(SERVICE, variable) or "").strip()
    except keyring.errors.KeyringError:  # locked, or none on this machine: as good as no key
        return ""
