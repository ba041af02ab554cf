"""Where requests go, and whether that is this machine."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OPENAI = "https://api.openai.com/v1"
OPENAI_HOST = "api.openai.com"


@dataclass(frozen=True)
class Endpoint:
    """A server that speaks the protocol; with `api_version` it is Azure's kind, where a deployment stands for a model."""

    base_url: str = OPENAI
    api_version: str = ""
    deployment: str = ""

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_local(self) -> bool:
        return is_loopback(self.host)

    @property
    def identity(self) -> str:
        """What tells it from others in a cache key: host, port and path, and Azure's own parts."""
        parts = urlsplit(self.base_url)
        port = "" if parts.port is None else f":{parts.port}"
        return " ".join(filter(None, (f"{self.host}{port}{parts.path.rstrip('/')}", self.api_version, self.deployment)))

    def client(self, key: str) -> AsyncOpenAI:
        """The official client, which here never retries by itself. It imports openai."""
        import openai

        # Whoever allowed this host did not allow the one that it may redirect to, nor a proxy on the way to this machine.
        transport = openai.DefaultAsyncHttpxClient(follow_redirects=False, trust_env=not self.is_local)
        common: dict[str, Any] = {"api_key": key, "max_retries": 0, "http_client": transport}
        if self.api_version:
            return openai.AsyncAzureOpenAI(
                azure_endpoint=self.base_url,
                api_version=self.api_version,
                azure_deployment=self.deployment or None,
                **common,
            )
        return openai.AsyncOpenAI(base_url=self.base_url, **common)


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself, by its address alone: no name server is asked."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_odd_url(url: str) -> None:
    """Raises ValueError for what is no address, or has a secret in it. The message does not repeat the address."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 raises where it is no number
    except ValueError:
        raise ValueError("base_url is no address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("base_url is no http or https address")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("base_url holds a user name, a query or a fragment; name the key's variable in api_key_env")
