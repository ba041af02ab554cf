"""The two markers of pluggy that the hook specifications are written with, for an environment without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class HookspecMarker:
    """Marks nothing: outside the harness no hook is called."""

    def __init__(self, project: str) -> None:
        self.project = project

    def __call__(self, function: Callable[..., Any] | None = None, **settings: Any) -> Any:
        return (lambda marked: marked) if function is None else function


HookimplMarker = HookspecMarker
