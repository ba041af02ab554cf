"""Decimal numbers between two bounds as an EBNF expression, exactly: every number of the grid, and no other.

A number is spelled as JSON and as short as it goes: no exponent, no leading or trailing zeros, no `-0`. The expression has
no references to rules, so that a grammar compiler can turn it into one automaton. Bounds are compared digit by digit: along
a bound every digit is a branch, and beside it the rest is free. There are as many branches as the bounds have digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal

EXACT = Context(prec=2000)  # doubles have up to 309 digits before the point and 1,074 after it
DIGITS = "0123456789"


@dataclass(frozen=True)
class Grid:
    """The multiples of 10^-decimals from `first` to `last`, which are counted in such steps and may be negative."""

    first: int
    last: int
    decimals: int

    @classmethod
    def between(cls, low: Decimal, high: Decimal, decimals: int) -> Grid:
        """The numbers with at most so many decimals in [low, high]; there may be none."""
        first = low.scaleb(decimals, EXACT).to_integral_value(ROUND_CEILING, EXACT)
        last = high.scaleb(decimals, EXACT).to_integral_value(ROUND_FLOOR, EXACT)
        return cls(int(first), int(last), decimals)

    @property
    def empty(self) -> bool:
        return self.first > self.last

    @property
    def longest(self) -> int:
        """Characters of the longest number, or a few more."""
        digits = max(len(str(abs(self.first))), len(str(abs(self.last))), self.decimals + 1)
        return digits + 2

    def expression(self) -> str:
        """The EBNF expression. Raises ValueError on an empty grid."""
        if self.empty:
            raise ValueError("a grammar needs at least one number")
        below, above = (-self.last, -self.first), (self.first, self.last)
        parts = ['"0"'] if self.first <= 0 <= self.last else []
        negative = _positive(max(below[0], 1), below[1], self.decimals)
        positive = _positive(max(above[0], 1), above[1], self.decimals)
        if negative and negative == positive:
            return _either([*parts, f'"-"? {positive}'])
        return _either([*parts, *([f'"-" {negative}'] if negative else []), *([positive] if positive else [])])


def _positive(first: int, last: int, decimals: int) -> str:
    """Numbers of a grid from `first` >= 1 on; empty where there are none."""
    parts = []
    length = max(len(str(first)), decimals + 1)
    while first <= last:
        least = 0 if length == decimals + 1 else 10 ** (length - 1)
        most = 10**length - 1
        if first <= max(least, 1) and last >= most and least:
            until = length  # whole stretches of lengths need no look at single digits
            while last >= 10 ** (until + 1) - 1:
                until += 1
            free = _times("[0-9]", length - 1 - decimals, until - 1 - decimals)
            parts.append(_sequence("[1-9]", free, _fraction_or_none(decimals, None, None)))
            length, first = until + 1, 10**until
            continue
        low, high = str(first).zfill(length), str(min(last, most)).zfill(length)
        parts.append(_whole(length - decimals, low, high))
        length, first = length + 1, 10**length
    return _either(parts) if parts else ""


def _whole(digits: int, low: str | None, high: str | None, decimals: int | None = None) -> str:
    """What follows, when so many digits are left before the point. A bound that can no longer be broken is None."""
    if decimals is None:
        decimals = len(low or high or "") - digits
    low, high = _still_low(low), _still_high(high)
    if digits == 0:
        return _fraction_or_none(decimals, low, high)
    if low is None and high is None:
        return _sequence(_times("[0-9]", digits, digits), _fraction_or_none(decimals, None, None))
    return _either(
        [
            _sequence(_class(group), _whole(digits - 1, lower, upper, decimals))
            for group, lower, upper in _branches(low, high)
        ]
    )


def _fraction_or_none(decimals: int, low: str | None, high: str | None) -> str:
    """The point and what stands behind it, or nothing where a whole number is allowed."""
    fraction = _fraction(decimals, low, high)
    if not fraction:
        return ""
    return _sequence('"."', fraction) if low is not None else _optional(_sequence('"."', fraction))


def _fraction(decimals: int, low: str | None, high: str | None) -> str:
    """Up to so many digits, the last of them not zero; empty where there are none."""
    low, high = _still_low(low, ends_in_nonzero=True), _still_high(high)
    if decimals == 0:
        return ""
    if low is None and high is None:
        return _sequence(_times("[0-9]", 0, decimals - 1), "[1-9]")
    parts = []
    for group, lower, upper in _branches(low, high):
        rest = _fraction(decimals - 1, lower, upper)
        ends = "" if _still_low(lower) is not None else group.lstrip("0")
        goes_on = group if group != ends else ""
        if rest and ends:
            if goes_on:
                parts.append(_sequence(_class(group.removesuffix(ends)), rest))
            parts.append(_sequence(_class(ends), _optional(rest)))
        elif rest:
            parts.append(_sequence(_class(group), rest))
        elif ends:
            parts.append(_class(ends))
    return _either(parts) if parts else ""


def _branches(low: str | None, high: str | None) -> list[tuple[str, str | None, str | None]]:
    """The next digits by what becomes of the bounds: along the lower one, between them, along the upper one."""
    least = int(low[0]) if low is not None else 0
    most = int(high[0]) if high is not None else 9
    if low is not None and high is not None and least == most:
        return [(DIGITS[least], low[1:], high[1:])]
    branches: list[tuple[str, str | None, str | None]] = []
    if low is not None:
        branches.append((DIGITS[least], low[1:], None))
        least += 1
    if high is not None:
        most -= 1
    if least <= most:
        branches.append((DIGITS[least : most + 1], None, None))
    if high is not None:
        branches.append((DIGITS[most + 1], None, high[1:]))
    return branches


def _still_low(low: str | None, *, ends_in_nonzero: bool = False) -> str | None:
    """The lower bound, or None if whatever follows is above it: it is zero, or the least that is not."""
    return None if low is None or int(low or "0") <= int(ends_in_nonzero) else low


def _still_high(high: str | None) -> str | None:
    return None if high is None or not high.strip("9") else high


# -- spelling ----------------------------------------------------------------------------------------------------------
def _class(digits: str) -> str:
    return f'"{digits}"' if len(digits) == 1 else f"[{digits[0]}-{digits[-1]}]"


def _times(expression: str, least: int, most: int) -> str:
    if most == 0:
        return ""
    if least == most:
        return expression if least == 1 else f"{expression}{{{least}}}"
    return f"{expression}?" if most == 1 else f"{expression}{{{least},{most}}}"


def _sequence(*parts: str) -> str:
    return " ".join(part for part in parts if part)


def _optional(expression: str) -> str:
    return f"({expression})?" if expression else ""


def _either(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({' | '.join(parts)})"
