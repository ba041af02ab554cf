"""Lists in a configuration: written plainly or as lists, with something in them, and each thing once."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

MOST = 2**32  # seeds of numpy and of scikit-learn lie below


def _written_plainly(given: object) -> object:
    """`generators: nice, dice-random` or `seeds: 0` will do in a file, as on the command line."""
    if isinstance(given, str):
        return tuple(part.strip() for part in given.split(",") if part.strip())
    return (given,) if isinstance(given, int | float) else given


def _some(items: tuple[Any, ...]) -> tuple[Any, ...]:
    if not items:
        raise ValueError("name at least one")
    return items


def _once(items: tuple[Any, ...]) -> tuple[Any, ...]:
    twice = sorted({str(i) for i in items if items.count(i) > 1})
    if twice:
        raise ValueError(f"named twice: {', '.join(twice)}")
    return items


def _seeds(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if any(not 0 <= s < MOST for s in seeds):
        raise ValueError(f"seeds are whole numbers from 0 to {MOST - 1}")
    return seeds


plainly = BeforeValidator(_written_plainly)
some = AfterValidator(_some)
once = AfterValidator(_once)

Names = Annotated[tuple[str, ...], plainly, some, once]
AnyNames = Annotated[tuple[str, ...], plainly, once]
Seeds = Annotated[tuple[int, ...], plainly, some, once, AfterValidator(_seeds)]
