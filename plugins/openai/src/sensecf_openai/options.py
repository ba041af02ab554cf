"""What a user may set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from sensecf_bench import PluginOptions
from sensecf_bench.prompting import TEMPLATES, template_for
from sensecf_openai.endpoint import OPENAI, OPENAI_HOST, Endpoint, refuse_odd_url
from sensecf_openai.prices import FREE, Price, listed_price, price_in_file

DEFAULT_MODEL = "gpt-4o-2024-08-06"
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
Structured = Literal["auto", "schema", "json", "plain"]


class GPTOptions(PluginOptions):
    """Options of both generators. What is None is worked out: see the README."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    model: str = Field(DEFAULT_MODEL, description="the model, by the name the endpoint knows; best a dated one")
    base_url: str = Field(OPENAI, description="address of the endpoint, with /v1 where it has one")
    api_key_env: str | None = Field(None, description="environment variable that holds the key; empty for no key")
    api_version: str = Field("", description="Azure's API version; with it the endpoint is Azure's")
    deployment: str = Field("", description="Azure's name for the deployed model")
    temperature: float | None = Field(0.0, ge=0, le=2, description="null leaves it to the server")
    seed: int | None = Field(None, ge=0, lt=2**31, description="sent with requests; each query's own by default")
    max_tokens: int | None = Field(None, ge=1, description="longest answer; by default 256 and 32 a feature")
    concurrency: int = Field(32, ge=1, le=1024, description="requests under way at once, in each process")
    style: Literal["edits", "row"] = Field("edits", description="what to ask for: the changes, or the whole row")
    rationale: bool | None = Field(None, description="ask for a sentence of reason; edits have one by default")
    template: str = Field("", description="wording of the prompt, such as edits-1; the newest by default")
    structured: Structured = Field("auto", description="how the answer's form is enforced; auto finds out what works")
    timeout: float = Field(60.0, gt=0, allow_inf_nan=False, description="seconds until a request is repeated")
    retries: int = Field(5, ge=0, description="repetitions after 429, 5xx, timeouts and broken connections")
    prices: Price | None = Field(None, description="USD per million tokens, or a file of prices; else the table's")
    replay: bool = Field(False, description="answer from the cache alone, and never call")

    @model_validator(mode="before")
    @classmethod
    def _without_secrets(cls, given: Any) -> Any:
        """Refused as a whole, so that no message repeats a key that was put in the wrong place."""
        if isinstance(given, Mapping):
            variable, url = given.get("api_key_env"), given.get("base_url")
            if isinstance(variable, str) and variable and not VARIABLE.fullmatch(variable):
                raise ValueError("api_key_env is the name of an environment variable, never the key itself")
            if isinstance(url, str):
                refuse_odd_url(url)
        return given

    @model_validator(mode="before")
    @classmethod
    def _written_out(cls, given: Any) -> Any:
        """Settle what a record should say: which template, and the price itself instead of the file it stands in."""
        if not isinstance(given, Mapping):
            return given
        content = dict(given)
        name, style = content.get("template"), content.get("style")
        if name in TEMPLATES and style is None:
            content["style"] = TEMPLATES[name].style
        elif name and name not in TEMPLATES:
            raise ValueError(f"there is no template {name!r}; known: {', '.join(TEMPLATES)}")
        elif not name and style in (None, "edits", "row"):
            content["template"] = template_for(style or "edits").name
        if isinstance(content.get("prices"), str | Path):
            content["prices"] = price_in_file(Path(content["prices"]), str(content.get("model", DEFAULT_MODEL)))
        return content

    @model_validator(mode="after")
    def _fits_together(self) -> GPTOptions:
        if TEMPLATES[self.template].style != self.style:
            raise ValueError(f"the template {self.template} is not of the style {self.style!r}")
        if self.deployment and not self.api_version:
            raise ValueError("a deployment is Azure's: give api_version too")
        return self

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.base_url, self.api_version, self.deployment)

    @property
    def key_variable(self) -> str | None:
        """The variable that holds the key: empty where none is needed, None where nobody said which.

        A key goes to the provider it is from. Another host gets only what the user names for it.
        """
        if self.api_key_env is not None:
            return self.api_key_env
        if self.endpoint.host == OPENAI_HOST:
            return "OPENAI_API_KEY"
        if self.api_version:
            return "AZURE_OPENAI_API_KEY"
        return "" if self.endpoint.is_local else None

    @property
    def price(self) -> Price | None:
        """What tokens cost: as the user says, as the table says, nothing on this machine; None if nobody knows."""
        return self.prices or listed_price(self.model) or (FREE if self.endpoint.is_local else None)


class FewShotOptions(GPTOptions):
    """Options of the few-shot generator."""

    shots: int = Field(3, ge=1, le=64, description="examples in the prompt")
