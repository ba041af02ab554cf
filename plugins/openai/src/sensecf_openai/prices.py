"""What tokens cost: a dated table, which a user's own file or price overrides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

MILLION = 1_000_000


class Price(BaseModel):
    """US dollars per million tokens. Prompt tokens that the provider had cached cost `cached_input`, if that is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0, allow_inf_nan=False)
    output: float = Field(ge=0, allow_inf_nan=False)
    cached_input: float | None = Field(default=None, ge=0, allow_inf_nan=False)

    def usd(self, prompt: int, completion: int, cached: int = 0) -> float:
        """What so many tokens cost; `cached` of the prompt's tokens were cached by the provider."""
        reduced = self.input if self.cached_input is None else self.cached_input
        cached = min(cached, prompt)
        return ((prompt - cached) * self.input + cached * reduced + completion * self.output) / MILLION


FREE = Price(input=0.0, output=0.0)


def listed_price(model: str) -> Price | None:
    """What the package's table says of a model; None where it says nothing."""
    entry = price_table()["models"].get(model)
    return None if entry is None else Price.model_validate(entry)


def price_table() -> dict[str, Any]:
    """The package's table, with its date and its source."""
    text = resources.files(__package__).joinpath("prices.json").read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text)
    return table


def price_in_file(path: Path, model: str) -> Mapping[str, Any]:
    """A model's entry in a user's table, JSON or YAML, written as the package's. Raises ValueError saying what is wrong."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))  # JSON is YAML
    except OSError as error:
        raise ValueError(f"the price table {path.name} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ValueError(f"the price table {path.name} is neither JSON nor YAML") from None
    models = content.get("models") if isinstance(content, dict) else None
    entry = models.get(model) if isinstance(models, dict) else None
    if not isinstance(entry, dict):
        raise ValueError(f"the price table {path.name} has no entry {model!r} under 'models'")
    return entry
