"""Small settings that the tests share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sensecf_bench import Dataset, Feature, FeatureSchema, Table
from sensecf_bench.classifiers import RandomForest
from sensecf_bench.engine.context import fit_classifier, prepare_data
from sensecf_bench.testing.local import Setting, local_setting


class Wearable(Dataset):
    """300 made-up days: all five kinds, every direction, two fixed features, and columns named as DiCE names its own."""

    name = "wearable"
    fixed: tuple[str, ...] = ("age", "sex")

    def load(self) -> Table:
        rng = np.random.default_rng(0)
        n = 300
        frame = pd.DataFrame(
            {
                "sex": rng.choice(["f", "m"], n),
                "distance": rng.uniform(0.5, 12.0, n).round(2),
                "age": rng.integers(20, 80, n),
                "sparsity": rng.choice(["low", "mid", "high"], n),
                "outcome": rng.uniform(4.0, 9.0, n).round(1),
                "hba1c": rng.normal(6.0, 0.8, n).clip(4.0, 9.0),
                "smoker": rng.choice(["no", "yes"], n),
                "steps": rng.integers(500, 15_000, n),
            }
        )
        risk = (
            0.4 * frame["hba1c"]
            - 0.15 * frame["distance"]
            - 0.0001 * frame["steps"]
            - 0.2 * frame["outcome"]
            + 0.5 * (frame["smoker"] == "yes")
            + 0.3 * frame["sparsity"].map({"low": 0, "mid": 1, "high": 2})
        )
        features = (
            Feature(name="sex", kind="categorical", levels=("f", "m")),
            Feature(name="distance", kind="continuous", bounds=(0, 50), precision=0.01),
            Feature(name="age", kind="integer", bounds=(0, 120)),
            Feature(name="sparsity", kind="ordinal", levels=("low", "mid", "high"), direction="decrease"),
            Feature(name="outcome", kind="continuous", bounds=(0, 24), precision=0.1),
            Feature(name="hba1c", kind="continuous", bounds=(3, 20), direction="decrease"),
            Feature(name="smoker", kind="binary", levels=("no", "yes"), direction="decrease"),
            Feature(name="steps", kind="integer", bounds=(0, 60_000), direction="increase"),
        )
        features = tuple(f.model_copy(update={"mutable": f.name not in self.fixed}) for f in features)
        ids = tuple(f"day-{i:03d}" for i in range(n))
        ill = (risk > np.median(risk)).to_numpy().astype(np.int64)
        return Table(self.name, FeatureSchema(features), frame, ill, ids, ("well", "ill"), undesired=1)


class Sealed(Wearable):
    """The same days, of which nothing may change."""

    fixed = ("sex", "distance", "age", "sparsity", "outcome", "hba1c", "smoker", "steps")


class Stuck(Wearable):
    """The same days, of which only the sex may change, which the outcome does not depend on."""

    fixed = ("distance", "age", "sparsity", "outcome", "hba1c", "smoker", "steps")


def setting_of(dataset: Dataset, queries: int) -> Setting:
    explained = fit_classifier(prepare_data(dataset, 0), RandomForest())
    return Setting(explained, explained.queries(queries))


@pytest.fixture(scope="session")
def wearable() -> Setting:
    return setting_of(Wearable(), 8)


@pytest.fixture(scope="session")
def sealed() -> Setting:
    return setting_of(Sealed(), 3)


@pytest.fixture(scope="session")
def stuck() -> Setting:
    return setting_of(Stuck(), 3)


@pytest.fixture(scope="session")
def diabetes() -> Setting:
    return local_setting("diabetes-progression", "random-forest", queries=8)
