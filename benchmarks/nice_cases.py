"""What nice_vs_nicex.py measures on: two clinical tables, a larger synthetic one, and a classifier without coding."""

from typing import Any

import numpy as np

from sensecf_bench import Classifier, Dataset, Feature, FeatureSchema, PluginOptions, Table


class SyntheticMixed(Dataset):
    """10,000 rows of scikit-learn's make_classification, 16 numbers and 4 columns cut into 4 levels at quartiles."""

    name = "synthetic-mixed"

    def load(self) -> Table:
        import pandas as pd
        from sklearn.datasets import make_classification

        values, outcome = make_classification(
            n_samples=10_000, n_features=20, n_informative=10, n_redundant=4, random_state=0
        )
        features, columns = [], {}
        for j, column in enumerate(values.T):
            if j % 5 == 4:
                codes = np.searchsorted(np.quantile(column, [0.25, 0.5, 0.75]), column)
                columns[f"x{j}"] = np.array(list("abcd"), dtype=object)[codes]
                features.append(Feature(name=f"x{j}", kind="categorical", levels=tuple("abcd")))
            else:
                columns[f"x{j}"] = column
                features.append(Feature(name=f"x{j}", kind="continuous"))
        return Table(
            name=self.name,
            schema=FeatureSchema(tuple(features)),
            frame=pd.DataFrame(columns),
            outcome=outcome,
            ids=tuple(f"row-{i}" for i in range(len(outcome))),
            classes=("zero", "one"),
            undesired=1,
        )


class ForestOnCodes(Classifier):
    """Random forest, 100 trees, on the internal matrix as it is: no one-hot coding whose cost each call would pay."""

    name = "forest-on-codes"
    Options = PluginOptions

    def fit(self, schema: FeatureSchema, rows: Any, labels: Any, seed: int) -> None:
        from sklearn.ensemble import RandomForestClassifier

        self._model = RandomForestClassifier(100, random_state=seed, n_jobs=1).fit(rows, labels)

    def predict_proba(self, rows: Any) -> Any:
        return self._model.predict_proba(rows)
