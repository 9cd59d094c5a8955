"""Forecasts as arrays, and the frames they leave the library in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from invopt.contracts import quantile_column
from invopt.panel import Panel
from invopt.types import Float32Array, IntArray, Json


@dataclass(frozen=True)
class ForecastArrays:
    """Forecasts of some series from one cutoff, in units.

    Quantiles are continuous and, for counts, of sales plus a uniform jitter on [-1/2, 1/2): from
    -1/2 upward. Rounded to the nearest whole number they are the quantiles of the counts.

    Attributes:
        mean: (series, horizon) expected sales per period.
        quantiles: (series, horizon, Q) quantiles of sales per period.
        levels: (series, horizon, Q) quantiles of demand summed over the first 1..horizon periods.
        quantile_levels: Q levels of quantiles.
        level_quantiles: Q levels of levels.
    """

    mean: Float32Array = field(repr=False)
    quantiles: Float32Array = field(repr=False)
    levels: Float32Array = field(repr=False)
    quantile_levels: tuple[float, ...]
    level_quantiles: tuple[float, ...]

    @property
    def horizon(self) -> int:
        """Periods forecast."""
        return self.mean.shape[1]


def read_forecast(folder: Path, number: int, head: Json) -> ForecastArrays:
    """Return the forecasts of one partition, of a folder that `steps.replenish` wrote.

    Args:
        folder: Of all partitions.
        number: Of the partition.
        head: What stands in its forecast.json.
    """
    with np.load(folder / f"part-{number:04d}.npz", allow_pickle=False) as arrays:
        return ForecastArrays(
            **arrays,
            quantile_levels=tuple(head["quantile_levels"]),
            level_quantiles=tuple(head["level_quantiles"]),
        )


def forecast_frame(
    panel: Panel, cutoff: int, forecast: ForecastArrays, rows: IntArray | None = None
) -> pd.DataFrame:
    """Return the Forecast contract: unique_id, cutoff, ds, mean and a column per quantile.

    Quantiles below 0 (jitter) read 0.
    """
    ids = panel.unique_ids if rows is None else panel.unique_ids[rows]
    dates = panel.timeline.dates(cutoff + 1, cutoff + 1 + forecast.horizon)
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(ids, forecast.horizon),
            "cutoff": panel.timeline.date(cutoff),
            "ds": np.tile(dates.to_numpy(), len(ids)),
            "mean": forecast.mean.ravel(),
        }
    )
    for number, level in enumerate(forecast.quantile_levels):
        frame[quantile_column(level)] = forecast.quantiles[:, :, number].clip(min=0).ravel()
    return frame


def level_frame(
    panel: Panel, cutoff: int, forecast: ForecastArrays, periods: Sequence[int]
) -> pd.DataFrame:
    """Return the LevelForecast contract for some numbers of periods, series by series."""
    chosen = list(periods)
    at = [p - 1 for p in chosen]
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat(panel.unique_ids, len(chosen)),
            "cutoff": panel.timeline.date(cutoff),
            "periods": np.tile(chosen, panel.num_series),
        }
    )
    for number, level in enumerate(forecast.level_quantiles):
        frame[quantile_column(level)] = forecast.levels[:, at, number].clip(min=0).ravel()
    return frame
