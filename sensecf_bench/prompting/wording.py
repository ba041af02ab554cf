"""The texts of prompts: numbered template files, each known by its name, its version and the hash of its content.

A published text is never edited: a better one is a new file with the next number.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

from sensecf_bench.errors import UnknownNameError
from sensecf_bench.prompting.values import Written, number_text, percent, plain, quoted, roughly
from sensecf_bench.prompting.writing import row_text

if TYPE_CHECKING:
    import jinja2

    from sensecf_bench.prompting.answer_format import Style


@dataclass(frozen=True)
class Template:
    """A prompt's wording for one style of answer."""

    style: Style
    version: int

    @property
    def name(self) -> str:
        """What a leaderboard calls it, such as `edits-1`."""
        return f"{self.style}-{self.version}"

    @property
    def source(self) -> str:
        return _source(self.name)

    @property
    def digest(self) -> str:
        """SHA-256 of the file's text."""
        return hashlib.sha256(self.source.encode()).hexdigest()

    def render(self, part: Literal["system", "user"], **data: Any) -> str:
        """One part of the prompt. Anything unknown, and anything that was not quoted, is an error."""
        template = _environment().get_template(self.name)
        return "".join(template.blocks[part](template.new_context(data))).strip()


TEMPLATES = {template.name: template for template in (Template("edits", 1), Template("row", 1))}


def template_for(style: Style, version: int | None = None) -> Template:
    """The newest wording of a style, or the one of that version."""
    versions = [t.version for t in TEMPLATES.values() if t.style == style]
    name = f"{style}-{max(versions, default=0) if version is None else version}"
    if name not in TEMPLATES:
        raise UnknownNameError("prompt template", name, TEMPLATES)
    return TEMPLATES[name]


@cache
def _source(name: str) -> str:
    return resources.files(__package__).joinpath("templates", f"{name}.j2").read_text(encoding="utf-8")


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # prompts are no HTML; `_written_only` is what keeps data apart from text
        finalize=_written_only,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        quoted=quoted, plain=plain, roughly=roughly, percent=percent, number=_number, row=row_text
    )
    return environment


def _number(value: float, feature: Any) -> Written:
    return number_text(feature, value)


def _written_only(value: object) -> Written:
    if not isinstance(value, Written):
        raise TypeError(f"a template prints {type(value).__name__} without writing it first: use a filter")
    return value
