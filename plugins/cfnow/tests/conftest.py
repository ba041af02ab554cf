"""Small settings that the tests share."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sensecf_bench import Dataset, Feature, FeatureSchema, Table
from sensecf_bench.classifiers import RandomForest
from sensecf_bench.engine.context import fit_classifier, prepare_data
from sensecf_bench.testing.local import Setting, local_setting

sys.path.insert(0, str(Path(__file__).parent))  # cfnow_tasks.py


class Clinic(Dataset):
    """240 made-up patients: all five kinds, every direction, fixed features, zeros, and names with underscores."""

    name = "clinic"
    fixed: tuple[str, ...] = ("age", "sex")

    def load(self) -> Table:
        rng = np.random.default_rng(0)
        n = 240
        frame = pd.DataFrame(
            {
                "sex": rng.choice(["f", "m"], n),
                "sleep_hours": rng.uniform(4.0, 9.0, n).round(1),
                "age": rng.integers(20, 80, n),
                "stress_level": rng.choice(["low", "mid", "high"], n),
                "sleep_place": rng.choice(["home", "ward", "else_where"], n),
                "hba1c": rng.normal(6.0, 0.8, n).clip(4.0, 9.0),
                "smoker": rng.choice(["no", "yes"], n),
                "steps": rng.integers(500, 15_000, n),
                "units": np.where(rng.random(n) < 0.4, 0, rng.integers(1, 40, n)),
            }
        )
        risk = (
            0.5 * frame["hba1c"]
            - 0.0001 * frame["steps"]
            - 0.2 * frame["sleep_hours"]
            + 0.5 * (frame["smoker"] == "yes")
            + 0.4 * (frame["sleep_place"] == "ward")
            + 0.3 * frame["stress_level"].map({"low": 0, "mid": 1, "high": 2})
            + 0.01 * frame["units"]
        )
        features = (
            Feature(name="sex", kind="binary", levels=("f", "m")),
            Feature(name="sleep_hours", kind="continuous", bounds=(0, 24), precision=0.1),
            Feature(name="age", kind="integer", bounds=(0, 120)),
            Feature(name="stress_level", kind="ordinal", levels=("low", "mid", "high"), direction="decrease"),
            Feature(name="sleep_place", kind="categorical", levels=("home", "ward", "else_where")),
            Feature(name="hba1c", kind="continuous", bounds=(3, 20), direction="decrease"),
            Feature(name="smoker", kind="binary", levels=("no", "yes"), direction="decrease"),
            Feature(name="steps", kind="integer", bounds=(0, 60_000), direction="increase"),
            Feature(name="units", kind="integer", bounds=(0, 100)),
        )
        features = tuple(f.model_copy(update={"mutable": f.name not in self.fixed}) for f in features)
        ids = tuple(f"patient-{i:03d}" for i in range(n))
        ill = (risk > np.median(risk)).to_numpy().astype(np.int64)
        return Table(self.name, FeatureSchema(features), frame, ill, ids, ("well", "ill"), undesired=1)


class Sealed(Clinic):
    """The same patients, of whom nothing may change."""

    fixed = ("sex", "sleep_hours", "age", "stress_level", "sleep_place", "hba1c", "smoker", "steps", "units")


class Stuck(Clinic):
    """The same patients, of whom only the sex may change, which the outcome does not depend on."""

    fixed = ("sleep_hours", "age", "stress_level", "sleep_place", "hba1c", "smoker", "steps", "units")


def setting_of(dataset: Dataset, queries: int) -> Setting:
    explained = fit_classifier(prepare_data(dataset, 0), RandomForest())
    return Setting(explained, explained.queries(queries))


@pytest.fixture(scope="session")
def clinic() -> Setting:
    return setting_of(Clinic(), 6)


@pytest.fixture(scope="session")
def sealed() -> Setting:
    return setting_of(Sealed(), 3)


@pytest.fixture(scope="session")
def stuck() -> Setting:
    return setting_of(Stuck(), 3)


@pytest.fixture(scope="session")
def diabetes() -> Setting:
    return local_setting("diabetes-progression", "random-forest", queries=6)


@pytest.fixture(scope="session")
def cancer() -> Setting:
    return local_setting("breast-cancer", "xgboost", queries=4)
