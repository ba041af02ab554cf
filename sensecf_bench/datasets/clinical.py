"""Two real clinical tables that come with scikit-learn, so that the main job needs no download."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensecf_bench.contracts import Dataset, Feature, FeatureSchema, Table
from sensecf_bench.datasets.drafting import decimal_step

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sensecf_bench.queries import Classes

_NUCLEUS = {
    "radius": ("", "mean distance from centre to perimeter of the cell nucleus"),
    "texture": ("", "standard deviation of grey-scale values"),
    "perimeter": ("", "perimeter of the nucleus"),
    "area": ("", "area of the nucleus"),
    "smoothness": ("", "local variation in radius lengths"),
    "compactness": ("", "perimeter² / area − 1"),
    "concavity": ("", "severity of concave portions of the contour"),
    "concave points": ("", "number of concave portions of the contour, as a share"),
    "symmetry": ("", "symmetry of the nucleus"),
    "fractal dimension": ("", "coastline approximation − 1"),
}


class BreastCancer(Dataset):
    """Wisconsin diagnostic breast cancer: 569 biopsies, 30 measurements of cell nuclei; undesired: malignant."""

    name = "breast-cancer"

    def load(self) -> Table:
        from sklearn.datasets import load_breast_cancer

        raw = load_breast_cancer(as_frame=True)
        frame = raw.data.rename(columns=lambda c: c.replace(" ", "_"))
        features = []
        for original, column in zip(raw.data.columns, frame.columns, strict=True):
            measure = next(m for m in sorted(_NUCLEUS, key=len, reverse=True) if m in original)
            statistic = original.replace(measure, "").strip()
            features.append(
                Feature(
                    name=column,
                    kind="continuous",
                    bounds=(0.0, None),
                    precision=decimal_step(frame[column].to_numpy()),
                    description=f"{_NUCLEUS[measure][1]} ({statistic} over the nuclei of the image)",
                    group=measure,
                )
            )
        return Table(
            name=self.name,
            schema=FeatureSchema(tuple(features)),
            frame=frame,
            outcome=1 - raw.target.to_numpy().astype(np.int64),
            ids=tuple(f"biopsy-{i:03d}" for i in range(len(frame))),
            classes=("benign", "malignant"),
            undesired=1,
            source="Breast Cancer Wisconsin (Diagnostic), Wolberg, Street, Mangasarian 1995, as in scikit-learn",
            licence="CC BY 4.0",
        )


class DiabetesProgression(Dataset):
    """442 diabetes patients, 10 baseline measurements; undesired: progression after a year above the training median."""

    name = "diabetes-progression"

    def load(self) -> Table:
        from sklearn.datasets import load_diabetes

        raw = load_diabetes(as_frame=True, scaled=False)
        frame = raw.data.rename(columns=dict(zip(raw.data.columns, (f.name for f in _BASELINE), strict=True)))
        frame = frame.assign(sex=np.where(frame["sex"] == 1, "1", "2"))
        frame["age_years"] = frame["age_years"].astype(np.int64)
        features = [
            f.model_copy(update={"precision": decimal_step(frame[f.name].to_numpy())}) if f.kind == "continuous" else f
            for f in _BASELINE
        ]
        return Table(
            name=self.name,
            schema=FeatureSchema(tuple(features)),
            frame=frame,
            outcome=raw.target.to_numpy().astype(np.float64),
            ids=tuple(f"patient-{i:03d}" for i in range(len(frame))),
            classes=("slower progression", "faster progression"),
            undesired=1,
            source="Diabetes data of Efron, Hastie, Johnstone, Tibshirani 2004, as in scikit-learn",
            licence="public, distributed with scikit-learn",
        )

    def labels(self, table: Table, train: NDArray[np.intp]) -> Classes:
        above: Classes = (table.outcome > np.median(table.outcome[train])).astype(np.int64)
        return above


_BASELINE = (
    Feature(
        name="age_years",
        kind="integer",
        unit="years",
        bounds=(0, 120),
        mutable=False,
        description="age",
        group="person",
    ),
    Feature(
        name="sex",
        kind="categorical",
        levels=("1", "2"),
        mutable=False,
        description="sex, coded 1 and 2 in the source",
        group="person",
    ),
    Feature(
        name="bmi_kg_m2", kind="continuous", unit="kg/m²", bounds=(10, 80), description="body mass index", group="body"
    ),
    Feature(
        name="blood_pressure_mmhg",
        kind="continuous",
        unit="mmHg",
        bounds=(30, 200),
        description="mean arterial blood pressure",
        group="body",
    ),
    Feature(
        name="total_cholesterol_mg_dl",
        kind="continuous",
        unit="mg/dL",
        bounds=(30, 600),
        description="total serum cholesterol",
        group="lipids",
    ),
    Feature(
        name="ldl_mg_dl",
        kind="continuous",
        unit="mg/dL",
        bounds=(5, 500),
        description="low-density lipoproteins",
        group="lipids",
    ),
    Feature(
        name="hdl_mg_dl",
        kind="continuous",
        unit="mg/dL",
        bounds=(5, 200),
        description="high-density lipoproteins",
        group="lipids",
    ),
    Feature(
        name="cholesterol_hdl_ratio",
        kind="continuous",
        bounds=(1, 20),
        description="total cholesterol over HDL",
        group="lipids",
    ),
    Feature(
        name="log_triglycerides",
        kind="continuous",
        unit="log(mg/dL)",
        bounds=(2, 9),
        description="natural logarithm of serum triglycerides (so the source suggests)",
        group="lipids",
    ),
    Feature(
        name="glucose_mg_dl",
        kind="integer",
        unit="mg/dL",
        bounds=(20, 600),
        description="blood glucose",
        group="metabolism",
    ),
)
