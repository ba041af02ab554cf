"""When to ask again, and after how long."""

from __future__ import annotations

import email.utils
import random
import time
from collections.abc import Mapping

FIRST_WAIT, LONGEST_WAIT = 0.5, 20.0  # seconds, where the server does not say
AGAIN = {408, 409, 425, 429}
HOPELESS = {401, 403, 404}  # nothing in the next query could help: the key, the permission, the address or the model
NO_MONEY = "insufficient_quota"  # a 429 that waiting does not cure


def worth_another_try(status: int, code: str) -> bool:
    return (status in AGAIN or status >= 500) and code != NO_MONEY


def is_hopeless(status: int, code: str) -> bool:
    """Whether every other query would fare alike."""
    return status in HOPELESS or code == NO_MONEY


def pause(tries: int, told: float | None = None) -> float:
    """Seconds to wait after so many tries: as told, else doubling. A little chance keeps callers apart."""
    if told is not None:
        return told + random.uniform(0.0, 0.1)
    return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (tries - 1)) * random.uniform(0.5, 1.0)


def told_wait(headers: Mapping[str, str]) -> float | None:
    """What a server asks for in `retry-after-ms` or `Retry-After`, in seconds or as a date; None if nothing sensible."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        text = headers.get("retry-after", "")
        if not text:
            return None
        if text.replace(".", "", 1).isdigit():
            return float(text)
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
