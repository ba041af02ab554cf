"""Noticing and refusing use of the network, through the events that Python itself announces to audit hooks.

What a C library or another program does by itself is not announced, and not seen.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from typing import Any

VERBS = {
    "socket.connect": "connects to",
    "socket.getaddrinfo": "connects to",
    "socket.gethostbyname": "looks up",
    "socket.gethostbyaddr": "looks up",
    "socket.bind": "listens at",
    "socket.sendto": "sends to",
    "socket.sendmsg": "sends to",
}
BEFORE_ITS_EVENT = {"connect": "connect", "connect_ex": "connect", "sendto": "sendto", "bind": "bind"}
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Network:
    """An audit hook that refuses the network, and keeps what was refused: a plugin may swallow the error."""

    def __init__(self) -> None:
        self.occasion = ""
        self._used: dict[str, None] = {}
        for name, event in BEFORE_ITS_EVENT.items():
            _announce_early(name, event)

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if event in VERBS and not _is_harmless(event, args):
            self._used.setdefault(f"{VERBS[event]} {_where(event, args)} {self.occasion}")
            raise ConnectionRefusedError("plugins may not use the network while they are loaded")

    def used(self) -> list[str]:
        """What was refused since it was last asked."""
        used, self._used = list(self._used), {}
        return used


def _announce_early(name: str, event: str) -> None:
    """Raise the event before a host's name is looked up, which Python does first."""
    original = getattr(socket.socket, name)

    def announced(self: socket.socket, *args: Any) -> Any:
        sys.audit(f"socket.{event}", self, args[-1] if args else None)
        return original(self, *args)

    setattr(socket.socket, name, announced)


def _is_harmless(event: str, args: tuple[Any, ...]) -> bool:
    if event in ("socket.gethostbyname", "socket.gethostbyaddr"):
        return False
    if event == "socket.getaddrinfo":
        return args[0] is None  # an address of one's own
    sock, address = args
    with contextlib.suppress(AttributeError):  # something that only looks like a socket
        if sock.family == socket.AF_UNIX:
            return True
    if event == "socket.bind":  # urllib3 asks in this way whether there is IPv6, and so does whoever imports requests
        return isinstance(address, tuple) and address[:2] in {(host, 0) for host in LOOPBACK}
    return address is None  # sendmsg on a connection, which was refused before


def _where(event: str, args: tuple[Any, ...]) -> str:
    place = args[:2] if event == "socket.getaddrinfo" else args[-1]
    if not isinstance(place, tuple):
        return _text(place)
    return ":".join(_text(part) for part in place[:2] if part is not None)


def _text(part: object) -> str:
    return part.decode(errors="replace") if isinstance(part, bytes) else str(part)
