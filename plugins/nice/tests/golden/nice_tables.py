"""The tables and classifiers of the golden values, in plain numpy: imported here and where NICEx lives."""

import numpy as np

# (name, unordered levels per column or 0 for a number): few and many features, since sums of 8 and more numbers
# are taken in another order.
TABLES = {"mixed": (0, 3, 0, 2, 0, 4, 0, 0), "numeric": (0,) * 13, "levels": (3, 2, 4, 5, 2)}
CLASSIFIERS = ("logistic", "stumps")


def draw(name, rows=140, queries=24, seed=20230701):
    """Training rows `(n, d)`, their labels `(n,)`, and rows to explain `(q, d)`, in internal coding."""
    rng = np.random.default_rng([seed, list(TABLES).index(name)])
    columns = [
        rng.integers(0, levels, rows + queries).astype(float)
        if levels
        else np.round(rng.normal(50, 10 ** rng.uniform(0, 1.5), rows + queries), 2)
        for levels in TABLES[name]
    ]
    table = np.column_stack(columns)
    z = (table - table.mean(axis=0)) / table.std(axis=0)
    labels = (z[:, 0] + z[:, 1] * z[:, 2] + 0.5 * z[:, 3] + rng.normal(0, 0.7, len(z)) > 0).astype(int)
    return table[:rows], labels[:rows], table[rows:]


def fit(kind, rows, labels):
    """A function from rows `(n, d)` to probabilities `(n, 2)`; every row is computed alone, whatever it comes with.

    "stumps" votes like a small forest, so that many steps tie.
    """
    low, high = rows.min(axis=0), rows.max(axis=0)
    unit = (rows - low) / (high - low)
    slope = np.array([np.corrcoef(column, labels)[0, 1] for column in unit.T])
    middle, weight = unit.mean(axis=0), np.sign(slope) * (2 + 4 * np.abs(slope))
    cuts = np.linspace(0.2, 0.8, 4)

    def predict_proba(matrix):
        unit = np.ascontiguousarray((np.asarray(matrix, dtype=float) - low) / (high - low))
        if kind == "logistic":
            positive = 1 / (1 + np.exp(-((unit - middle) * weight).sum(axis=1)))
        else:
            votes = np.where(slope[:, None] > 0, unit[:, :, None] > cuts, unit[:, :, None] <= cuts)
            positive = votes.reshape(len(unit), -1).sum(axis=1) / (len(slope) * len(cuts))
        return np.column_stack([1 - positive, positive])

    return predict_proba


def reconstruction_error(levels, rows, variance_kept=0.95):
    """Squared error of rebuilding rows from principal components, written the textbook way.

    Coordinates: numbers over their range, levels as half one-hot columns.
    """
    low, high = rows.min(axis=0), rows.max(axis=0)

    def embed(matrix):
        return np.hstack(
            [
                0.5 * (matrix[:, [j]] == np.arange(n)) if n else (matrix[:, [j]] - low[j]) / (high[j] - low[j])
                for j, n in enumerate(levels)
            ]
        )

    embedded = embed(rows)
    mean = embedded.mean(axis=0)
    _, singular, components = np.linalg.svd(embedded - mean, full_matrices=False)
    share = np.cumsum(singular**2) / (singular**2).sum()
    kept = components[: min(int(np.searchsorted(share, variance_kept)) + 1, len(components) - 1)]

    def error(matrix):
        centred = embed(matrix) - mean
        return ((centred - centred @ kept.T @ kept) ** 2).sum(axis=1)

    return error
