"""What the contracts need of pydantic, for an environment without it (or with one of before version 2).

Nothing is validated: whatever arrives has been validated by the harness, with pydantic, before it was sent.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

MISSING = object()
ConfigDict = dict


class FieldInfo:
    """The default of a field."""

    def __init__(self, default: Any = MISSING, default_factory: Callable[[], Any] | None = None, **_: Any) -> None:
        self.default, self.default_factory = default, default_factory


def Field(default: Any = MISSING, **settings: Any) -> Any:  # noqa: N802 pydantic's name
    return FieldInfo(None if default is ... else default, **settings)


def _unchanged(*_: Any, **__: Any) -> Callable[[Any], Any]:
    return lambda function: function


model_validator = field_validator = field_serializer = model_serializer = computed_field = _unchanged


class BaseModel:
    """Attributes from keyword arguments, defaults from the class."""

    def __init__(self, **given: Any) -> None:
        for name, annotation, default in _fields(type(self)):
            value = given.get(name, default)
            if isinstance(value, list) and annotation.startswith("tuple"):
                value = tuple(value)  # JSON knows lists only
            self.__dict__[name] = value

    @classmethod
    def model_validate(cls, content: dict[str, Any]) -> BaseModel:
        return cls(**content)

    def model_dump(self, **_: Any) -> dict[str, Any]:
        return dict(self.__dict__)


def _fields(cls: type) -> Iterator[tuple[str, str, Any]]:
    """Name, annotation as text, and default of every field, those of base classes first."""
    for base in reversed(cls.__mro__):
        for name, annotation in getattr(base, "__annotations__", {}).items():
            text = annotation if isinstance(annotation, str) else str(annotation)
            if name != "model_config" and "ClassVar" not in text:
                yield name, text.lower(), _default(getattr(cls, name, None))


def _default(value: Any) -> Any:
    """The default behind a class attribute, which may be the field of this or of an older pydantic."""
    if type(value).__name__ != "FieldInfo":
        return copy.copy(value)
    factory = getattr(value, "default_factory", None)
    return factory() if factory is not None else copy.copy(value.default)
