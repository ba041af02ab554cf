"""Runs against servers on loopback, and what they left behind."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from sensecf_bench import api
from sensecf_bench.engine.config import RunConfig
from sensecf_bench.prompting import Brief, Prompt
from sensecf_bench.testing import local_setting

sys.path.insert(0, str(Path(__file__).parent))

QUERIES = 24
BASIS = {
    "datasets": ("breast-cancer",),
    "classifiers": ("svm",),
    "metrics": ("validity", "cost-tokens", "cost-usd"),
    "allow": ("network", "paid"),
    "jobs": 1,
    "resamples": 100,
    "augmentation": "off",
}


@dataclass(frozen=True)
class Done:
    """A finished run: its folder, and every query with its outcome."""

    run: api.Run
    folder: Path
    queries: pd.DataFrame

    @property
    def outcomes(self) -> dict[str, int]:
        return self.queries["outcome"].value_counts().to_dict()


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def bench(tmp_path):
    """Carries out a run of one generator against a server, with a cache of the test's own."""

    def go(server, name="run", generator="gpt-4-zero-shot", options=None, **more) -> Done:
        settings = {"base_url": server if isinstance(server, str) else server.url, **(options or {})}
        basis = {**BASIS, "queries": 6, "cache": tmp_path / "cache", "generators": (generator,)}
        config = RunConfig(**{**basis, "options": {"gpt-4-*": settings}, **more})
        run = api.run(config, tmp_path / name)
        return Done(run, tmp_path / name, queries_of(tmp_path / name))

    return go


def queries_of(folder: Path) -> pd.DataFrame:
    tables = [pd.read_parquet(file) for file in sorted(folder.glob("cells/*/queries.parquet"))]
    if not tables:  # no cell was finished
        return pd.DataFrame()
    queries = pd.concat(tables).set_index("query_id")
    return queries.filter(like="cf_").rename(columns=lambda name: name.removeprefix("cf_"))


@pytest.fixture(scope="session")
def people() -> dict[str, str]:
    """Who asks, by what a server is told of them."""
    setting = local_setting("breast-cancer", "svm", queries=QUERIES)
    data = setting.explained.data
    brief = Brief.of(data.schema, data.table.classes, data.target, data.matrix[data.train], data.labels[data.train])
    prompt = Prompt.of(brief, "edits")
    return {json.dumps(prompt.messages(query.row)): query.id for query in setting.queries}
