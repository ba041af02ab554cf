"""DiCE's view of the training rows, with everything that depends on them alone computed once. Imports dice_ml."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from dice_ml.data_interfaces.public_data_interface import PublicData


class FrozenData(PublicData):  # type: ignore[misc]  # dice_ml is untyped
    """`PublicData` for training rows that do not change: upstream recomputes ranges, deviations, quantiles and
    precisions for every query, and normalises with a pass over the training rows for every feature of every call."""

    def __init__(self, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._quantiles: dict[float, dict[str, float]] = {}
        self.types = {name: self.data_df[name].dtype for name in self.continuous_feature_names}
        # Numbers come first, see `Codec`; upstream finds this out anew for every query.
        self.continuous_feature_indexes = list(range(len(self.continuous_feature_names)))
        self._extent = {
            name: (self.data_df[name].min(), self.data_df[name].max()) for name in self.continuous_feature_names
        }

    # -- statistics ------------------------------------------------------------------------------------------------
    @cached_property
    def _ranges(self) -> dict[str, Any]:
        return super().get_features_range()[0]  # type: ignore[no-any-return]

    def get_features_range(self, permitted_range_input: Any = None, features_dict: Any = None) -> Any:
        return {**self._ranges, **(permitted_range_input or {})}, dict(self._ranges)

    @cached_property
    def _deviations(self) -> dict[str, float]:
        return super().get_mads()  # type: ignore[no-any-return]

    def get_mads(self, normalized: bool = False) -> Any:
        return super().get_mads(True) if normalized else dict(self._deviations)

    def get_quantiles_from_training_data(self, quantile: float = 0.05, normalized: bool = False) -> Any:
        if normalized:
            return super().get_quantiles_from_training_data(quantile, True)
        if quantile not in self._quantiles:
            self._quantiles[quantile] = super().get_quantiles_from_training_data(quantile)
        return dict(self._quantiles[quantile])

    @cached_property
    def _precisions(self) -> tuple[Any, Any]:
        return super().get_decimal_precisions("list"), super().get_decimal_precisions("dict")

    def get_decimal_precisions(self, output_type: str = "list") -> Any:
        return self._precisions[output_type == "dict"].copy()

    # -- normalising -----------------------------------------------------------------------------------------------
    @cached_property
    def _shift_and_span(self) -> tuple[Any, Any]:
        """Minimum and extent by position among the continuous features; upstream subtracts in single precision."""
        low = np.array([self._extent[name][0] for name in self.continuous_feature_names], dtype=np.float64)
        span = [high - low for low, high in self._extent.values()]
        return low, np.array(span, dtype=np.float64)

    def normalize_data(self, df: Any) -> Any:
        where = self.continuous_feature_indexes
        if not isinstance(df, np.ndarray) or df.ndim != 2:
            return self._normalize_one(df) if isinstance(df, np.ndarray) else super().normalize_data(df)
        low, span = self._shift_and_span
        result = df.astype(np.float64)
        result[:, where] = np.where(span == 0, 0.0, (result[:, where] - low) / np.where(span == 0, 1, span))
        return result

    def _normalize_one(self, row: Any) -> Any:
        # Scalar by scalar, as upstream does it: in single precision where the row is in single precision.
        result = row.astype(np.float64)
        for i in self.continuous_feature_indexes:
            low, high = self._extent[self.feature_names[i]]
            result[i] = 0 if low == high else (row[i] - low) / (high - low)
        return result
