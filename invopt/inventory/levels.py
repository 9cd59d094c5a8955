"""Demand over the protection interval, read off the level quantiles of a forecast.

A quantile over L + R periods is not the sum of L + R daily quantiles; the network forecasts
the sums themselves, so a level for any lead time and critical ratio is a look-up.
"""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# Grid on which the quantile function is integrated for expected costs.
_GRID = 400


def levels_over(
    levels: npt.NDArray[np.floating],  # type: ignore[type-arg]
    periods: npt.NDArray[np.floating],  # type: ignore[type-arg]
) -> FloatArray:
    """Return (series, Q) quantiles of demand over `periods` periods of each series.

    Args:
        levels: (series, horizon, Q) quantiles of demand over 1..horizon periods, in units.
        periods: (series,) number of periods, 0 to horizon; between whole numbers it is linear.

    Raises:
        ValueError: If a number of periods lies outside.
    """
    horizon = levels.shape[1]
    if (periods < 0).any() or (periods > horizon).any():
        raise ValueError(
            f"periods must lie in [0, {horizon}], got {periods.min():g} to {periods.max():g}; "
            "forecast a longer horizon."
        )
    padded = np.concatenate([np.zeros_like(levels[:, :1]), levels.clip(min=0)], axis=1)
    low = np.floor(periods).astype(np.int64)
    high = np.minimum(low + 1, horizon)
    share = (periods - low)[:, None]
    rows = np.arange(len(levels))
    return padded[rows, low] * (1 - share) + padded[rows, high] * share


def quantile_at(
    quantiles: npt.NDArray[np.floating],  # type: ignore[type-arg]
    levels: tuple[float, ...],
    ratio: FloatArray,
) -> FloatArray:
    """Return each series' quantile at its own ratio, linear between the forecast's levels.

    Args:
        quantiles: (series, Q) ascending.
        levels: Q levels.
        ratio: (series,) inside the outermost levels.

    Returns:
        (series,) units; NaN where the ratio lies beyond the forecast's levels, which are never
        extrapolated.
    """
    knots = np.asarray(levels)
    upper = np.clip(np.searchsorted(knots, ratio), 1, len(knots) - 1)
    rows = np.arange(len(quantiles))
    share = (ratio - knots[upper - 1]) / (knots[upper] - knots[upper - 1])
    value = quantiles[rows, upper - 1] * (1 - share) + quantiles[rows, upper] * share
    outside = (ratio < knots[0] - 1e-9) | (ratio > knots[-1] + 1e-9)
    return np.where(outside, np.nan, value)


def expected_shortage_and_excess(
    quantiles: npt.NDArray[np.floating],  # type: ignore[type-arg]
    levels: tuple[float, ...],
    stock: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Return E[(demand - stock)+] and E[(stock - demand)+] of each series, in units.

    The quantile function is taken as linear between the forecast's levels, down to 0 at level
    0, and as continuing its last slope to level 1.

    Args:
        quantiles: (series, Q) ascending.
        levels: Q levels.
        stock: (series,) units available.
    """
    grid = (np.arange(_GRID) + 0.5) / _GRID
    knots = np.concatenate([[0.0], levels, [1.0]])
    last = quantiles[:, -1]
    slope = (last - quantiles[:, -2]) / (levels[-1] - levels[-2])
    ends = last + slope * (1 - levels[-1])
    full = np.concatenate([np.zeros((len(quantiles), 1)), quantiles, ends[:, None]], axis=1)
    upper = np.clip(np.searchsorted(knots, grid), 1, len(knots) - 1)
    share = (grid - knots[upper - 1]) / (knots[upper] - knots[upper - 1])
    demand = full[:, upper - 1] * (1 - share) + full[:, upper] * share
    short = np.maximum(demand - stock[:, None], 0).mean(axis=1)
    excess = np.maximum(stock[:, None] - demand, 0).mean(axis=1)
    return short, excess
