"""The built-in datasets, registered through the same hook as a stranger's."""

from __future__ import annotations

from sensecf_bench.contracts import Dataset
from sensecf_bench.datasets.aireadi.dataset import Aireadi
from sensecf_bench.datasets.aireadi.synthetic import SyntheticAireadi
from sensecf_bench.datasets.clinical import BreastCancer, DiabetesProgression
from sensecf_bench.datasets.heart_disease import HeartDisease
from sensecf_bench.datasets.table import UserTable
from sensecf_bench.hookspecs import hookimpl


@hookimpl
def sensecf_datasets() -> list[type[Dataset]]:
    return [BreastCancer, DiabetesProgression, HeartDisease, UserTable, Aireadi, SyntheticAireadi]
