"""Forecasts as arrays, and the frames they leave the library in."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.contracts import quantile_column
from invopt.panel import Panel
from invopt.types import BoolArray, Float32Array, IntArray, Json

Floating = TypeVar("Floating", bound=np.floating[Any])
AnyForecast = TypeVar("AnyForecast", bound="_Arrays")
SERIES_ARRAYS = ("mean", "smooth_quantiles", "smooth_levels")  # arrays of a row for each series


@dataclass(frozen=True)
class ForecastArrays:
    """Forecasts of some series from one cutoff, in units.

    A count has no quantile between two whole numbers. What anybody is told is `quantiles` and
    `levels`: whole units where demand is whole. What a model says is smooth: for counts the
    quantiles of sales plus a uniform jitter on [-1/2, 1/2), so from -1/2 upward. Only who
    interpolates between levels, or judges every level exactly, reads those.

    Attributes:
        mean: (series, horizon) expected sales per period.
        smooth_quantiles: (series, horizon, Q) quantiles of sales per period, jittered.
        smooth_levels: (series, horizon, Q) quantiles of demand summed over the first 1..horizon
            periods, jittered.
        quantile_levels: Q levels of quantiles.
        level_quantiles: Q levels of levels.
        is_count: True when sales are whole numbers.
    """

    mean: Float32Array = field(repr=False)
    smooth_quantiles: Float32Array = field(repr=False)
    smooth_levels: Float32Array = field(repr=False)
    quantile_levels: tuple[float, ...]
    level_quantiles: tuple[float, ...]
    is_count: bool = field(kw_only=True)

    @property
    def horizon(self) -> int:
        """Periods forecast."""
        return self.mean.shape[1]

    @property
    def quantiles(self) -> Float32Array:
        """(series, horizon, Q) quantiles of sales per period, whole where sales are."""
        return units(self.smooth_quantiles, is_count=self.is_count)

    @property
    def levels(self) -> Float32Array:
        """(series, horizon, Q) quantiles of summed demand, whole where sales are."""
        return units(self.smooth_levels, is_count=self.is_count)


class _Arrays(Protocol):
    """What every forecast has by series."""

    @property
    def mean(self) -> Float32Array: ...

    @property
    def smooth_quantiles(self) -> Float32Array: ...

    @property
    def smooth_levels(self) -> Float32Array: ...


def forecast_of(forecast: AnyForecast, rows: IntArray | BoolArray | slice) -> AnyForecast:
    """Return the forecast of some series, in the order of the rows; a slice copies nothing.

    Args:
        forecast: A dataclass with the arrays of a ForecastArrays.
        rows: Places of the series, or a mask of them.

    Example:
        >>> mean, shares = np.array([[1], [2], [3]], np.float32), (0.5, 0.9)
        >>> spread = mean[..., None].repeat(2, axis=2)
        >>> forecast = ForecastArrays(mean, spread, spread, shares, shares, is_count=True)
        >>> forecast_of(forecast, np.array([2, 0])).mean.tolist()
        [[3.0], [1.0]]
    """
    arrays: dict[str, Any] = {name: getattr(forecast, name)[rows] for name in SERIES_ARRAYS}
    found: AnyForecast = replace(forecast, **arrays)  # type: ignore[type-var]
    return found


def units(quantiles: npt.NDArray[Floating], *, is_count: bool) -> npt.NDArray[Floating]:
    """Return quantiles as they are told: at least 0, and for counts the count's own.

    Of a count plus a uniform jitter on [-1/2, 1/2) the quantile of any level lies within half a
    unit of the count's quantile of that level, the smallest count that is reached with at least
    that probability (Machado and Santos Silva, "Quantiles for counts", 2005, theorem 2).

    Args:
        quantiles: Smooth, units, any shape; NaN stays.
        is_count: True when units are whole.

    Example:
        >>> units(np.array([-0.4, 0.5, 0.51, 2.2]), is_count=True).tolist()
        [0.0, 0.0, 1.0, 2.0]
        >>> units(np.array([-0.4, 0.5]), is_count=False).tolist()
        [0.0, 0.5]
    """
    told = np.ceil(quantiles - 0.5) if is_count else quantiles
    return np.maximum(told, 0) + 0.0  # adding nothing takes the sign off a nought


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
            is_count=head["is_count"],
        )


def forecast_frame(
    panel: Panel, cutoff: int, forecast: ForecastArrays, rows: IntArray | None = None
) -> pd.DataFrame:
    """Return the Forecast contract: unique_id, cutoff, ds, mean and a column per quantile."""
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
    quantiles = forecast.quantiles
    for number, level in enumerate(forecast.quantile_levels):
        frame[quantile_column(level)] = quantiles[:, :, number].ravel()
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
    levels = forecast.levels[:, at]
    for number, level in enumerate(forecast.level_quantiles):
        frame[quantile_column(level)] = levels[:, :, number].ravel()
    return frame
