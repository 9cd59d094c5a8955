"""Baselines under the model's own protocol: seasonal naive and moving average."""

from dataclasses import dataclass

import numpy as np

from invopt.config import ModelConfig
from invopt.forecasts import ForecastArrays
from invopt.panel import Panel
from invopt.types import BoolArray, Float32Array

_ROWS = 2048
_ORIGINS = 26


@dataclass(frozen=True)
class Baseline:
    """Repeats the last season, or the mean of the last periods; spread from its own past errors.

    Periods whose sales are not demand (out of stock, missing) take the season before them.
    Quantiles are the point forecast plus quantiles of the errors the same rule made at the last
    26 origins, per series: a season apart, or closer where the history is short.

    Attributes:
        horizon: Periods forecast.
        season_length: Periods repeated.
        window: Periods averaged; None repeats the season.
        config: Quantile levels.
    """

    horizon: int
    season_length: int
    config: ModelConfig
    window: int | None = None

    def predict(self, panel: Panel, cutoff: int | None = None) -> ForecastArrays:
        """Return forecasts of every series as it was known after period `cutoff`."""
        cutoff = panel.num_periods - 1 if cutoff is None else cutoff
        parts = [
            self._predict_rows(panel, slice(first, first + _ROWS), cutoff)
            for first in range(0, panel.num_series, _ROWS)
        ]
        mean, quantiles, levels = (np.concatenate(p) for p in zip(*parts, strict=True))
        return ForecastArrays(
            mean, quantiles, levels, self.config.quantile_levels, self.config.level_quantiles,
            is_count=panel.is_count,
        )  # fmt: skip

    def _predict_rows(
        self, panel: Panel, rows: slice, cutoff: int
    ) -> tuple[Float32Array, Float32Array, Float32Array]:
        y = self._carried(
            np.asarray(panel.y[rows, : cutoff + 1], np.float32),
            panel.is_observed[rows, : cutoff + 1],
        )
        mean = self._point(y, cutoff)
        errors, sums = [], []
        least = max(self.season_length, self.window or 0)
        step = int(np.clip((cutoff - self.horizon - least) // _ORIGINS, 1, self.season_length))
        for back in range(1, _ORIGINS + 1):
            origin = cutoff - self.horizon - (back - 1) * step
            if origin < least:
                break
            actual = y[:, origin + 1 : origin + 1 + self.horizon]
            point = self._point(y, origin)
            errors.append(actual - point)
            sums.append(actual.cumsum(1) - point.cumsum(1))
        if not errors:
            errors, sums = [np.zeros_like(mean)], [np.zeros_like(mean)]
        quantiles = self._spread(mean, np.stack(errors), self.config.quantile_levels)
        levels = self._spread(mean.cumsum(1), np.stack(sums), self.config.level_quantiles)
        return mean, quantiles, np.maximum.accumulate(levels, axis=1)

    def _carried(self, y: Float32Array, is_observed: BoolArray) -> Float32Array:
        """Return sales; where they are not demand, those of the season before, 0 if none.

        Read as they are, stock-outs would make the baseline, and beating it, too easy.
        """
        y = np.where(is_observed, y, 0)
        length = self.season_length
        for first in range(length, y.shape[1], length):
            now = slice(first, first + length)
            before = y[:, first - length : first][:, : y[:, now].shape[1]]
            y[:, now] = np.where(is_observed[:, now], y[:, now], before)
        return y

    def _point(self, y: Float32Array, origin: int) -> Float32Array:
        known = y[:, : origin + 1]
        if self.window is not None:
            return np.repeat(known[:, -self.window :].mean(1, keepdims=True), self.horizon, axis=1)
        length = min(self.season_length, known.shape[1])
        season = known[:, known.shape[1] - length :]
        return np.tile(season, (1, -(-self.horizon // length)))[:, : self.horizon]

    def _spread(
        self,
        point: Float32Array,
        errors: Float32Array,
        levels: tuple[float, ...],
    ) -> Float32Array:
        spread = np.quantile(errors, levels, axis=0).astype(np.float32)
        return np.maximum(np.moveaxis(point[None] + spread, 0, 2), 0)
