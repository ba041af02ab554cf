"""Write nicex.json with NICEx's own answers. Run it where NICEx 0.2.3 is installed: python make_golden.py"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
from nice import NICE
from nice_tables import CLASSIFIERS, TABLES, draw, fit, reconstruction_error

VARIANTS = ("none", "sparsity", "proximity", "plausibility")


def answers(table, classifier, variant):
    """NICEx's row for each row that is to be explained."""
    rows, labels, asked = draw(table)
    predict_proba = fit(classifier, rows, labels)
    nicex = NICE(
        predict_fn=predict_proba,
        X_train=rows.copy(),
        y_train=labels,
        cat_feat=[j for j, levels in enumerate(TABLES[table]) if levels],
        optimization=variant,
        auto_encoder=reconstruction_error(TABLES[table], rows),
    )
    return np.vstack([nicex.explain(row[None].copy()) for row in asked]).tolist()


def main():
    cases = [
        {"table": table, "classifier": classifier, "variant": variant, "answers": answers(table, classifier, variant)}
        for table in TABLES
        for classifier in CLASSIFIERS
        for variant in VARIANTS
    ]
    tables = {
        name: dict(zip(("rows", "labels", "asked"), (part.tolist() for part in draw(name)), strict=True))
        for name in TABLES
    }
    golden = {"made_by": f"NICEx {version('NICEx')}, numpy {version('numpy')}", "tables": tables, "cases": cases}
    Path(__file__).with_name("nicex.json").write_text(json.dumps(golden) + "\n")


if __name__ == "__main__":
    main()
