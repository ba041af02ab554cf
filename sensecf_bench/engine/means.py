"""What generators may use beyond their own process: a cache that outlives the run, and money."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sensecf_bench.engine.config import RunConfig
from sensecf_bench.purse import SharedPurse

SPENDING = "spending.sqlite"
CACHE = "cache"


@dataclass(frozen=True)
class Means:
    """Where the cache lies, and which purse pays; None is no limit and no account."""

    cache: Path | None = None
    purse: SharedPurse | None = None

    def kept_in(self, run: Path) -> Means:
        """The same with a cache inside the run's own folder, for rows that may be kept nowhere else."""
        return replace(self, cache=run.resolve() / CACHE)

    def for_child(self) -> dict[str, Any]:
        """As a child is told of it."""
        purse = self.purse
        return {
            "cache": str(self.cache) if self.cache else None,
            "purse": {"file": str(purse.file), "limit": purse.limit} if purse else None,
        }


def means_of(config: RunConfig, run: Path) -> Means:
    """The means of a run: by default the user's own cache, and an account of what was spent beside the results."""
    return Means(config.cache or default_cache(), SharedPurse(run.resolve() / SPENDING, config.max_cost_usd))


def default_cache() -> Path:
    """A folder for what is dear to compute or to buy, where the operating system keeps caches."""
    import platformdirs

    return platformdirs.user_cache_path("sensecf-bench")
